"""The table that this project exists for: timers beside push, measured, with the basis of every figure."""

import msgspec

from sidecar.core.policy import SCHEDULES, Mode
from sidecar.core.state import State
from sidecar.core.streams import PAYMENTS, proven_ratio


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One way of learning that a booking is paid."""

    worked: int
    judged: int
    """Payments that the figure is about."""
    reliability_ratio: float | None
    """From 0 to 1; None: nothing was judged yet."""
    reliability_basis: str
    requests_per_payment: int
    requests_basis: str
    lower_bound_ratio: float | None = None
    """What is proven in the present epoch; None where nothing is proven that way."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Timers beside push."""

    timers: Measured
    push: Measured


def comparison(state: State) -> Comparison:
    """Return the table as it stands now."""
    basis = "paid" if any(key.endswith("/paid") for key in state.tally.timers) else "push"
    timers_worked = state.tally.timers.get(f"true/{basis}", 0)
    timers_judged = timers_worked + state.tally.timers.get(f"false/{basis}", 0)
    stream = state.streams[PAYMENTS]
    push_worked, push_judged = stream.good_total, stream.good_total + stream.bad_total
    bound = None
    if state.policy is not None and not stream.awaits_epoch:
        bound = proven_ratio(stream, state.policy)
    return Comparison(
        timers=Measured(
            worked=timers_worked,
            judged=timers_judged,
            reliability_ratio=_ratio(timers_worked, timers_judged),
            reliability_basis={
                "paid": "the booking was committed within 5 s of the payment",
                "push": "the broadcast was seen within 5 s of the payment; the booking was committed before it",
            }[basis],
            requests_per_payment=SCHEDULES[Mode.TIMER_POLLING].requests_per_payment,
            requests_basis="by schedule",
        ),
        push=Measured(
            worked=push_worked,
            judged=push_judged,
            reliability_ratio=_ratio(push_worked, push_judged),
            reliability_basis=f"stage `{state.policy.stage if state.policy else '?'}` in time after the webhook",
            requests_per_payment=SCHEDULES[Mode.PUSH_ONLY].requests_per_payment,
            requests_basis="by schedule, at most",
            lower_bound_ratio=bound,
        ),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
