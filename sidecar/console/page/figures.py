"""Measured figures: timers compared with push, the outcomes of payments, and latencies."""

import msgspec

from sidecar.console import labels
from sidecar.console.page.section import Cell, Table, Tone
from sidecar.console.status import Status
from sidecar.core.facts.outcomes import Outcome
from sidecar.core.fold.state import Latency, State
from sidecar.core.release.comparison import Measured
from sidecar.wording import OUTCOMES


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One method by which a page learns that a booking is paid."""

    assumed_reliability: str
    """The assumption before the first measurement."""
    reliability: str
    of_payments: str
    reliability_basis: str
    proven: str
    """The proven lower bound; empty: none is proven."""
    assumed_requests: str
    requests: str
    requests_basis: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Timers compared with push."""

    timers: Method
    push: Method
    rescued: str
    """Payments that a poll cleared and push did not reach."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A latency distribution in labels."""

    count: str
    median: str
    most: str
    """95 % were within this."""
    mean: str


def comparison(status: Status) -> Comparison:
    """Return the comparison."""
    compared = status.comparison
    return Comparison(
        timers=_method(compared.timers, "about 90 %", "3"),
        push=_method(compared.push, "about 100 %", "1 extra at most"),
        rescued=labels.count(compared.rescued_by_poll),
    )


def _method(measured: Measured, assumed_reliability: str, assumed_requests: str) -> Method:
    bound = measured.lower_bound_ratio
    judged = f"{labels.count(measured.worked)} of {labels.count(measured.judged)} payments"
    return Method(
        assumed_reliability=assumed_reliability,
        reliability="not measured" if measured.reliability_ratio is None else labels.ratio(measured.reliability_ratio),
        of_payments=judged if measured.judged else "",
        reliability_basis=measured.reliability_basis,
        proven="" if bound is None else labels.ratio(bound),
        assumed_requests=assumed_requests,
        requests=f"{measured.requests_per_payment:.3g}",
        requests_basis=measured.requests_basis,
    )


_TONES = {
    Outcome.ON_TIME: Tone.GOOD,
    Outcome.LATE: Tone.WAIT,
    Outcome.MISSED: Tone.BAD,
    Outcome.UNMEASURED: Tone.BLIND,
}


def outcomes(state: State) -> Table:
    """Return how payments ended since the journal began."""
    counts = state.tally.outcomes
    whole = sum(counts.get(outcome, 0) for outcome in Outcome)
    rows = []
    for outcome in Outcome:
        count = counts.get(outcome, 0)
        ratio = count / whole if whole else None
        number = Cell(text=labels.count(count), aside=labels.ratio(ratio, 1), ratio=ratio or 0.0, tone=_TONES[outcome])
        rows.append((Cell(text=OUTCOMES[outcome].label, meaning=OUTCOMES[outcome].description), number))
    return Table(caption="How payments ended", heads=("outcome", "payments"), rows=tuple(rows))


def spread(latency: Latency) -> Spread | None:
    """Return the summary of a histogram; None: it is empty."""
    whole = sum(latency.counts)
    if not whole:
        return None
    return Spread(
        count=labels.count(whole),
        median=_within(latency, whole, 50),
        most=_within(latency, whole, 95),
        mean=f"{latency.sum_ms // whole} ms",
    )


def _within(latency: Latency, whole: int, percent: int) -> str:
    """Return the upper edge of the bucket with a percentile."""
    reached = 0
    for edge_ms, counted in zip(latency.edges_ms, latency.counts, strict=False):
        reached += counted
        if 100 * reached >= percent * whole:
            return f"under {labels.seconds(edge_ms)}"
    return f"over {labels.seconds(latency.edges_ms[-1])}"
