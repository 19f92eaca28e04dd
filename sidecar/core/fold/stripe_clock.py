"""When, on the journal's clock, can Stripe have made an event?

The problem: `created` is on Stripe's clock, in whole seconds, and an ack is stamped by the journal's. To compare the
two, the difference of the clocks is needed, and nothing measures it.

What we do: each delivery bounds it. Stripe signed it in the second `t` and it arrived later, so the journal's clock is
ahead by *at most* the arrival less `t`; the tightest bound of the last deliveries counts. It exceeds the difference by
no more than what the fastest of these deliveries took, and the fraction of a second that `t` leaves out: that is
`SLACK_MS`. So an event is never placed later than it can have been made while one delivery of the last ones took less
than a second.
"""

from sidecar.core.facts.observations import PaymentSucceeded
from sidecar.core.fold.state import State

DELIVERIES_MAX = 20
SLACK_MS = 2000
"""One second that `t` may leave out, and one for the way of the fastest delivery. Of 298 recorded deliveries 9 in 10
arrived within a second of `created` (298 test-mode deliveries of 2023, in the logs of a public repository)."""


def delivered(state: State, fact: PaymentSucceeded) -> None:
    """Add the bound of a delivery that has just arrived."""
    if fact.signed_s is not None:
        state.stripe_ahead_ms = [*state.stripe_ahead_ms[1 - DELIVERIES_MAX :], state.now_ms - 1000 * fact.signed_s]


def jumped(state: State) -> None:
    """Forget the bounds: the journal's clock was set."""
    state.stripe_ahead_ms = []


def made_from_ms(state: State, fact: PaymentSucceeded) -> int | None:
    """Return the earliest moment on the journal's clock at which Stripe can have made an event; None: unknown."""
    ahead_ms = min(state.stripe_ahead_ms, default=None)
    return None if ahead_ms is None else 1000 * fact.created_s + ahead_ms - SLACK_MS


def was_made_in_gap(state: State, fact: PaymentSucceeded) -> bool:
    """Return whether Stripe may have made an event while the sidecar could receive no webhook."""
    from_ms = made_from_ms(state, fact)
    if from_ms is None:
        return False
    until_ms = from_ms + SLACK_MS + 1000  # `created` leaves out up to a second as well
    return any(
        from_ms <= gap_until_ms and gap_from_ms <= until_ms for gap_from_ms, gap_until_ms in state.visibility.gaps
    )
