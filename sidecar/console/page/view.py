"""The console as one typed value; the templates lay it out."""

import msgspec

from sidecar.console.decisions import Page
from sidecar.console.labels import Moment, moment
from sidecar.console.page import figures, front, ladder, log, sources, verdict
from sidecar.console.page import operator_actions as actions
from sidecar.console.page.next_climb import NextClimb, next_climb
from sidecar.console.page.section import Section, Table
from sidecar.console.page.setup import SetupStep, missing
from sidecar.console.status import Status
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.state import State
from sidecar.core.release.readiness import Readiness
from sidecar.wording import MODES


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A mode that can be chosen."""

    mode: Mode
    label: str


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the console shows, except the plots."""

    environment: str
    flag: str
    seq: int
    """The last record that it includes."""
    now: Moment
    served: front.Served
    verdict: verdict.Verdict
    announcement: str
    """Both answers without times, for screen readers: the one text that is announced when it changes."""
    next_climb: NextClimb
    setup: tuple[SetupStep, ...]
    """What is not set up yet."""
    warnings: tuple[str, ...]
    modes: tuple[Choice, ...]
    """The modes that an override may choose."""
    actions: tuple[actions.Button, ...]
    ladder: ladder.Ladder
    comparison: figures.Comparison
    outcomes: Table
    spread: figures.Spread | None
    reverb: Section
    payers: Section
    log: tuple[log.LogLine, ...]
    log_trouble: str
    """Why the log may be incomplete; empty: it is not."""
    unmeasured: Section


def view_of(
    status: Status,
    state: State,
    *,
    decided: Page,
    asked: Readiness,
    log_trouble: str = "",
) -> View:
    """Return the console for a status and its state; `decided` are the last decisions."""
    served, judged = front.served_now(status, state), verdict.verdict(status, state, asked)
    return View(
        environment=status.environment,
        flag=status.flag,
        seq=state.seq,
        now=moment(status.now_ms, status.now_ms),
        served=served,
        verdict=judged,
        announcement=f"Served now: {served.headline}, {served.audience}. Timers may be removed: {judged.answer}.",
        next_climb=next_climb(status),
        setup=missing(state),
        warnings=status.warnings,
        modes=tuple(Choice(mode=mode, label=MODES[mode].label) for mode in reversed(Mode)),
        actions=tuple(actions.buttons(status, state)),
        ladder=ladder.ladder(status),
        comparison=figures.comparison(status),
        outcomes=figures.outcomes(state),
        spread=figures.spread(state.tally.latency),
        reverb=sources.reverb(status, state),
        payers=sources.payers(status, state),
        log=log.lines(decided, state.history.events, status.now_ms),
        log_trouble=log_trouble,
        unmeasured=sources.unmeasured(status, state),
    )
