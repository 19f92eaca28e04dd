"""Distinguish an outage of Reverb from one of the sidecar's own network, after a probe that reached nothing.

A probe that fails because of the sidecar's own network must not suspend push, and an outage of Reverb must not be
attributed to the network. So the sidecar is cut off only if three targets are unreachable.
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
_CONNECTING = frozenset({Step.RESOLVE, Step.CONNECT, Step.TLS, Step.UPGRADE})


async def is_cut_off(target: Target) -> bool:
    """Return whether neither Reverb nor the auth endpoint nor the reference target answers at all.

    Without a reference target the cause is unknown, and the result is false.
    """
    if target.reference is None:
        return False
    targets = (target.api_url, target.auth_endpoint, target.reference)
    return not any(await asyncio.gather(*(is_reached(url, within_s=WITHIN_S) for url in targets)))


def may_be_cut_off_round_trip(outcome: RoundTripOutcome) -> bool:
    """Return whether a round trip with this outcome may not have reached anything."""
    return outcome in _UNREACHED


def may_be_cut_off_auth_probe(probed: AuthProbeResult) -> bool:
    """Return whether an auth probe may not have reached anything: it ended before Reverb sent a message."""
    is_connecting = all(taken.step in _CONNECTING for taken in probed.steps)
    return probed.outcome is not AuthProbeOutcome.OK and is_connecting and probed.number is None
