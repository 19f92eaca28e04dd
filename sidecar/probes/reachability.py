"""Is Reverb away, or is the sidecar cut off? Checked only when a probe could not reach anything.

A failed probe because of the sidecar's own network would cost payers push; an outage of Reverb that is blamed on the
network would hide just the outage that matters. So three targets must be unreachable, and in doubt it counts against
push.
"""

import asyncio

from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome, Step
from sidecar.probes.browser import is_reached
from sidecar.probes.probe_record import AuthProbeResult
from sidecar.probes.target import Target

WITHIN_S = 2.0
_UNREACHED = frozenset({
    RoundTripOutcome.SOCKETS_DOWN,
    RoundTripOutcome.API_UNREACHABLE,
    RoundTripOutcome.API_TIMEOUT,
})  # fmt: skip
_DIALLING = frozenset({Step.RESOLVE, Step.CONNECT, Step.TLS, Step.UPGRADE})


async def is_cut_off(target: Target) -> bool:
    """Return whether neither Reverb nor the auth endpoint nor the reference target answers at all.

    Without a reference target the cause is unknown, and the result is false.
    """
    if target.reference is None:
        return False
    witnesses = (target.api_url, target.auth_endpoint, target.reference)
    return not any(await asyncio.gather(*(is_reached(url, within_s=WITHIN_S) for url in witnesses)))


def may_be_cut_off_round_trip(outcome: RoundTripOutcome) -> bool:
    """Return whether a round trip with this outcome may not have reached anything."""
    return outcome in _UNREACHED


def may_be_cut_off_auth_probe(probed: AuthProbeResult) -> bool:
    """Return whether an auth probe may not have reached anything: it ended before Reverb sent a message."""
    is_first_leg = all(taken.step in _DIALLING for taken in probed.steps)
    return probed.outcome is not AuthProbeOutcome.OK and is_first_leg and probed.number is None
