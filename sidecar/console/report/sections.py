"""The report in words: sections with facts and tables, which a page and a Markdown file only lay out."""

from collections.abc import Iterator

import msgspec

from sidecar.console import gate_text as verdicts
from sidecar.console import labels as words
from sidecar.console.plots import seconds
from sidecar.console.report.report import Bound, Report, Way
from sidecar.console.scales import percentile_ms
from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import PPM, Mode
from sidecar.core.fold.history import Condition, EventKind, TimelineEvent
from sidecar.core.release.readiness import Answer
from sidecar.wording import MODES, UNMEASURED

ROWS_MAX = 200
"""Of one table; the newest. What is left out is counted."""
_METHOD = (
    "The reliability that is proven is the lower end of a confidence sequence: the capital of a bettor who bets, "
    "payment after payment, that push is better than a given reliability could not have grown so much if it were "
    "worse, except with the probability that `false_promotion_risk` allows, however often one looks (Ville's "
    "inequality; Waudby-Smith and Ramdas 2024). It is of the present epoch alone: after a fall, a reset, or a change "
    "of what an outcome means, the proof begins anew with less of that risk left to spend. The worst case counts every "
    "payment that could not be judged as failed."
)
_SERVABLE = "By the state alone. Suspended time is time on timers, and in their figure too."
_ORIGIN = (
    "Everything above is read from the state that folding the journal up to this record gives. `sidecar verify` checks "
    "the chain of decisions, actions and policies; its head is noted here, so that a later change is found."
)
_PASSES = {True: "yes", False: "no", None: "cannot be known"}
_WHY = {str(why): words.description for why, words in UNMEASURED.items()}
_TIME = "Times are UTC, on the journal's clock."


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows under heads. The first column names the row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    """Columns that hold numbers."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the report."""

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    plots: tuple[str, ...] = ()
    """Names of the plots that belong to it; a file without plots leaves them out."""


def sections(told: Report) -> tuple[Section, ...]:
    """Return all parts, in the order in which a release manager asks."""
    return (
        _verdict(told),
        _period(told),
        _compared(told),
        _served(told),
        _outcomes(told),
        _latency(told),
        _bounds(told),
        _sources(told),
        _conditions_asked(told),
        *_events(told),
        _unmeasured(told),
        _policy(told),
        _record(told),
    )


def title(told: Report) -> str:
    """Return what the file is called."""
    return f"{told.flag} in {told.environment}: {_date(told.from_ms)} to {_date(told.until_ms)}"


def _verdict(told: Report) -> Section:
    found = told.verdict
    reasons = tuple(verdicts.reason(check, found.now_ms) for check in found.against)
    last = verdicts.again(found)
    return Section(
        key="verdict",
        title="May the timers go?",
        paragraphs=(
            f"{verdicts.headline(found)}.",
            *(words.sentence(reason) for reason in reasons),
            *([last] if last else []),
        ),
    )


def _conditions_asked(told: Report) -> Section:
    rows = tuple(
        (words.name(check.name), check.value, check.target, _PASSES[check.passes]) for check in told.verdict.checks
    )
    return Section(
        key="conditions",
        title="Every condition that was asked",
        table=Table(heads=("condition", "is", "asked", "holds"), rows=rows),
    )


def _period(told: Report) -> Section:
    is_short = told.complete_from_ms > told.from_ms
    facts = [
        ("Environment", told.environment + ("" if told.is_livemode else " (test payments)")),
        ("Flag", told.flag),
        ("From", _moment(told.from_ms)),
        ("Until", _moment(told.until_ms)),
    ]
    if is_short:
        facts.append(("Known from", f"{_moment(told.complete_from_ms)}: the history is no older"))
    if told.policy.reach_not_required is not None:
        facts.append(("Payers' reports", f"not required: {told.policy.reach_not_required}"))
    if told.policy.dry_run:
        facts.append(("Dry run", "everything was decided and recorded, and nobody was served push"))
    return Section(key="period", title="Period", paragraphs=(_TIME,), facts=tuple(facts))


def _compared(told: Report) -> Section:
    timers, push = told.timers, told.push
    rows = (
        ("worked", _share(timers), _share(push)),
        ("of payments", _of(timers.worked, timers.judged), _of(push.worked, push.judged)),
        ("requests per payment", _requests(timers), _requests(push)),
        ("how this is known", timers.basis, push.basis),
    )
    return Section(
        key="compared",
        title="Timers beside push",
        paragraphs=(f"Payments that a poll cleared and push did not reach: {words.count(told.whole.rescued)}.",),
        table=Table(heads=("measured", "timers", "push"), rows=rows),
    )


