"""The sections about sources: Reverb's probes, payers' browsers, and payments that cannot be measured."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from sidecar.causes import CAUSES, ROUND_TRIPS, Cause
from sidecar.console import labels
from sidecar.console.page.figures import spread
from sidecar.console.page.section import Cell, Fact, Line, Section, Table, Tone
from sidecar.console.status import ReverbStatus, Status
from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.policy import PPM
from sidecar.core.facts.reports import Family, Flow, Verdict
from sidecar.core.fold.state import State
from sidecar.wording import IGNORED, UNMEASURED

Name = TypeVar("Name", bound=str)

_USER_AUTHS = {
    UserAuth.OK: "The app authorised the user.",
    UserAuth.GUEST: "The user was not logged in: no cookie, the wrong guard, or an expired session.",
    UserAuth.NO_PATTERN: "No callback in routes/channels.php matches the channel.",
    UserAuth.REFUSED: "The channel's callback returned false.",
    UserAuth.BINDING: "A model in the channel's name was not found.",
    UserAuth.ABORT: "The callback, or a middleware before it, aborted.",
}
_STEPS = (
    (10, "connection"),
    (20, "TLS"),
    (30, "Reverb"),
    (50, "the app's response"),
    (66, "signature"),
    (70, "time"),
)
"""The step at which an auth probe ended, by the least exit code of the doctor."""
_ISOLATION = {
    None: ("not probed yet", Tone.BLIND),
    IsolationOutcome.REFUSED: ("refused, as required", Tone.GOOD),
    IsolationOutcome.ALLOWED: ("ALLOWED: users can listen to each other's payments", Tone.BAD),
    IsolationOutcome.UNKNOWN: ("unexpected response", Tone.GOOD),
}


def reverb(status: Status, state: State) -> Section:
    """Return the results of the probes."""
    found = status.reverb
    if found is None:
        text = "Reverb is not probed: `reverb` is not in the configuration."
        return Section(key="reverb", title="Reverb", lines=(Line(text=text, tone=Tone.BLIND),))
    isolation, isolation_tone = _ISOLATION[found.isolation]
    sockets = f"{_of(found.sockets_up, found.sockets)} subscribed" if found.sockets else "none yet"
    facts = [
        Fact(name="Observers", value=sockets),
        Fact(name="Isolation probes", value=isolation, tone=isolation_tone),
    ]
    trips = spread(state.tally.round_trip)
    if trips is not None:
        facts.append(Fact(name="Round trips", value=f"50 % {trips.median}, 95 % {trips.most}"))
    failed = found.last_auth_probe if found.last_auth_probe not in {None, AuthProbeOutcome.OK} else None
    return Section(
        key="reverb",
        title="Reverb",
        lines=(_probes(found, is_well=failed is None),),
        cause=found.cause,
        changes=CAUSES[failed].changes[:3] if failed else (),
        facts=tuple(facts),
        tables=(
            *_counts(
                "Channel auth of the probe user",
                "outcome",
                found.auth_probes,
                {key: cause.sentence for key, cause in CAUSES.items()},
                {key: _step(cause) for key, cause in CAUSES.items()},
            ),
            *_counts("Channel auth of all users, as the app reports", "outcome", found.user_auths, _USER_AUTHS),
            *_counts(
                "Round trips through Reverb",
                "outcome",
                found.round_trips,
                {key: cause.sentence for key, cause in ROUND_TRIPS.items()},
            ),
        ),
    )


def _probes(found: ReverbStatus, *, is_well: bool) -> Line:
    auth_probes, trips = sum(found.auth_probes.values()), sum(found.round_trips.values())
    if not auth_probes + trips:
        return Line(text="No probe has finished yet.", tone=Tone.BLIND)
    text = f"{_of(found.auth_probes.get(AuthProbeOutcome.OK, 0), auth_probes)} auth probes of the probe user and "
    text += f"{_of(found.round_trips.get(RoundTripOutcome.OK, 0), trips)} round trips succeeded."
    is_well = is_well and found.sockets_up == found.sockets and found.isolation is not IsolationOutcome.ALLOWED
    return Line(text=text, tone=Tone.GOOD if is_well else Tone.BAD)


def _step(cause: Cause) -> str:
    return next((step for code, step in reversed(_STEPS) if cause.exit_code >= code), "complete")


def _counts(
    caption: str,
    head: str,
    counted: Mapping[Name, int],
    meanings: Mapping[Name, str],
    asides: Mapping[Name, str] | None = None,
) -> Iterator[Table]:
    """Yield a table of how often each outcome occurred, the most frequent first; none if none occurred."""
    whole = sum(counted.values())
    if not whole:
        return
    rows = []
    for name, count in sorted(counted.items(), key=lambda each: -each[1]):
        tone = Tone.GOOD if name == AuthProbeOutcome.OK else Tone.BAD
        named = Cell(text="", code=name, icon=tone, aside=(asides or {}).get(name, ""), meaning=meanings.get(name, ""))
        rows.append((named, Cell(text=labels.count(count), ratio=count / whole, tone=tone)))
    yield Table(caption=caption, heads=(head, "count"), rows=tuple(rows))


def _of(part: int, whole: int) -> str:
    return f"{labels.count(part)} of {labels.count(whole)}"


def payers(status: Status, state: State) -> Section:
    """Return what payers' browsers report, by flow and browser family."""
    found = status.payers
    waived = state.policy.reach_not_required if state.policy is not None else None
    rows = tuple(_reach(state))
    lines = []
    if waived:
        lines.append(Line(text=f"Reports of payers' browsers are not required: {waived}"))
    elif not rows:
        lines.append(Line(text="No payer's browser has reported yet.", tone=Tone.BLIND))
    reports = labels.joined([f"{labels.count(n)} {labels.name(outcome)}" for outcome, n in found.reports.items()])
    on_rung = labels.joined([f"{labels.count(found.on_rung.get(flow, 0))} {labels.name(flow)}" for flow in Flow])
    facts = [
        Fact(name="On this rung", value=on_rung),
        *(
            Fact(
                name=f"Answers for {labels.name(each.indicator)}",
                value=_of(each.answered, each.payments),
                aside="payments with a payer present" if each.is_required else "not required",
            )
            for each in found.coverage
        ),
        Fact(
            name="Users reporting a failure",
            value=labels.count(found.reporters),
            aside="an alarm needs five",
        ),
    ]
    heads = ("browser", "reached", "share", "unmeasured")
    table = Table(
        caption="Would push alone have cleared the alert?", heads=heads, rows=rows, numbers=frozenset({1, 2, 3})
    )
    return Section(
        key="payers",
        title="Payers",
        lines=tuple(lines),
        facts=(*([Fact(name="Reports", value=reports)] if reports else []), *facts),
        tables=(*([table] if rows else []), *_cleared(found.cleared)),
    )


