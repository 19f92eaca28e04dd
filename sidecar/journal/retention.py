"""What is kept for ever, and what only for as long as somebody may ask for it."""

import msgspec

from sidecar.core.facts.observations import UNREADABLE, Chained

RETENTION_MS = 35 * 24 * 3_600_000
"""Payments, acks, ticks and their keys are kept so long, and up to a day longer: a month's report can still be checked
against its payments, and Stripe repeats nothing older than 30 days (https://docs.stripe.com/api/events)."""

_KEPT_FOR_EVER = frozenset(fact.__struct_config__.tag for fact in Chained.__args__)


class _Typed(msgspec.Struct):
    type: str


_decode = msgspec.json.Decoder(_Typed).decode


def is_kept_for_ever(body: bytes) -> bool:
    """Return whether an encoded observation is a decision, an operator action or a policy: these are never removed.

    An observation that cannot be decoded is kept too.
    """
    try:
        return _decode(body).type in _KEPT_FOR_EVER
    except UNREADABLE:
        return True
