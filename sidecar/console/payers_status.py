"""What the payers' browsers report, and which share of the payers answers at all."""

import msgspec

from sidecar.core.facts.outcomes import NoPayer, ReportOutcome
from sidecar.core.facts.policy import Policy
from sidecar.core.facts.reports import Flow
from sidecar.core.fold import payer_coverage
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import REACH


class PayerCoverageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The payer coverage of one indicator, over the larger of 24 hours and the last 200 payments."""

    indicator: str
    answered: int
    """Payments whose payer answered, of `payments` with a payer present."""
    payments: int
    is_required: bool
    """Whether `push_only` needs it."""


class PayersStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The reports of payers' browsers."""

    reports: dict[ReportOutcome, int]
    coverage: tuple[PayerCoverageStatus, ...]
    """Which share of the payers answers."""
    no_payer: dict[NoPayer, int]
    """Payments for which no payer waits, as Stripe's event shows; they are not in the coverage."""
    on_rung: dict[Flow, int]
    """Payers who were served the current rung and reported."""
    reporters: int
    """Users behind the bad reports since the alarm last stood at zero; an alarm needs five."""
    cleared: dict[str, int]
    """How alerts were cleared, by `mode/what`."""
    rescued_by_poll: int


def payers_status_of(state: State, policy: Policy) -> PayersStatus:
    """Return what is known of the payers."""
    required = payer_coverage.required(policy)
    counts = {name: coverage.counts() for name, coverage in state.payer_coverage.items()}
    return PayersStatus(
        reports=state.tally.reports,
        coverage=tuple(
            PayerCoverageStatus(indicator=name, answered=answered, payments=payments, is_required=name in required)
            for name, (answered, payments) in counts.items()
        ),
        no_payer=state.tally.no_payer,
        on_rung=state.flag.payers,
        reporters=len(state.indicators[REACH].reporters),
        cleared=state.tally.cleared,
        rescued_by_poll=state.tally.rescued,
    )
