"""The console as one typed value: every word that the page shows; a template only places it."""

import msgspec

from sidecar.console.decisions import Page
from sidecar.console.labels import Moment, moment
from sidecar.console.page import figures, front, ladder, log, sources, verdict
from sidecar.console.page import operator_actions as actions
from sidecar.console.status import Status
from sidecar.core.fold.state import State
from sidecar.core.release.readiness import Readiness


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that the console shows but the plots, in the order in which it is asked."""

    environment: str
    flag: str
    seq: int
    """The last record that it knows."""
    now: Moment
    served: front.Served
    verdict: verdict.Verdict
    warnings: tuple[str, ...]
    actions: tuple[actions.Button, ...]
    ladder: ladder.Ladder
    table: figures.Table
    outcomes: tuple[figures.OutcomeRow, ...]
    spread: figures.Spread | None
    reverb: sources.Reverb | None
    payers: sources.Payers
    log: tuple[log.Line, ...]
    log_trouble: str
    """Why the log may be incomplete; empty: it is not."""
    unseen: sources.Unseen


def view_of(
    status: Status,
    state: State,
    *,
    decided: Page,
    asked: Readiness,
    log_trouble: str = "",
) -> View:
    """Return the console for a status and the state that it was read from; `decided`: the last of what was."""
    return View(
        environment=status.environment,
        flag=status.flag,
        seq=state.seq,
        now=moment(status.now_ms, status.now_ms),
        served=front.served_now(status, state),
        verdict=verdict.verdict(status, state, asked),
        warnings=status.warnings,
        actions=actions.buttons(status, state),
        ladder=ladder.ladder(status),
        table=figures.table(status),
        outcomes=figures.outcomes(state),
        spread=figures.spread(state.tally.latency),
        reverb=sources.reverb(status, state),
        payers=sources.payers(status, state),
        log=log.lines(decided, state.history.events, status.now_ms),
        log_trouble=log_trouble,
        unseen=sources.unseen(status, state),
    )