def _served(told: Report) -> Section:
    times = told.times
    facts = [
        (f"{MODES[mode].label} for everybody", _time(times.for_all_ms.get(mode, 0), times.known_ms))
        for mode in reversed(Mode)
    ]
    names = {Condition.REVERB_UNSTABLE: "Reverb unstable", Condition.SUSPENDED: "Suspended", Condition.BLIND: "Blind"}
    facts += [(name, _time(times.conditions_ms.get(condition, 0), times.known_ms)) for condition, name in names.items()]
    return Section(
        key="served", title="What was servable", paragraphs=(_SERVABLE,), facts=tuple(facts), plots=("modes",)
    )


def _outcomes(told: Report) -> Section:
    outcomes, whole = told.whole.outcomes, told.whole
    every = outcomes.judged + whole.uncovered
    facts = (
        ("Succeeded", words.count(whole.succeeded)),
        ("On time", words.count(outcomes.on_time)),
        ("Late", words.count(outcomes.late)),
        ("Missed", words.count(outcomes.missed)),
        ("Unmeasured", words.count(outcomes.unmeasured)),
        ("Coverage", f"{_of(outcomes.judged, every)} could be judged ({words.ratio(outcomes.judged / every)})")
        if every
        else ("Coverage", "no payment"),
    )
    return Section(key="outcomes", title="Payments", facts=facts, plots=("outcomes",))


def _latency(told: Report) -> Section:
    edges, counts = told.latency_edges_ms, told.whole.latency
    if not counts:
        return Section(key="latency", title="Latency", paragraphs=("No payment has been judged in this period.",))
    whole = sum(counts)
    within = [seconds(round(percentile_ms(edges, counts, percent))) for percent in (50, 95, 99)]
    said = (
        f"From the webhook to the first ack of stage {told.policy.stage}: half of the payments "
        f"within about {within[0]}, "
        f"95 % within about {within[1]}, 99 % within about {within[2]}. "
        f"On time is under {seconds(told.policy.on_time_within_ms)}."
    )
    names = [f"under {seconds(edge)}" for edge in edges] + [f"{seconds(edges[-1])} and more"]
    rows = tuple(
        (name, words.count(count), words.ratio(count / whole)) for name, count in zip(names, counts, strict=True)
    )
    return Section(
        key="latency",
        title="Latency",
        paragraphs=(said,),
        table=Table(heads=("bucket", "payments", "share"), rows=rows, numbers=frozenset({1, 2})),
        plots=("latency", "histogram"),
    )


def _bounds(told: Report) -> Section:
    heads = ("indicator", "good", "bad", "unmeasured", "proven", "worst case", "asked", "epoch")
    return Section(
        key="bounds",
        title="What is proven",
        paragraphs=(_METHOD,),
        table=Table(heads=heads, rows=tuple(_bound(bound) for bound in told.bounds), numbers=frozenset(range(1, 7))),
    )


def _bound(bound: Bound) -> tuple[str, ...]:
    return (
        words.name(bound.indicator),
        words.count(bound.good),
        words.count(bound.bad),
        words.count(bound.unmeasured),
        words.ratio(bound.lower_bound_ratio),
        words.ratio(bound.worst_case_ratio),
        words.ratio(bound.target_ratio),
        f"{bound.epoch}, since {_moment(bound.since_ms)}" if bound.since_ms else str(bound.epoch),
    )


def _sources(told: Report) -> Section:
    whole = told.whole
    auth_probes, trips = whole.auth_probes_ok + whole.auth_probes_bad, whole.round_trips_ok + whole.round_trips_bad
    votes = whole.reach_good + whole.reach_bad
    facts = (
        (
            "AuthProbes of the probe user",
            f"{_of(whole.auth_probes_ok, auth_probes)} reached their channel" if auth_probes else "none",
        ),
        ("Round trips", f"{_of(whole.round_trips_ok, trips)} came back" if trips else "none"),
        ("Payers' votes", f"{_of(whole.reach_good, votes)} say that push reached them" if votes else "none"),
        ("Payments with a report", words.count(sum(whole.reported))),
    )
    return Section(key="sources", title="Reverb and payers", facts=facts)


def _events(told: Report) -> Iterator[Section]:
    moves = [event for event in told.events if event.kind in {EventKind.MOVED, EventKind.FELL}]
    yield _listed("moves", "Moves of the flag", moves, "The flag did not move.")
    yield _conditions(told, Condition.REVERB_UNSTABLE, "suspensions", "Reverb unstable", "Reverb was never unstable.")
    yield _conditions(told, Condition.SUSPENDED, "other_suspensions", "Other suspensions", "There was none.")
    yield _conditions(told, Condition.BLIND, "blind", "Nothing seen", "There was no time in which nothing was seen.")
    alarms = [event for event in told.events if event.kind in {EventKind.ALARM_RAISED, EventKind.ALARM_ENDED}]
    yield _listed("alarms", "Alarms", alarms, "There was no alarm.")
    releases = [event for event in told.events if event.kind is EventKind.RELEASE]
    yield _listed("releases", "Releases", releases, "No release was named in this period.")
    actions = [event for event in told.events if event.kind in {EventKind.ACTION, EventKind.POLICY}]
    yield _listed("actions", "Acts of people, and policies", actions, "Nobody acted, and no policy was adopted.")


