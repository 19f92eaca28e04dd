"""What does each end of a auth probe mean, why did it likely come to that, and what exactly is to be changed?

One row per outcome of `core.facts.auth_probes.AuthProbeOutcome`: the doctor, the console and the runbooks say the same words. Facts:
what Laravel, Reverb and pusher-js do was read in their sources and seen on the wire (`tests/captures`).
"""

from sidecar.causes.app import APP
from sidecar.causes.cause import Cause
from sidecar.causes.network import AT_APP, NETWORK
from sidecar.causes.reverb import REVERB
from sidecar.causes.round_trip import ROUND_TRIPS
from sidecar.core.facts.auth_probes import AuthProbeOutcome

__all__ = ["CAUSES", "ROUND_TRIPS", "Cause", "cause_of"]

CAUSES: dict[AuthProbeOutcome, Cause] = {**NETWORK, **REVERB, **APP}
"""Every outcome has one."""


def cause_of(outcome: AuthProbeOutcome, *, is_at_app: bool) -> Cause:
    """Return what an outcome means; on the way to the app, and not to Reverb, some mean something else."""
    return AT_APP.get(outcome, CAUSES[outcome]) if is_at_app else CAUSES[outcome]
