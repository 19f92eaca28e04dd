"""What does each outcome mean, what are the likely reasons, and what must be changed?

One row per outcome of `core.facts.auth_probes.AuthProbeOutcome`, used by the doctor, the console and the runbooks. The
behaviour of Laravel, Reverb and pusher-js was taken from their sources and from recorded traffic (`tests/captures`).
"""

from sidecar.causes.app import APP, REFUSED_TO_TOKEN
from sidecar.causes.cause import Cause
from sidecar.causes.network import AT_APP, NETWORK
from sidecar.causes.reverb import REVERB
from sidecar.causes.round_trip import ROUND_TRIPS
from sidecar.core.facts.auth_probes import AuthProbeOutcome

__all__ = ["CAUSES", "ROUND_TRIPS", "Cause", "cause_of"]

CAUSES: dict[AuthProbeOutcome, Cause] = {**NETWORK, **REVERB, **APP}
"""The cause of every outcome."""


def cause_of(outcome: AuthProbeOutcome, *, is_at_app: bool, has_api_token: bool = False) -> Cause:
    """Return the cause of an outcome; some outcomes have a different cause at the app.

    `has_api_token`: the request had a bearer token and went to a route under /api.
    """
    if has_api_token and outcome is AuthProbeOutcome.REFUSED_403:
        return REFUSED_TO_TOKEN
    return AT_APP.get(outcome, CAUSES[outcome]) if is_at_app else CAUSES[outcome]
