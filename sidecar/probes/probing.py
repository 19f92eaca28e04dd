"""Build the probes of one Reverb, with the browser and the sockets that they share."""

from sidecar.config import ProbeSecrets, Reverb
from sidecar.core.facts.event_names import DEFAULT_EVENT
from sidecar.ports import Journal
from sidecar.probes.auth_probe import AuthProber
from sidecar.probes.browser import Browser
from sidecar.probes.channel_auth import ChannelAuth
from sidecar.probes.deliveries import Deliveries
from sidecar.probes.isolation_probe import Isolation
from sidecar.probes.observers import Observers
from sidecar.probes.outside_clocks import OutsideClocks
from sidecar.probes.round_trip import RoundTrip
from sidecar.probes.runner import Probe, Runner
from sidecar.probes.target import target_of
from sidecar.probes.watches import Watches
from sidecar.tokens import BrowserTokens


class Probing:
    """The probes of one replica."""

    def __init__(
        self,
        journal: Journal,
        reverb: Reverb,
        secrets: ProbeSecrets,
        *,
        replica: str,
        identity_key: str | None,
        browser_tokens: BrowserTokens | None,
        clocks: OutsideClocks | None = None,
        event: str = DEFAULT_EVENT,
    ) -> None:
        target, pace = target_of(reverb, secrets), reverb.probe
        browser = Browser(target, clocks)
        auth_prober = AuthProber(browser)
        deliveries = Deliveries(observer_channel=target.observer_channel, identity_key=identity_key, event=event)
        self.observers = Observers(
            browser,
            journal,
            replica=replica,
            size=max(1, reverb.observers),  # a canary needs a socket that receives it
            deliveries=deliveries if reverb.observers else None,
        )
        self.watches = (
            Watches(
                self.observers,
                deliveries,
                journal,
                tokens=browser_tokens,
                identity_key=identity_key,
                channel=reverb.channel,
                replica=replica,
            )
            if browser_tokens is not None and identity_key is not None and reverb.observers
            else None
        )
        """None: watches are unavailable, because there is no secret to check tokens with."""
        probes: list[Probe] = [
            RoundTrip(target, self.observers, every_s=pace.round_trip_every_ms / 1000, replica=replica),
            ChannelAuth(target, auth_prober, every_s=pace.auth_every_ms / 1000, replica=replica),
        ]
        if target.isolation_channel is not None:
            every_s = pace.isolation_every_ms / 1000
            probes.append(Isolation(auth_prober, target.isolation_channel, every_s=every_s, replica=replica))
        self.runner = Runner(journal, probes)
