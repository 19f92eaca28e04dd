"""The table that the project exists for, measured: timers beside push. And how long the news takes."""

import msgspec

from sidecar.console import labels as words
from sidecar.console.status import Status
from sidecar.core.decision.gates import duration
from sidecar.core.facts.outcomes import Outcome
from sidecar.core.fold.state import Latency, State
from sidecar.core.release.comparison import Measured


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way of learning that a booking is paid."""

    assumed_reliability: str
    """What was said before anybody had measured."""
    reliability: str
    of_payments: str
    reliability_basis: str
    proven: str
    """The lower bound that is proven now; empty: nothing is proven that way."""
    assumed_requests: str
    requests: str
    requests_basis: str


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Timers beside push."""

    timers: Way
    push: Way
    rescued: str
    """Payments that a poll cleared and push did not reach."""


class OutcomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """How many payments ended in one way."""

    outcome: Outcome
    name: str
    count: str
    share_ratio: float
    share: str


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A latency distribution in words."""

    count: str
    median: str
    most: str
    """95 % were within this."""
    mean: str


def table(status: Status) -> Table:
    """Return the table as it stands now."""
    compared = status.comparison
    return Table(
        timers=_way(compared.timers, "about 90 %", "3"),
        push=_way(compared.push, "about 100 %", "1 extra at most"),
        rescued=words.count(compared.rescued_by_poll),
    )


def _way(measured: Measured, assumed_reliability: str, assumed_requests: str) -> Way:
    bound = measured.lower_bound_ratio
    judged = f"{words.count(measured.worked)} of {words.count(measured.judged)} payments"
    return Way(
        assumed_reliability=assumed_reliability,
        reliability="not measured" if measured.reliability_ratio is None else words.ratio(measured.reliability_ratio),
        of_payments=judged if measured.judged else "",
        reliability_basis=measured.reliability_basis,
        proven="" if bound is None else words.ratio(bound),
        assumed_requests=assumed_requests,
        requests=f"{measured.requests_per_payment:.3g}",
        requests_basis=measured.requests_basis,
    )


def outcomes(state: State) -> tuple[OutcomeRow, ...]:
    """Return how payments ended, judged or not, since the journal began."""
    told = state.tally.outcomes
    whole = sum(told.get(outcome, 0) for outcome in Outcome)
    return tuple(
        OutcomeRow(
            outcome=outcome,
            name=words.name(outcome),
            count=words.count(told.get(outcome, 0)),
            share_ratio=told.get(outcome, 0) / whole if whole else 0.0,
            share=words.ratio(told.get(outcome, 0) / whole if whole else None, 1),
        )
        for outcome in Outcome
    )


def spread(latency: Latency) -> Spread | None:
    """Return what a histogram says; None: it is empty."""
    whole = sum(latency.counts)
    if not whole:
        return None
    return Spread(
        count=words.count(whole),
        median=_within(latency, whole, 50),
        most=_within(latency, whole, 95),
        mean=f"{latency.sum_ms // whole} ms",
    )


def _within(latency: Latency, whole: int, percent: int) -> str:
    """Return the upper edge of the bucket that holds a percentile: a histogram knows no better."""
    reached = 0
    for edge_ms, counted in zip(latency.edges_ms, latency.counts, strict=False):
        reached += counted
        if 100 * reached >= percent * whole:
            return f"under {edge(edge_ms)}"
    return f"over {edge(latency.edges_ms[-1])}"


def edge(edge_ms: int) -> str:
    """Return the edge of a bucket: `250 ms`, `2.5 s`."""
    if edge_ms < 1000:  # noqa: PLR2004 - a second
        return f"{edge_ms} ms"
    return f"{edge_ms / 1000:g} s" if edge_ms < 60_000 else duration(edge_ms)  # noqa: PLR2004 - a minute
