"""Outcomes, latency and servable modes over a chosen range, as plots and as a table.

The page is rendered on the event loop that receives webhooks, and each plot would sum the hours of a quarter again. So
the hours of the range are summed once, into pieces from which every plot can be drawn.
"""

import enum

import msgspec
from markupsafe import Markup

from sidecar.console import labels, plots
from sidecar.console.labels import moment
from sidecar.console.page.section import Cell, Table
from sidecar.console.scales import percentile_ms
from sidecar.core.facts.policy import Policy
from sidecar.core.fold.history import HOUR_MS, Hour, summed
from sidecar.core.fold.history_writer import hours
from sidecar.core.fold.state import State


class Range(enum.StrEnum):
    """How far back."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    ALL = "400d"


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    hours: int
    piece_h: int
    """Hours in one row of the figures; whole bars of the plots are made of these (`plots._bars`)."""


_RANGES = {
    Range.DAY: _Row(label="24 hours", hours=24, piece_h=1),
    Range.WEEK: _Row(label="7 days", hours=7 * 24, piece_h=2),
    Range.MONTH: _Row(label="30 days", hours=30 * 24, piece_h=12),
    Range.QUARTER: _Row(label="90 days", hours=90 * 24, piece_h=24),
    Range.ALL: _Row(label="400 days", hours=400 * 24, piece_h=7 * 24),
}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A range that may be chosen."""

    range: Range
    label: str
    is_chosen: bool


class OverTime(msgspec.Struct, frozen=True, kw_only=True):
    """All plots of one range."""

    choices: tuple[Choice, ...]
    label: str
    modes: Markup
    outcomes: Markup
    reliability: Markup
    latency: Markup
    figures: Table
    """Oldest first; times without a payment are left out."""
    summary: str


def over_time(state: State, now_ms: int, chosen: Range | None = None) -> OverTime | None:
    """Return the plots; None: nothing was recorded yet. Without a choice: the shortest range that shows all hours."""
    policy, history = state.policy, hours(state)
    if policy is None or not history:
        return None
    span = chosen or _fitting(history[0].hour, now_ms)
    row = _RANGES[span]
    first = (now_ms // HOUR_MS + 1 - row.hours) // row.piece_h * row.piece_h
    shown = _pieces([hour for hour in history if hour.hour >= first], row.piece_h)
    plot = plots.Plot(key="over-time", from_ms=first * HOUR_MS, until_ms=now_ms, events=state.history.events)
    return OverTime(
        choices=tuple(Choice(range=each, label=_RANGES[each].label, is_chosen=each is span) for each in Range),
        label=row.label,
        figures=Table(
            caption=f"Payments and latency in the last {row.label}",
            heads=_HEADS,
            rows=tuple(_figures(piece, state.history.edges_ms, now_ms) for piece in shown),
            numbers=frozenset(range(1, len(_HEADS))),
            is_caption_visible=False,
        ),
        summary=_summary(shown, row.label),
        **_plots(state, policy, plot, shown),
    )


def _plots(state: State, policy: Policy, plot: plots.Plot, shown: list[Hour]) -> dict[str, Markup]:
    def keyed(name: str) -> plots.Plot:
        return msgspec.structs.replace(plot, key=f"{plot.key}-{name}")

    edges_ms = state.history.edges_ms[-1] if state.history.edges_ms else []
    return {
        "modes": plots.responsive(lambda size: plots.modes(keyed("modes"), state.history.spans, size)),
        "outcomes": plots.responsive(lambda size: plots.outcomes(keyed("outcomes"), shown, size)),
        "reliability": plots.responsive(
            lambda size: plots.reliability(keyed("reliability"), shown, policy.reliability_ppm, size)
        ),
        "latency": plots.responsive(
            lambda size: plots.latency(keyed("latency"), shown, edges_ms, policy.on_time_within_ms, size)
        ),
    }


def _fitting(first: int, now_ms: int) -> Range:
    """Return the shortest range, up to a quarter, that shows all hours."""
    age = now_ms // HOUR_MS - first
    fits = (span for span in Range if age < _RANGES[span].hours and span is not Range.ALL)
    return next(fits, Range.QUARTER)


def _pieces(history: list[Hour], size: int) -> list[Hour]:
    """Return the outcomes and the latency of the hours, added up; a time without a payment has no piece."""
    pieces: dict[int, Hour] = {}
    for hour in history:
        counts = hour.outcomes
        if not (counts.judged or counts.unmeasured):
            continue
        number = hour.hour // size
        piece = pieces.get(number) or pieces.setdefault(number, Hour(hour=number * size))
        whole = piece.outcomes
        whole.on_time += counts.on_time
        whole.late += counts.late
        whole.missed += counts.missed
        whole.unmeasured += counts.unmeasured
        if hour.latency:
            is_newer = hour.edges != piece.edges or not piece.latency  # after a change of objective: by the new edges
            before = [0] * len(hour.latency) if is_newer else piece.latency
            piece.edges, piece.latency = (
                hour.edges,
                [mine + its for mine, its in zip(before, hour.latency, strict=True)],
            )
    return list(pieces.values())


_HEADS = ("from", "on time", "late", "missed", "unmeasured", "share on time", "50 % under", "95 % under")


def _figures(hour: Hour, edges_ms: list[list[int]], now_ms: int) -> tuple[Cell, ...]:
    counts, half, most = hour.outcomes, "", ""
    if hour.latency:
        edges = edges_ms[hour.edges]
        half, most = (labels.seconds(round(percentile_ms(edges, hour.latency, percent))) for percent in (50, 95))
    share = labels.ratio(counts.on_time / counts.judged if counts.judged else None, 1)
    numbers = [labels.count(each) for each in (counts.on_time, counts.late, counts.missed, counts.unmeasured)]
    begins = moment(hour.hour * HOUR_MS, now_ms)
    return (
        Cell(text=begins.text, moment=begins),
        *(Cell(text=text) for text in (*numbers, share, half, most)),
    )


def _summary(shown: list[Hour], label: str) -> str:
    counts = summed(shown).outcomes
    if not counts.judged:
        return f"No payment was judged in the last {label}."
    of = f"{labels.count(counts.on_time)} of {labels.count(counts.judged)}"
    return f"In the last {label}, {of} judged payments were on time: {labels.ratio(counts.on_time / counts.judged)}."
