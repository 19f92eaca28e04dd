"""The sections of the report, as text and tables; the HTML page and the Markdown file lay them out."""

from collections.abc import Iterator

import msgspec

from sidecar.console import gate_text as verdicts
from sidecar.console import labels
from sidecar.console.report.report import Method, Report
from sidecar.console.scales import percentile_ms
from sidecar.console.status import IndicatorStatus
from sidecar.core.decision.gates import duration
from sidecar.core.facts.outcomes import Unmeasured
from sidecar.core.facts.policy import PPM, Mode
from sidecar.core.fold.history import Condition, EventKind, TimelineEvent
from sidecar.core.release.readiness import Answer
from sidecar.wording import CHECKS, MODES, UNMEASURED

ROWS_MAX = 200
"""Of one table; the newest. What is left out is counted."""
_METHOD = (
    "The proven reliability is the lower bound of a betting confidence sequence (Ville's inequality; Waudby-Smith and "
    "Ramdas 2024). It is wrong with a probability of at most `false_promotion_risk`, however often it is read. It is "
    "based on the present epoch alone: a fall, a reset, or a change of what an outcome means begins a new epoch, with "
    "less of that risk left to spend. The worst case counts every unmeasured payment as failed."
)
_SERVABLE = "By the state alone. Suspended time counts as time on timers too."
_ORIGIN = (
    "This report is computed from the journal up to this record. `sidecar verify` checks the chain of decisions, "
    "actions and policies; with the head below it detects later changes."
)
_PASSES = {True: "yes", False: "no", None: "unknown"}
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


def sections(report: Report) -> tuple[Section, ...]:
    """Return all sections, the verdict first."""
    return (
        _verdict(report),
        _period(report),
        _compared(report),
        _served(report),
        _outcomes(report),
        _latency(report),
        _evidence(report),
        _sources(report),
        _checks(report),
        *_events(report),
        _unmeasured(report),
        _policy(report),
        _record(report),
    )


def title(report: Report) -> str:
    """Return the title of the report."""
    return f"{report.flag} in {report.environment}: {_date(report.from_ms)} to {_date(report.until_ms)}"


def _verdict(report: Report) -> Section:
    found = report.verdict
    reasons = tuple(verdicts.reason(check, found.now_ms) for check in found.against)
    last = verdicts.again(found)
    return Section(
        key="verdict",
        title="May the timers be removed?",
        paragraphs=(
            f"{verdicts.headline(found)}.",
            *(labels.sentence(reason) for reason in reasons),
            *([last] if last else []),
        ),
    )


def _checks(report: Report) -> Section:
    rows = tuple(
        (
            CHECKS[check.name].label,
            check.value,
            check.target,
            "information" if check.is_information else _PASSES[check.passes],
        )
        for check in report.verdict.checks
    )
    return Section(
        key="checks",
        title="All checks",
        table=Table(heads=("check", "value", "target", "passes"), rows=rows),
    )


def _period(report: Report) -> Section:
    is_short = report.complete_from_ms > report.from_ms
    facts = [
        ("Environment", report.environment + ("" if report.is_livemode else " (test payments)")),
        ("Flag", report.flag),
        ("From", _moment(report.from_ms)),
        ("Until", _moment(report.until_ms)),
    ]
    if is_short:
        facts.append(("Known from", f"{_moment(report.complete_from_ms)}: the history is not older"))
    if report.policy.reach_not_required is not None:
        facts.append(("Payers' reports", f"not required: {report.policy.reach_not_required}"))
    if report.policy.dry_run:
        facts.append(("Dry run", "decisions were recorded, and nobody was served push"))
    return Section(key="period", title="Period", paragraphs=(_TIME,), facts=tuple(facts))


def _compared(report: Report) -> Section:
    timers, push = report.timers, report.push
    rows = (
        ("reliability", _share(timers), _share(push)),
        ("of payments", _of(timers.worked, timers.judged), _of(push.worked, push.judged)),
        ("requests per payment", _requests(timers), _requests(push)),
        ("basis", timers.basis, push.basis),
    )
    return Section(
        key="compared",
        title="Timers compared with push",
        paragraphs=(f"Payments that a poll cleared and push did not reach: {labels.count(report.whole.rescued)}.",),
        table=Table(heads=("measured", "timers", "push"), rows=rows),
    )


def _served(report: Report) -> Section:
    times = report.times
    facts = [
        (f"{MODES[mode].label} for everybody", _time(times.for_all_ms.get(mode, 0), times.known_ms))
        for mode in reversed(Mode)
    ]
    names = {Condition.REVERB_UNSTABLE: "Reverb unstable", Condition.SUSPENDED: "Suspended", Condition.BLIND: "Blind"}
    facts += [(name, _time(times.conditions_ms.get(condition, 0), times.known_ms)) for condition, name in names.items()]
    return Section(key="served", title="Servable modes", paragraphs=(_SERVABLE,), facts=tuple(facts), plots=("modes",))


