"""The summary of a run: steps with times, moves of the flag, outcomes of payments, and the journal's digest."""

import hashlib
from pathlib import Path

import msgspec

from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State
from sidecar.demo.world.story import STEPS, Completed
from sidecar.journal.sqlite.verification import opened_to_read

_READ_MAX = 1_000


class StepSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One step; times are seconds of world time since the story began."""

    key: str
    title: str
    began_s: float
    done_s: float


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One move of the flag."""

    at_s: float
    from_rung: int
    to_rung: int
    cause: str


class JournalSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the journal."""

    records: int
    sha256: str
    """The digest of every record's number, stamp and body: the same for the same seed, headless and in memory."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of a run."""

    seed: int
    is_whole: bool
    """Whether every step completed."""
    failure: str
    """The step that did not complete, and why; empty: all did."""
    steps: tuple[StepSummary, ...]
    moves: tuple[Moved, ...]
    outcomes: dict[str, int]
    unmeasured: dict[str, int]
    epochs: dict[str, int]
    journal: JournalSummary


def summary_of(path: Path, *, seed: int, failure: str, completed: list[Completed]) -> Summary:
    """Return the summary, from the journal of the run."""
    state, digest, count, first_ms = State(), hashlib.sha256(), 0, 0
    with opened_to_read(path) as (_, reader):
        while records := reader.read(state.seq, _READ_MAX):
            for record in records:
                body = msgspec.json.encode(record.observation)
                digest.update(b"%d %d %s\n" % (record.seq, record.at_ms, body))
                fold(state, record)
                first_ms = first_ms or record.at_ms
                count += 1
    titles = {step.key: step.title for step in STEPS}

    def at_s(at_ms: int) -> float:
        return (at_ms - first_ms) / 1000

    return Summary(
        seed=seed,
        is_whole=not failure and len(completed) == len(STEPS),
        failure=failure,
        steps=tuple(
            StepSummary(key=each.key, title=titles[each.key], began_s=at_s(each.began_ms), done_s=at_s(each.done_ms))
            for each in completed
        ),
        moves=tuple(
            Moved(at_s=at_s(move.at_ms), from_rung=move.from_rung, to_rung=move.to_rung, cause=move.cause)
            for move in state.moves
        ),
        outcomes={str(outcome): number for outcome, number in state.tally.outcomes.items()},
        unmeasured={str(reason): number for reason, number in state.tally.unmeasured.items()},
        epochs={name: indicator.epoch for name, indicator in state.indicators.items()},
        journal=JournalSummary(records=count, sha256=digest.hexdigest()),
    )


def printed(summary: Summary) -> str:
    """Return the summary as text for a terminal."""
    lines = ["", "  The story, in the world's own time:", ""]
    for step in summary.steps:
        took_s = step.done_s - step.began_s
        lines.append(f"    ✓ {step.title:<32} {_clock(step.done_s):>9}   after {_clock(took_s)}")
    lines += [f"    ✗ {summary.failure}"] if summary.failure else []
    lines += ["", "  The flag:", ""]
    for move in summary.moves:
        lines.append(f"    {_clock(move.at_s):>9}   rung {move.from_rung} → {move.to_rung}: {move.cause}")
    outcomes = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(summary.outcomes.items()))
    lines += ["", f"  Payments: {outcomes}. {summary.journal.records} records, seed {summary.seed}.", ""]
    return "\n".join(lines)


def _clock(span_s: float) -> str:
    return f"{int(span_s) // 60} min {int(span_s) % 60:02} s"
