"""The checks of the release gate, one row per condition: whether it can be known, time, payments, the proof.

Checks that cannot be known come first; `core.release.readiness` combines all into one verdict.
"""

from collections.abc import Iterator

import msgspec

from sidecar.core.decision.gate import likely_ms
from sidecar.core.decision.gates import GATES, duration
from sidecar.core.facts.policy import PPM, Mode, Policy, Rung
from sidecar.core.fold.history import HOUR_MS, Condition, Hour, summed
from sidecar.core.fold.history_writer import hours, judged
from sidecar.core.fold.serving import Reason
from sidecar.core.fold.state import State
from sidecar.core.release.intervals import Interval, Timeline, first_ms
from sidecar.core.statistics.indicators import INDICATORS

DAY_MS = 24 * HOUR_MS
FOR_MS = 14 * DAY_MS
SUSPENSIONS_MAX = 4
PAYMENTS_MIN = 50
_SERVED_PPM = 999_000
_SUSPENDED_PPM = 10_000
_GATES = frozenset({
    "isolation",
    "alarm",
    "exact",
    "stage",
    "payer_coverage",
    *(f"evidence_{row.name}" for row in INDICATORS),
})  # fmt: skip
"""Gates of the ladder that must still pass for the rung in question: its proof stands, and nothing is latched."""
_VOUCHES_NOT = {
    Reason.STARTING: "this process has not caught up with its journal",
    Reason.NO_LEASE: "this replica has not lately proven that it can write and read its journal",
    Reason.POLICY_DIFFERS: "the configuration of this replica is not the policy in force",
}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The question to the release gate."""

    mode: Mode = Mode.PUSH_ONLY
    """This one, or a better one, must have been servable to everybody."""
    for_ms: int = FOR_MS
    environment: str | None = None
    """The environment that is meant; None: that of the sidecar that answers."""
    suspensions_max: int = SUSPENSIONS_MAX
    payments_min: int = PAYMENTS_MIN
    """Minimum judged payments in the period."""
    on_release: int | None = None
    """Minimum judged payments since the app's last release; None: their number is information. An app that is released
    every hour would never meet a minimum."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of the process that are not in its state."""

    is_livemode: bool
    reason: Reason
    """The reason of its present answer: a replica without a lease cannot give a verdict."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One condition, and what became of it."""

    name: str
    value: str
    target: str
    passes: bool | None
    """None: it cannot be known."""
    why: str = ""
    """What is wrong, as a sentence without a full stop; empty where it passes."""
    needs: str = ""
    """Of a gate of the ladder that does not pass: what is missing, in the gate's wording."""
    again_ms: int | None = None
    """When it passes at the earliest, without further failures; None: unknown, or it passes."""
    again_between_ms: tuple[int, int] | None = None
    """Where `again_ms` is an estimate: from when until when; None: the time is known, or unknown."""
    is_information: bool = False
    """Whether it is shown, and nothing was asked of it: it passes."""


def checks(state: State, policy: Policy, question: Question, process: Process) -> tuple[Check, ...]:
    """Return every condition, and what became of it."""
    interval = Interval(Timeline(state, question.mode), state.now_ms - question.for_ms)
    known = interval.hours(hours(state))
    return (
        *_vouching(policy, question, process),
        _reports(policy, summed(known)),
        *_time(interval, policy, question),
        *_payments(interval, known, policy, question),
        *_proof(state, policy, question),
    )


# --- whether it can be known


def _vouching(policy: Policy, question: Question, process: Process) -> Iterator[Check]:
    asked = question.environment
    yield Check(
        name="environment",
        value=policy.environment,
        target=asked or "any",
        passes=True if asked in {None, policy.environment} else None,
        why=""
        if asked in {None, policy.environment}
        else f"this is the sidecar of `{policy.environment}`, and `{asked}` was asked about",
    )
    why_not = _VOUCHES_NOT.get(process.reason, "")
    yield Check(
        name="replica",
        value=process.reason,
        target="answers from its lease",
        passes=None if why_not else True,
        why=why_not,
    )
    yield Check(
        name="dry_run",
        value="dry run" if policy.dry_run else "serving",
        target="serving",
        passes=None if policy.dry_run else True,
        why="this is a dry run: nobody was ever served what it decided" if policy.dry_run else "",
    )
    yield Check(
        name="livemode",
        value="live payments" if process.is_livemode else "test payments",
        target="live payments",
        passes=True if process.is_livemode else None,
        why="" if process.is_livemode else "it judges Stripe's test payments (`stripe.livemode: false`)",
    )


