"""The stranger: the probe user must be refused a channel that is not its own. Being let in is a security alarm."""

from sidecar.core.facts.auth_probes import StrangerVerdict, WalkOutcome
from sidecar.core.facts.observations import StrangerProbed
from sidecar.probes.auth_probe import Walker

WITHIN_S = 10.0
_VERDICTS = {WalkOutcome.OK: StrangerVerdict.LET_IN, WalkOutcome.REFUSED_403: StrangerVerdict.REFUSED}
"""Anything else says nothing about strangers: whoever is not let in at all is not refused a channel."""


class Stranger:
    """The probe user's request for somebody else's channel."""

    name = "stranger"
    within_s = WITHIN_S

    def __init__(self, walker: Walker, channel: str, *, every_s: float, replica: str) -> None:
        self.every_s = every_s
        self._walker, self._channel, self._replica = walker, channel, replica

    async def probe(self) -> StrangerProbed:
        """Ask once."""
        walked = await self._walker.ask_as_stranger(self._channel, within_s=WITHIN_S)
        return StrangerProbed(
            replica=self._replica,
            verdict=_VERDICTS.get(walked.outcome, StrangerVerdict.UNKNOWN),
            outcome=walked.outcome,
            number=walked.number,
        )
