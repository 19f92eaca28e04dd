"""Observations to put into a journal."""

import enum
import types
import typing

import msgspec

from sidecar.core.facts.observations import Heartbeat, Observation, PaymentSucceeded

AWKWARD_TEXT = 'é 🎟️ "quoted" \\ \n\t\x00\u2028'
"""What JSON escapes, what UTF-8 makes long, and what C takes for an end."""


def heartbeat(beat: int, replica: str = "a") -> Heartbeat:
    """Return a fact that is new each time it is reported."""
    return Heartbeat(replica=replica, beat=beat)


def payment(number: int, event_id: str = "evt_1") -> PaymentSucceeded:
    """Return a fact that is the same however often, and under whatever event, it is reported."""
    return PaymentSucceeded(
        payment_intent=f"pi_{number}", event_id=event_id, created_s=1_790_000_000, signed_s=1_790_000_001
    )


def observation_types() -> list[type]:
    """Return the type of every observation that a journal may hold."""
    return list(typing.get_args(Observation))


def sample(hint: object) -> typing.Any:
    """Return a value of the type, with every optional field there and text that is awkward."""
    arguments = typing.get_args(hint)
    match typing.get_origin(hint) or hint:
        case types.UnionType | typing.Union:
            return sample(next(argument for argument in arguments if argument is not type(None)))
        case builtins if builtins is tuple:
            return tuple(sample(argument) for argument in arguments if argument is not Ellipsis) * 2
        case builtins if builtins is dict:
            key, value = arguments
            return {sample(key): sample(value)}
        case type() as plain if issubclass(plain, enum.Enum):
            return list(plain)[-1]
        case type() as plain if issubclass(plain, msgspec.Struct):
            return plain(**{name: sample(field) for name, field in typing.get_type_hints(plain).items()})
        case type() as plain:
            return {str: AWKWARD_TEXT, int: 2**53 + 1, bool: True, float: 0.1, msgspec.Raw: msgspec.Raw(b'{"a":[1]}')}[
                plain
            ]
    raise AssertionError(hint)
