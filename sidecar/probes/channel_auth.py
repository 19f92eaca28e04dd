"""Channel auth: a browser's whole walk to the probe user's own channel, once a minute."""

from sidecar.core.facts.observations import ChannelAuthProbed
from sidecar.probes.auth_probe import Walker
from sidecar.probes.probe_record import Walked
from sidecar.probes.reachability import WITHIN_S as CHECKED_WITHIN_S
from sidecar.probes.reachability import is_cut_off, may_be_cut_off_walk
from sidecar.probes.target import Target

WITHIN_S = 10.0


class ChannelAuth:
    """The probe user's walk."""

    name = "channel_auth"
    within_s = WITHIN_S + CHECKED_WITHIN_S

    def __init__(self, target: Target, walker: Walker, *, every_s: float, replica: str) -> None:
        self.every_s = every_s
        self.last: Walked | None = None
        """The last walk, with its steps: what the observation has no room for."""
        self._target, self._walker, self._replica = target, walker, replica

    async def probe(self) -> ChannelAuthProbed:
        """Walk once."""
        walked = self.last = await self._walker.walk(within_s=WITHIN_S)
        return ChannelAuthProbed(
            replica=self._replica,
            outcome=walked.outcome,
            step=walked.step,
            is_at_app=walked.is_at_app,
            number=walked.number,
            took_ms=round(walked.took_ms),
            is_cut_off=may_be_cut_off_walk(walked) and await is_cut_off(self._target),
        )