def _outcomes(report: Report) -> Section:
    outcomes, whole = report.whole.outcomes, report.whole
    every = outcomes.judged + whole.uncovered
    facts = (
        ("Succeeded", labels.count(whole.succeeded)),
        ("On time", labels.count(outcomes.on_time)),
        ("Late", labels.count(outcomes.late)),
        ("Missed", labels.count(outcomes.missed)),
        ("Unmeasured", labels.count(outcomes.unmeasured)),
        ("Coverage", f"{_of(outcomes.judged, every)} could be judged ({labels.ratio(outcomes.judged / every)})")
        if every
        else ("Coverage", "no payment"),
    )
    return Section(key="outcomes", title="Payments", facts=facts, plots=("outcomes",))


def _latency(report: Report) -> Section:
    edges, counts = report.latency_edges_ms, report.whole.latency
    if not counts:
        return Section(key="latency", title="Latency", paragraphs=("No payment was judged in this period.",))
    whole = sum(counts)
    within = [labels.seconds(round(percentile_ms(edges, counts, percent))) for percent in (50, 95, 99)]
    summary = (
        f"From the webhook to the first ack of stage {report.policy.stage}: 50 % of the payments "
        f"within about {within[0]}, "
        f"95 % within about {within[1]}, 99 % within about {within[2]}. "
        f"On time is under {labels.seconds(report.policy.on_time_within_ms)}."
    )
    names = [f"under {labels.seconds(edge)}" for edge in edges] + [f"{labels.seconds(edges[-1])} and more"]
    rows = tuple(
        (name, labels.count(count), labels.ratio(count / whole)) for name, count in zip(names, counts, strict=True)
    )
    return Section(
        key="latency",
        title="Latency",
        paragraphs=(summary,),
        table=Table(heads=("bucket", "payments", "share"), rows=rows, numbers=frozenset({1, 2})),
        plots=("latency", "histogram"),
    )


def _evidence(report: Report) -> Section:
    heads = ("indicator", "good", "bad", "unmeasured", "proven", "worst case", "target", "epoch")
    return Section(
        key="evidence",
        title="Evidence",
        paragraphs=(_METHOD,),
        table=Table(
            heads=heads, rows=tuple(_indicator(each) for each in report.indicators), numbers=frozenset(range(1, 7))
        ),
    )


def _indicator(each: IndicatorStatus) -> tuple[str, ...]:
    return (
        each.label,
        labels.count(each.good),
        labels.count(each.bad),
        labels.count(each.unmeasured),
        labels.ratio(each.lower_bound_ratio),
        labels.ratio(each.worst_case_ratio),
        labels.ratio(each.target_ratio),
        f"{each.epoch}, since {_moment(each.epoch_began_ms)}" if each.epoch_began_ms else str(each.epoch),
    )


def _sources(report: Report) -> Section:
    whole = report.whole
    auth_probes, trips = whole.auth_probes_ok + whole.auth_probes_bad, whole.round_trips_ok + whole.round_trips_bad
    votes = whole.reach_good + whole.reach_bad
    facts = (
        (
            "Auth probes of the probe user",
            f"{_of(whole.auth_probes_ok, auth_probes)} succeeded" if auth_probes else "none",
        ),
        ("Round trips", f"{_of(whole.round_trips_ok, trips)} succeeded" if trips else "none"),
        ("Payers' votes", f"{_of(whole.reach_good, votes)} report that push reached them" if votes else "none"),
        ("Payments with a report", labels.count(sum(whole.reported))),
    )
    return Section(key="sources", title="Reverb and payers", facts=facts)


def _events(report: Report) -> Iterator[Section]:
    moves = [event for event in report.events if event.kind in {EventKind.MOVED, EventKind.FELL}]
    yield _listed("moves", "Moves of the flag", moves, "The flag did not move.")
    yield _conditions(report, Condition.REVERB_UNSTABLE, "suspensions", "Reverb unstable", "Reverb was never unstable.")
    yield _conditions(
        report, Condition.SUSPENDED, "other_suspensions", "Other suspensions", "There were no other suspensions."
    )
    yield _conditions(report, Condition.BLIND, "blind", "Blind", "There was no visibility gap.")
    alarms = [event for event in report.events if event.kind in {EventKind.ALARM_RAISED, EventKind.ALARM_ENDED}]
    yield _listed("alarms", "Alarms", alarms, "There was no alarm.")
    releases = [event for event in report.events if event.kind is EventKind.RELEASE]
    yield _listed("releases", "Releases", releases, "No release was named in this period.")
    actions = [event for event in report.events if event.kind in {EventKind.ACTION, EventKind.POLICY}]
    yield _listed(
        "actions",
        "Operator actions and policies",
        actions,
        "There were no operator actions, and no policy was adopted.",
    )