def _listed(key: str, name: str, events: list[TimelineEvent], none: str) -> Section:
    rows = tuple(
        (_moment(event.at_ms), words.name(event.kind), event.detail, f"#{event.seq}") for event in events[-ROWS_MAX:]
    )
    return _tabled(key, name, ("when", "what", "detail", "record"), rows, len(events), none)


def _conditions(told: Report, condition: Condition, key: str, name: str, none: str) -> Section:
    reasons = {event.at_ms: event.detail for event in told.events if event.kind is EventKind.SUSPENSION_BEGAN}
    ends = [*(span.at_ms for span in told.spans[1:]), told.until_ms]
    found = [
        (max(span.at_ms, told.from_ms), end, span.at_ms)
        for span, end in zip(told.spans, ends, strict=False)
        if span.condition is condition
    ]
    has_reasons = any(at_ms in reasons for _, _, at_ms in found)
    rows = tuple(
        (_moment(began), duration(end - began), *([words.name(reasons.get(at_ms, ""))] if has_reasons else []))
        for began, end, at_ms in found[-ROWS_MAX:]
    )
    spent = f" {duration(sum(end - began for began, end, _ in found))} together." if found else ""
    section = _tabled(key, name, ("from", "for", "why") if has_reasons else ("from", "for"), rows, len(found), none)
    return msgspec.structs.replace(section, paragraphs=(section.paragraphs[0] + spent, *section.paragraphs[1:]))


def _tabled(
    key: str, name: str, heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...], count: int, none: str
) -> Section:
    said = none if not count else f"{words.count(count)} in this period."
    if count > ROWS_MAX:
        said = f"{words.count(count)} in this period; the last {ROWS_MAX} are listed."
    return Section(key=key, title=name, paragraphs=(said,), table=Table(heads=heads, rows=rows) if rows else None)


def _unmeasured(told: Report) -> Section:
    counted = sorted(told.whole.unmeasured.items(), key=lambda each: -each[1])
    rows = [(words.name(why), words.count(count), _WHY.get(why, "")) for why, count in counted]
    if told.whole.contradicted:
        rows.append(("contradicted", words.count(told.whole.contradicted), "the filter left it out, and it got an ack"))
    return Section(
        key="unmeasured",
        title="What could not be measured",
        paragraphs=() if rows else ("Every payment could be judged.",),
        table=Table(heads=("reason", "payments", "what it means"), rows=tuple(rows), numbers=frozenset({1}))
        if rows
        else None,
    )


def _policy(told: Report) -> Section:
    policy = told.policy
    facts = [
        ("Hash", told.policy_hash),
        ("Deciding stage", policy.stage),
        ("On time", f"under {seconds(policy.on_time_within_ms)}"),
        ("Reliability asked", words.ratio(policy.reliability_ppm / PPM)),
        ("False promotion risk", words.ratio(policy.false_promotion_risk_ppm / PPM)),
        ("Unacceptable reliability", words.ratio(policy.unacceptable_reliability_ppm / PPM)),
        ("Coverage asked", words.ratio(policy.coverage_ppm / PPM)),
        ("Lifecycle", policy.lifecycle),
        *((f"Rung {number}", words.rung(rung)) for number, rung in enumerate(policy.ladder)),
    ]
    return Section(key="policy", title="Policy in force", facts=tuple((name, str(value)) for name, value in facts))


def _record(told: Report) -> Section:
    return Section(
        key="record",
        title="Where this comes from",
        paragraphs=(_ORIGIN,),
        facts=(
            ("Record", f"#{told.seq}"),
            ("Chain's head", told.chain or "none yet"),
            ("Sidecar", f"{told.version} (fold {told.fold_version})"),
        ),
    )


def tone(told: Report) -> str:
    """Return in which colour the verdict is shown."""
    return {Answer.YES: "good", Answer.NOT_YET: "wait", Answer.CANNOT_KNOW: "bad"}[told.verdict.answer]


def _share(way: Way) -> str:
    return words.ratio(way.worked / way.judged) if way.judged else "not measured"


def _of(part: int, whole: int) -> str:
    return f"{words.count(part)} of {words.count(whole)}"


def _requests(way: Way) -> str:
    if not way.reported:
        return f"{way.scheduled} (by schedule)"
    return f"{way.requests / way.reported:.3g} (measured in {words.count(way.reported)})"


def _time(spent_ms: int, whole_ms: int) -> str:
    return f"{duration(spent_ms)} ({words.ratio(spent_ms / whole_ms)})" if whole_ms else "0 s"


def _moment(at_ms: int) -> str:
    return words.moment(at_ms, at_ms).text


def _date(at_ms: int) -> str:
    return _moment(at_ms).partition(",")[0]
