"""Which share of the payers answered at all? Silence is not proof.

The problem: a browser that cannot report, or that blocks the reports, is no bad vote. If 95 % of the payers say
nothing, the indicators of payers are proven by the rest.

What we do: of the succeeded payments with a payer present, count those whose payer answered: in `reach` by any report,
also one that the page was closed, and in `user_auth` by any answer to the payer's channel request within an hour, or
an `ok` within 24 hours.
`push_only` needs `policy.payer_coverage`; when it is served and less than half of that answers, push is suspended
until three quarters do. The window is that of `core.statistics.coverage`. A payment without a user, without a payer, or
with a webhook that Stripe delivered late is not counted.
"""

from sidecar.core.facts.policy import PPM, Mode, Policy
from sidecar.core.fold.state import State
from sidecar.core.statistics.coverage import SUSPEND_FROM, Coverage
from sidecar.core.statistics.indicators import OF_PAYERS, REACH, USER_AUTH, row_of

SUSPENDS_BELOW = (1, 2)
"""Of the required share: below it push is suspended."""
RESUMES_FROM = (3, 4)
"""Of the required share: from it on push resumes. Half way, so that one silent payer more or less does not flap."""


def add(state: State, *, is_authorised: bool, is_reported: bool) -> None:
    """Count a payment, and whether its payer answered."""
    for name, is_answered in ((USER_AUTH, is_authorised), (REACH, is_reported)):
        state.payer_coverage[name].add(is_judged=is_answered, at_ms=state.now_ms)
        state.flag.guard_version += not is_answered


def forget(state: State) -> None:
    """Drop what has left the window."""
    for coverage in state.payer_coverage.values():
        if coverage.forget(state.now_ms):
            state.flag.guard_version += 1


def forget_all(state: State) -> None:
    """Begin anew: what an outcome means was changed, and with it perhaps who a user is."""
    for name in OF_PAYERS:
        state.payer_coverage[name] = Coverage()
    for entry in state.paid.values():
        entry.is_covered = False


def required(policy: Policy) -> tuple[str, ...]:
    """Return the indicators whose payers must answer before `push_only`."""
    if not policy.payer_coverage_ppm:
        return ()
    return tuple(name for name in OF_PAYERS if Mode.PUSH_ONLY in row_of(name).needed_for(policy))


def update(state: State, policy: Policy) -> None:
    """Note whether too few payers answer on `push_only`, or enough again."""
    rung, visibility = state.rung, state.visibility
    if rung is None or rung.mode is not Mode.PUSH_ONLY:
        visibility.is_payer_coverage_low = False
        return
    part, whole = RESUMES_FROM if visibility.is_payer_coverage_low else SUSPENDS_BELOW
    limit_ppm = policy.payer_coverage_ppm * part // whole
    counts = [state.payer_coverage[name].counts() for name in required(policy)]
    visibility.is_payer_coverage_low = any(
        total >= SUSPEND_FROM and answered * PPM < limit_ppm * total for answered, total in counts
    )
