"""Is it Reverb that is away, or are we cut off? Asked only when a probe could not reach anything.

A failed probe that our network is to blame for would cost payers push; one of Reverb's that is blamed on our network
would hide just the outage that matters. So it takes three witnesses, and in doubt it counts against push.
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
    """Say whether neither Reverb nor the auth endpoint nor the reference target answers at all.

    Without a reference target nobody can know, and we are not.
    """
    if target.reference is None:
        return False
    witnesses = (target.api_url, target.auth_endpoint, target.reference)
    return not any(await asyncio.gather(*(is_reached(url, within_s=WITHIN_S) for url in witnesses)))


def may_be_cut_off_round_trip(outcome: RoundTripOutcome) -> bool:
    """Say whether a round trip that ended so may not have reached anything."""
    return outcome in _UNREACHED


def may_be_cut_off_auth_probe(probed: AuthProbeResult) -> bool:
    """Say whether a auth probe may not have reached anything: it ended before Reverb said a word."""
    is_first_leg = all(taken.step in _DIALLING for taken in probed.steps)
    return probed.outcome is not AuthProbeOutcome.OK and is_first_leg and probed.number is None
