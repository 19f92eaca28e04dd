"""Distinguish an outage of Reverb from one of the sidecar's own network, after a probe that reached nothing.

A probe that fails because of the sidecar's own network must not suspend push, and an outage of Reverb must not be
attributed to the network. So the sidecar is cut off only if three targets are unreachable.
"""

import asyncio

from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome, Step
from sidecar.probes.browser import is_reached
from sidecar.probes.probe_record import AuthProbeResult
from sidecar.probes.target import Target

CHECKED_WITHIN_S = 2.0
_UNREACHED = frozenset({
    RoundTripOutcome.SOCKETS_DOWN,
    RoundTripOutcome.API_UNREACHABLE,
    RoundTripOutcome.API_TIMEOUT,
})  # fmt: skip
_CONNECTING = frozenset({Step.RESOLVE, Step.CONNECT, Step.TLS, Step.UPGRADE})


async def is_cut_off(target: Target, ended: AuthProbeResult | RoundTripOutcome) -> bool:
    """Return whether a probe that reached nothing was cut off: no target answers.

    The targets are Reverb, the auth endpoint and the reference target. Without a reference target the cause is unknown,
    and the result is false.
    """
    is_possible = ended in _UNREACHED if isinstance(ended, RoundTripOutcome) else _has_reached_nothing(ended)
    if target.reference is None or not is_possible:
        return False
    targets = (target.api_url, target.auth_endpoint, target.reference)
    return not any(await asyncio.gather(*(is_reached(url, within_s=CHECKED_WITHIN_S) for url in targets)))


def _has_reached_nothing(probed: AuthProbeResult) -> bool:
    """Return whether an auth probe ended before Reverb sent a message."""
    is_connecting = all(each.step in _CONNECTING for each in probed.steps)
    return probed.outcome is not AuthProbeOutcome.OK and is_connecting and probed.number is None