def _reports(policy: Policy, whole: Hour) -> Check:
    reported = sum(whole.reported)
    waived = policy.reach_not_required
    passes = reported > 0 or waived is not None
    return Check(
        name="reports",
        value=f"{reported} payments" if waived is None else f"not required: {waived}",
        target="payers' browsers report",
        passes=True if passes else None,
        why="" if passes else "no payer's browser reported a payment in this period: every payer could be refused",
    )


# --- time


def _time(interval: Interval, policy: Policy, question: Question) -> Iterator[Check]:
    rung, history = _rung(policy, question.mode), interval.history
    yield Check(
        name="ladder",
        value=f"rung {policy.ladder.index(rung)}" if rung else "no such rung",
        target=f"a rung of {question.mode} for everybody",
        passes=rung is not None,
        why="" if rung else f"the ladder has no rung on which everybody gets {question.mode}: ask for another --mode",
    )
    is_known = interval.from_ms >= history.since_ms
    yield Check(
        name="history",
        value=f"{duration(max(0, interval.until_ms - history.since_ms))}",
        target=f"at least {duration(question.for_ms)}",
        passes=is_known,
        why=""
        if is_known
        else f"what was servable is known for the last {duration(max(0, interval.until_ms - history.since_ms))} only",
        again_ms=None if is_known else history.since_ms + question.for_ms,
    )
    yield _served_now(interval, question)
    yield _served(interval, question)
    falls_ms = interval.falls_ms()
    yield Check(
        name="falls",
        value=str(len(falls_ms)),
        target="none",
        passes=not falls_ms,
        why=f"it fell {_times(len(falls_ms))}, last {duration(interval.until_ms - falls_ms[-1])} ago"
        if falls_ms
        else "",
        again_ms=falls_ms[-1] + question.for_ms + 1 if falls_ms else None,
    )
    yield from _suspensions(interval, question)


def _served_now(interval: Interval, question: Question) -> Check:
    spans, suspension = interval.history.spans, interval.state.flag.suspension
    mode = spans[-1].for_all if spans else Mode.TIMER_POLLING
    passes = mode.rank >= question.mode.rank
    is_serving = bool(spans) and spans[-1].condition is Condition.SERVING
    condition = "" if is_serving else f", {spans[-1].condition if spans else Condition.BLIND}"
    return Check(
        name="now",
        value=f"{mode}{condition}",
        target=question.mode,
        passes=passes,
        why="" if passes else f"all that everybody gets at this moment is {mode}{condition}",
        again_ms=suspension.until_ms if suspension is not None and not passes else None,
    )


def _served(interval: Interval, question: Question) -> Check:
    def is_enough(by_ms: int) -> bool:
        left = interval.later(by_ms)
        asked_ms = question.for_ms - left.reverb_unstable_ms()
        missing_ms = interval.until_ms - left.from_ms - left.served_ms() - left.reverb_unstable_ms()
        return missing_ms * PPM <= asked_ms * (PPM - _SERVED_PPM)

    passes = is_enough(0)
    asked_ms = max(1, question.for_ms - interval.reverb_unstable_ms())
    share = interval.served_ms() * PPM // asked_ms
    value = f"{share // 100 / 100:.2f} % of {duration(asked_ms)}"
    return Check(
        name="served",
        value=value,
        target="at least 99.9 % outside suspensions",
        passes=passes,
        why=""
        if passes
        else f"everybody could be served {question.mode} for {value} outside suspensions; 99.9 % are asked",
        again_ms=None if passes else interval.until_ms + first_ms(is_enough, question.for_ms),
    )


def _suspensions(interval: Interval, question: Question) -> Iterator[Check]:
    count, spent_ms = interval.suspensions(), interval.reverb_unstable_ms()
    is_few = count <= question.suspensions_max
    yield Check(
        name="suspensions",
        value=str(count),
        target=f"at most {question.suspensions_max}",
        passes=is_few,
        why=""
        if is_few
        else f"Reverb was unstable {_times(count)}; at most {question.suspensions_max} suspensions are allowed",
        again_ms=None
        if is_few
        else interval.until_ms
        + first_ms(lambda by_ms: interval.later(by_ms).suspensions() <= question.suspensions_max, question.for_ms),
    )

    def is_short(by_ms: int) -> bool:
        return interval.later(by_ms).reverb_unstable_ms() * PPM <= question.for_ms * _SUSPENDED_PPM

    yield Check(
        name="suspended",
        value=duration(spent_ms),
        target=f"at most 1 %: {duration(question.for_ms * _SUSPENDED_PPM // PPM)}",
        passes=is_short(0),
        why=""
        if is_short(0)
        else f"suspensions because of Reverb lasted {duration(spent_ms)} together; 1 % is allowed",
        again_ms=None if is_short(0) else interval.until_ms + first_ms(is_short, question.for_ms),
    )