def _listed(key: str, name: str, events: list[TimelineEvent], none: str) -> Section:
    rows = tuple(
        (_moment(event.at_ms), labels.name(event.kind), event.detail, f"#{event.seq}") for event in events[-ROWS_MAX:]
    )
    return _tabled(key, name, ("time", "event", "detail", "record"), rows, len(events), none)


def _conditions(report: Report, condition: Condition, key: str, name: str, none: str) -> Section:
    reasons = {event.at_ms: event.detail for event in report.events if event.kind is EventKind.SUSPENSION_BEGAN}
    ends = [*(span.at_ms for span in report.spans[1:]), report.until_ms]
    found = [
        (max(span.at_ms, report.from_ms), end, span.at_ms)
        for span, end in zip(report.spans, ends, strict=False)
        if span.condition is condition
    ]
    has_reasons = any(at_ms in reasons for _, _, at_ms in found)
    rows = tuple(
        (_moment(began), duration(end - began), *([labels.name(reasons.get(at_ms, ""))] if has_reasons else []))
        for began, end, at_ms in found[-ROWS_MAX:]
    )
    spent = f" {duration(sum(end - began for began, end, _ in found))} in total." if found else ""
    section = _tabled(
        key, name, ("from", "duration", "reason") if has_reasons else ("from", "duration"), rows, len(found), none
    )
    return msgspec.structs.replace(section, paragraphs=(section.paragraphs[0] + spent, *section.paragraphs[1:]))


def _tabled(
    key: str, name: str, heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...], count: int, none: str
) -> Section:
    summary = none if not count else f"{labels.count(count)} in this period."
    if count > ROWS_MAX:
        summary = f"{labels.count(count)} in this period; the last {ROWS_MAX} are listed."
    return Section(key=key, title=name, paragraphs=(summary,), table=Table(heads=heads, rows=rows) if rows else None)


def _unmeasured(report: Report) -> Section:
    counted = sorted(report.whole.unmeasured.items(), key=lambda each: -each[1])
    words = [(UNMEASURED[Unmeasured(why)], count) for why, count in counted]
    rows = [(each.label, labels.count(count), each.description) for each, count in words]
    if report.whole.contradicted:
        rows.append(
            (
                "contradicted",
                labels.count(report.whole.contradicted),
                "The payment is outside the filter, and got an ack.",
            )
        )
    return Section(
        key="unmeasured",
        title="Unmeasured payments",
        paragraphs=() if rows else ("Every payment was judged.",),
        table=Table(heads=("reason", "payments", "meaning"), rows=tuple(rows), numbers=frozenset({1}))
        if rows
        else None,
    )


def _policy(report: Report) -> Section:
    policy = report.policy
    facts = [
        ("Hash", report.policy_hash),
        ("Deciding stage", policy.stage),
        ("On time", f"under {labels.seconds(policy.on_time_within_ms)}"),
        ("Reliability target", labels.ratio(policy.reliability_ppm / PPM)),
        ("False promotion risk", labels.ratio(policy.false_promotion_risk_ppm / PPM)),
        ("Unacceptable reliability", labels.ratio(policy.unacceptable_reliability_ppm / PPM)),
        ("Coverage target", labels.ratio(policy.coverage_ppm / PPM)),
        ("Lifecycle", policy.lifecycle),
        *((f"Rung {number}", labels.rung(rung)) for number, rung in enumerate(policy.ladder)),
    ]
    return Section(key="policy", title="Policy in force", facts=tuple((name, str(value)) for name, value in facts))


def _record(report: Report) -> Section:
    return Section(
        key="record",
        title="Record",
        paragraphs=(_ORIGIN,),
        facts=(
            ("Record", f"#{report.seq}"),
            ("Head of the chain", report.chain or "none yet"),
            ("Sidecar", f"{report.version} (fold {report.fold_version})"),
        ),
    )


def tone(report: Report) -> str:
    """Return the tone of the verdict."""
    return {Answer.YES: "good", Answer.NOT_YET: "wait", Answer.CANNOT_KNOW: "bad"}[report.verdict.answer]


def _share(method: Method) -> str:
    return labels.ratio(method.worked / method.judged) if method.judged else "not measured"


def _of(part: int, whole: int) -> str:
    return f"{labels.count(part)} of {labels.count(whole)}"


def _requests(method: Method) -> str:
    if not method.reported:
        return f"{method.scheduled} (by schedule)"
    return f"{method.requests / method.reported:.3g} (measured in {labels.count(method.reported)})"


def _time(spent_ms: int, whole_ms: int) -> str:
    return f"{duration(spent_ms)} ({labels.ratio(spent_ms / whole_ms)})" if whole_ms else "0 s"


def _moment(at_ms: int) -> str:
    return labels.moment(at_ms, at_ms).text


def _date(at_ms: int) -> str:
    return _moment(at_ms).partition(",")[0]