def _reach(state: State) -> Iterator[tuple[Cell, ...]]:
    for flow in Flow:
        for browser in Family:
            votes = {verdict: state.tally.reach.get(f"{flow}/{browser}/{verdict}", 0) for verdict in Verdict}
            good, bad = votes[Verdict.GOOD], votes[Verdict.BAD]
            if not sum(votes.values()):
                continue
            ratio = good / (good + bad) if good + bad else None
            yield (
                Cell(text=browser.title(), aside=labels.name(flow)),
                Cell(text=_of(good, good + bad)),
                Cell(text=labels.ratio(ratio, 1), ratio=ratio),
                Cell(text=labels.count(votes[Verdict.GONE] + votes[Verdict.NEVER_PAID])),
            )


def _cleared(cleared: Mapping[str, int]) -> Iterator[Table]:
    whole = sum(cleared.values())
    if not whole:
        return
    rows = []
    for key, count in sorted(cleared.items(), key=lambda each: -each[1]):
        mode, _, by = key.rpartition("/")
        named = Cell(text=labels.name(by), aside=labels.name(mode))
        rows.append((named, Cell(text=labels.count(count), ratio=count / whole)))
    yield Table(caption="What cleared the alerts", heads=("cleared by", "count"), rows=tuple(rows))


def unmeasured(status: Status, state: State) -> Section:
    """Return which payments cannot be measured, and why."""
    policy, tally = state.policy, state.tally
    assert policy is not None  # noqa: S101 - without one there is no status
    ratio = status.judged / status.succeeded if status.succeeded else None
    target_ratio = policy.coverage_ppm / PPM
    coverage = f"{_of(status.judged, status.succeeded)} payments of the last day could be judged; "
    tone = Tone.BLIND if ratio is None else Tone.GOOD if ratio >= target_ratio else Tone.WAIT
    lines = [
        Line(
            text=f"{coverage}the target is at least {labels.ratio(target_ratio, 0)}.",
            tone=tone,
            ratio=ratio,
            target_ratio=target_ratio,
        )
    ]
    if status.silent_sources:
        silent = labels.joined(list(status.silent_sources))
        lines.append(Line(text=f"No answer from {silent}: meanwhile no payment is judged.", tone=Tone.BAD))
    lost = (
        (tally.lost_acks, "Acks removed before they were read"),
        (tally.dropped_acks, "Acks dropped because too many waited for their payments"),
        (tally.unknown_acks, "Acks for a payment that never arrived"),
        (tally.unaccounted, "Payments of which only acks came, or that have no booking"),
        (tally.contradicted, "Payments outside the filter that got an ack"),
    )
    return Section(
        key="unmeasured",
        title="What cannot be measured",
        lines=tuple(lines),
        tables=(
            *_counts(
                "Unmeasured payments",
                "reason",
                tally.unmeasured,
                {key: words.description for key, words in UNMEASURED.items()},
            ),
            *_counts(
                "Payments outside the filter",
                "reason",
                tally.ignored,
                {key: words.description for key, words in IGNORED.items()},
            ),
        ),
        notes=tuple(f"{what}: {labels.count(counted)}" for counted, what in lost if counted),
    )
