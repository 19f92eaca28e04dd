"""The table that this project exists for: timers compared with push, with the basis of every figure."""

import msgspec

from sidecar.core.facts.policy import SCHEDULES, Mode
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import PAYMENTS, proven_ratio

_PUSH = tuple(mode for mode in Mode if mode is not Mode.TIMER_POLLING)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One way of learning that a booking is paid."""

    worked: int
    judged: int
    """Payments that the figure is about."""
    reliability_ratio: float | None
    """From 0 to 1; None: nothing was judged yet."""
    reliability_basis: str
    requests_per_payment: float
    """Measured by payers' browsers where they report, else by the schedule."""
    requests_basis: str
    lower_bound_ratio: float | None = None
    """What is proven in the present epoch; None where nothing is proven that way."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Timers compared with push."""

    timers: Measured
    push: Measured
    rescued_by_poll: int
    """Payments whose alert a poll cleared and which push did not reach, by the reports of their browsers."""


def comparison(state: State) -> Comparison:
    """Return the table as it stands now."""
    basis = "paid" if any(key.endswith("/paid") for key in state.tally.timers) else "push"
    timers_worked = state.tally.timers.get(f"true/{basis}", 0)
    timers_judged = timers_worked + state.tally.timers.get(f"false/{basis}", 0)
    indicator = state.indicators[PAYMENTS]
    push_worked, push_judged = indicator.good_total, indicator.good_total + indicator.bad_total
    bound = None
    if state.policy is not None and not indicator.awaits_epoch:
        bound = proven_ratio(indicator, state.policy)
    return Comparison(
        timers=Measured(
            worked=timers_worked,
            judged=timers_judged,
            reliability_ratio=_ratio(timers_worked, timers_judged),
            reliability_basis={
                "paid": "the booking was committed within 5 s of the payment",
                "push": "the broadcast was received within 5 s of the payment; the booking was committed before it",
            }[basis],
            requests_per_payment=_requests(state, (Mode.TIMER_POLLING,)),
            requests_basis=_requests_basis(state, (Mode.TIMER_POLLING,), "by schedule"),
        ),
        push=Measured(
            worked=push_worked,
            judged=push_judged,
            reliability_ratio=_ratio(push_worked, push_judged),
            reliability_basis=f"stage `{state.policy.stage if state.policy else '?'}` in time after the webhook",
            requests_per_payment=_requests(state, _PUSH),
            requests_basis=_requests_basis(state, _PUSH, "by schedule, at most"),
            lower_bound_ratio=bound,
        ),
        rescued_by_poll=state.tally.rescued,
    )


def _requests(state: State, modes: tuple[Mode, ...]) -> float:
    """Return how many refetches a payment in one of these modes costs."""
    payments = _reported(state, modes)
    if not payments:
        return float(SCHEDULES[modes[-1]].requests_per_payment)
    return sum(state.tally.refetches.get(mode, 0) for mode in modes) / payments


def _requests_basis(state: State, modes: tuple[Mode, ...], else_: str) -> str:
    payments = _reported(state, modes)
    return f"measured by payers' browsers, in {payments} payments" if payments else else_


def _reported(state: State, modes: tuple[Mode, ...]) -> int:
    return sum(state.tally.reported.get(mode, 0) for mode in modes)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
