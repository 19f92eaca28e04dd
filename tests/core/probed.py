"""A world whose Reverb is probed: round trips every 5 s, an auth probe every minute, and sockets that wait for broadcasts."""

import copy
import functools

import msgspec

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, Step, UserAuth
from sidecar.core.facts.observations import (
    ChannelAuthProbed,
    IsolationProbed,
    ObserverChanged,
    RoundTripEnded,
    UserAuthReported,
    WatchChanged,
)
from sidecar.core.facts.policy import Policy
from sidecar.core.fold.fold import next_deadline
from tests.core.world import LAX, MINUTE, REVERB, SECOND, World, counted

PROBED_GATES = {
    "isolation",
    "evidence_round_trips",
    "evidence_channel_auth",
}
"""Gates that are only there where Reverb is probed."""

PROBED = msgspec.structs.replace(LAX, reverb=REVERB)


class ProbedWorld(World):
    """A live sidecar beside a Reverb that works, until it is said not to."""

    source = "observer"

    def __init__(self, policy: Policy = PROBED) -> None:
        self.round_trip = RoundTripOutcome.OK
        self.auth_probe = AuthProbeOutcome.OK
        self.is_cut_off = False
        self._probed_ms = self._auth_probed_ms = 0
        super().__init__(policy)
        self.observe(is_up=True)

    def wait(self, span_ms: int) -> None:
        """Make time pass: heartbeats and probes at their paces."""
        end_ms = self.now_ms + span_ms
        while self.now_ms < end_ms:
            due_ms = min(self._probed_ms + REVERB.round_trip_every_ms, self._auth_probed_ms + REVERB.auth_every_ms)
            deadline_ms = min(next_deadline(self.state) or end_ms, max(due_ms, self.now_ms + 1))
            self.now_ms = min(end_ms, self.now_ms + 5 * SECOND, max(deadline_ms, self.now_ms + 1))
            if self.now_ms >= self._probed_ms + REVERB.round_trip_every_ms:
                self.probe()
            if self.now_ms >= self._auth_probed_ms + REVERB.auth_every_ms:
                self.run_auth_probe()
            self.beat()

    def probe(self) -> None:
        """Make a round trip end now."""
        self._probed_ms = self.now_ms
        is_lost = self.round_trip is not RoundTripOutcome.OK
        self.see(
            RoundTripEnded(
                replica="a",
                outcome=self.round_trip,
                took_ms=2000 if is_lost else 12,
                is_cut_off=self.is_cut_off and is_lost,
            )
        )

    def run_auth_probe(self) -> None:
        """Make an auth probe end now."""
        self._auth_probed_ms = self.now_ms
        is_failed = self.auth_probe is not AuthProbeOutcome.OK
        step = Step.AUTHORISE if is_failed else Step.SUBSCRIBE
        self.see(
            ChannelAuthProbed(
                replica="a", outcome=self.auth_probe, step=step, took_ms=40, is_cut_off=self.is_cut_off and is_failed
            )
        )

    def observe(self, *, is_up: bool, observer: int = 0) -> None:
        """Make a socket be subscribed, or lost."""
        outcome = AuthProbeOutcome.OK if is_up else AuthProbeOutcome.CONNECTION_REFUSED
        self.see(ObserverChanged(replica="a", observer=observer, is_up=is_up, outcome=outcome))

    def probe_isolation(self, verdict: IsolationOutcome) -> None:
        """Make the probe user ask for a channel that is not its own."""
        self.see(IsolationProbed(replica="a", verdict=verdict, outcome=AuthProbeOutcome.REFUSED_403))

    def authorise(self, user: str | None, result: UserAuth) -> None:
        """Make the backend report how it answered a user's request for a channel."""
        self.see(UserAuthReported(result=result, user_ref=user))

    def watch(self, user: str, *, is_on: bool = True) -> None:
        """Make a user's own channel be watched, or not any more."""
        self.see(WatchChanged(replica="a", user_ref=user, is_on=is_on))

    def fail(self) -> None:
        """Make Reverb be away: round trips and auth probes fail, and no broadcast arrives."""
        self.round_trip, self.auth_probe = RoundTripOutcome.SOCKETS_DOWN, AuthProbeOutcome.CONNECTION_REFUSED

    def recover(self) -> None:
        """Make Reverb be well."""
        self.round_trip, self.auth_probe, self.is_cut_off = RoundTripOutcome.OK, AuthProbeOutcome.OK, False

    def prove(self) -> None:
        """Give the probe indicators and those of payers the proof that takes a day, and the payers an answer each."""
        for name in ("round_trips", "channel_auth", "user_auth", "reach"):
            indicator = self.state.indicators[name]
            counted(indicator, 10_000)
            indicator.last_ms, indicator.epoch_began_ms = self.now_ms, self.now_ms
        for coverage in self.state.payer_coverage.values():
            for _ in range(100):
                coverage.add(is_judged=True, at_ms=self.now_ms)


@functools.cache
def _probed(rung: int) -> ProbedWorld:
    world = ProbedWorld()
    world.wire()
    world.wait(1 * MINUTE)
    world.prove()
    world.probe_isolation(IsolationOutcome.REFUSED)
    world.climb_to(rung)
    return world


def probed(rung: int) -> ProbedWorld:
    """Return a world with a healthy, probed Reverb that has just climbed onto a rung."""
    return copy.deepcopy(_probed(rung))
