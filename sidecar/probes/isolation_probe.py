"""The isolation probe: another user's channel must refuse the probe user. Access is a security alarm."""

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome
from sidecar.core.facts.observations import IsolationProbed
from sidecar.probes.auth_probe import AuthProber

WITHIN_S = 10.0
_VERDICTS = {AuthProbeOutcome.OK: IsolationOutcome.ALLOWED, AuthProbeOutcome.REFUSED_403: IsolationOutcome.REFUSED}
"""Any other outcome is no evidence about isolation: a request that fails earlier is not a refusal of the channel."""


class Isolation:
    """The isolation probe: the probe user requests another user's channel."""

    name = "isolation"
    within_s = WITHIN_S

    def __init__(self, auth_prober: AuthProber, channel: str, *, every_s: float, replica: str) -> None:
        self.every_s = every_s
        self._auth_prober, self._channel, self._replica = auth_prober, channel, replica

    async def probe(self) -> IsolationProbed:
        """Run one isolation probe."""
        probed = await self._auth_prober.probe_isolation(self._channel, within_s=WITHIN_S)
        return IsolationProbed(
            replica=self._replica,
            verdict=_VERDICTS.get(probed.outcome, IsolationOutcome.UNKNOWN),
            outcome=probed.outcome,
            number=probed.number,
        )