# --- payments


def _payments(interval: Interval, known: list[Hour], policy: Policy, question: Question) -> Iterator[Check]:
    whole = summed(known)
    counted, every = whole.outcomes.judged, whole.outcomes.judged + whole.uncovered
    is_covered = every > 0 and counted * PPM >= policy.coverage_ppm * every
    yield Check(
        name="coverage",
        value=f"{counted} of {every}",
        target=f"at least {policy.coverage_ppm / 10_000:g} %",
        passes=is_covered,
        why="" if is_covered else f"{counted} of {every} payments could be judged",
        again_ms=None if is_covered else _covered_again(known, policy, question),
    )
    is_many = counted >= question.payments_min
    yield Check(
        name="payments",
        value=str(counted),
        target=f"at least {question.payments_min}",
        passes=is_many,
        why="" if is_many else f"{counted} payments were judged; {question.payments_min} are asked",
    )
    yield _since_release(interval, counted, question)


def _covered_again(known: list[Hour], policy: Policy, question: Question) -> int | None:
    """Return when the oldest hours that spoil the check will have left the period."""
    counted = [hour.outcomes.judged for hour in known]
    every = [hour.outcomes.judged + hour.uncovered for hour in known]
    judged_left, left = sum(counted), sum(every)
    for hour, mine, whole in zip(known, counted, every, strict=True):
        judged_left, left = judged_left - mine, left - whole
        if left and judged_left * PPM >= policy.coverage_ppm * left:
            return (hour.hour + 1) * HOUR_MS + question.for_ms
    return None


def _since_release(interval: Interval, in_time: int, question: Question) -> Check:
    history, asked = interval.history, question.on_release
    since = judged(interval.state) - history.judged_before_release
    value = f"{since} since {history.release}" if history.release else "no release is known"
    if asked is None:
        return Check(name="since_release", value=value, target="any", passes=True, is_information=bool(history.release))
    target = f"at least {asked}"
    if not history.release:
        named = "`sidecar note --release VERSION --reason '...'`"
        why = f"no release is known: name it in the backend's acks (`release`), or with {named}"
        return Check(name="since_release", value=value, target=target, passes=None, why=why)
    missing = asked - since
    seen_ms = interval.until_ms - max(interval.from_ms, history.since_ms)
    between_ms = None
    if missing > 0 and in_time:
        between_ms = likely_ms(interval.until_ms, more=missing, count=in_time, span_ms=seen_ms)
    return Check(
        name="since_release",
        value=value,
        target=target,
        passes=missing <= 0,
        why=f"{since} payments were judged since release {history.release}; {asked} are asked" if missing > 0 else "",
        again_ms=between_ms[0] if between_ms else None,
        again_between_ms=between_ms,
    )


# --- the proof


def _proof(state: State, policy: Policy, question: Question) -> Iterator[Check]:
    rung = _rung(policy, question.mode) or Rung(mode=question.mode)
    readings = (row.read(state, policy, rung) for row in GATES if row.name in _GATES)
    for gate in (gate for gate in readings if gate is not None):
        yield Check(
            name=gate.name,
            value=gate.value,
            target=gate.target,
            passes=gate.passes,
            why="" if gate.passes else f"the gate `{gate.name}` does not pass ({gate.value}): it needs {gate.needs}",
            needs=gate.needs,
            again_ms=gate.expected_between_ms[0] if gate.expected_between_ms else gate.expected_ms,
            again_between_ms=gate.expected_between_ms,
        )


def _rung(policy: Policy, mode: Mode) -> Rung | None:
    """Return the lowest rung on which everybody gets this mode or a better one; None: there is none."""
    enough = (rung for rung in policy.ladder if rung.share_ppm == PPM and rung.mode.rank >= mode.rank)
    return next(enough, None)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
