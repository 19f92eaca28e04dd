"""The channel auth probe: a full auth probe of the probe user's own channel, once a minute."""

from sidecar.core.facts.observations import ChannelAuthProbed
from sidecar.probes.auth_probe import AuthProber
from sidecar.probes.probe_record import AuthProbeResult
from sidecar.probes.reachability import CHECKED_WITHIN_S, is_cut_off
from sidecar.probes.target import Target

WITHIN_S = 10.0


class ChannelAuth:
    """The auth probe of the probe user's own channel."""

    name = "channel_auth"
    within_s = WITHIN_S + CHECKED_WITHIN_S

    def __init__(self, target: Target, auth_prober: AuthProber, *, every_s: float, replica: str) -> None:
        self.every_s = every_s
        self.last: AuthProbeResult | None = None
        """The last result, with its steps, which the observation does not contain."""
        self._target, self._auth_prober, self._replica = target, auth_prober, replica

    async def probe(self) -> ChannelAuthProbed:
        """Run one auth probe."""
        probed = self.last = await self._auth_prober.auth_probe(within_s=WITHIN_S)
        return ChannelAuthProbed(
            replica=self._replica,
            outcome=probed.outcome,
            step=probed.step,
            is_at_app=probed.is_at_app,
            number=probed.number,
            took_ms=round(probed.took_ms),
            is_cut_off=await is_cut_off(self._target, probed),
        )
