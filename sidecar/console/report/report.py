"""A period as one typed value: what was served, measured and decided, and what was not measured."""

import msgspec

from sidecar import __version__
from sidecar.console.status import IndicatorStatus, indicators_of
from sidecar.core.facts.policy import SCHEDULES, Mode, Policy
from sidecar.core.fold.history import Condition, Hour, Span, TimelineEvent, at_least, summed
from sidecar.core.fold.history_writer import hours
from sidecar.core.fold.state import FOLD_VERSION, State
from sidecar.core.release.checks import Process, Question
from sidecar.core.release.intervals import Interval, Timeline
from sidecar.core.release.readiness import Readiness, readiness


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One method by which a page learns that a booking is paid, in this period."""

    worked: int
    judged: int
    basis: str
    requests: int
    reported: int
    """Payments that browsers reported, with the number of requests."""
    scheduled: int
    """Requests per payment by the schedule."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long each mode and condition lasted, to the millisecond, from `complete_from_ms` on."""

    known_ms: int
    for_all_ms: dict[Mode, int]
    """How long each mode was servable to everybody; blind time counts for none."""
    conditions_ms: dict[Condition, int]
    """The same time, by condition."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report. Times are Unix milliseconds on the journal's clock."""

    environment: str
    flag: str
    from_ms: int
    until_ms: int
    complete_from_ms: int
    """When moves and times begin to be complete; after `from_ms` if the journal is younger."""
    verdict: Readiness
    is_livemode: bool
    policy: Policy
    policy_hash: str
    chain: str
    """The head of the chain of decisions, actions and policies, in hex."""
    seq: int
    version: str
    fold_version: int
    times: Times
    whole: Hour
    """All hours of the period as one."""
    latency_edges_ms: list[int]
    timers: Method
    push: Method
    indicators: tuple[IndicatorStatus, ...]
    hour_fields: tuple[str, ...]
    """The names of the values in each of `hours`."""
    hours: list[Hour]
    spans: list[Span]
    """(since, mode for every share, mode for everybody, condition); the first may have begun before the period."""
    events: list[TimelineEvent]
    """(when, record, kind, detail)."""


def report_of(state: State, since_ms: int, question: Question, process: Process) -> Report:
    """Return the report of the last `since_ms`. The state must have a policy."""
    policy, history = state.policy, state.history
    assert policy is not None  # noqa: S101 - listeners start after the policy was adopted
    interval = Interval(Timeline(state, question.mode), state.now_ms - since_ms)
    known = interval.hours(hours(state))
    whole = summed(known)
    return Report(
        environment=policy.environment,
        flag=policy.flag,
        from_ms=interval.from_ms,
        until_ms=interval.until_ms,
        complete_from_ms=max(interval.from_ms, history.since_ms),
        verdict=readiness(state, question, process),
        is_livemode=process.is_livemode,
        policy=policy,
        policy_hash=state.policy_hash,
        chain=state.chain,
        seq=state.seq,
        version=__version__,
        fold_version=FOLD_VERSION,
        times=_times(interval),
        whole=whole,
        latency_edges_ms=history.edges_ms[whole.edges] if history.edges_ms else [],
        timers=_timers(whole),
        push=_push(whole),
        indicators=indicators_of(state, policy),
        hour_fields=Hour.__struct_fields__,
        hours=known,
        spans=[span for _, _, span in interval.pieces()],
        events=[event for event in history.events if event.at_ms >= interval.from_ms],
    )


def _times(interval: Interval) -> Times:
    for_all_ms, conditions_ms = dict.fromkeys(Mode, 0), dict.fromkeys(Condition, 0)
    for from_ms, until_ms, span in interval.pieces():
        conditions_ms[span.condition] += until_ms - from_ms
        if span.condition is not Condition.BLIND:
            for_all_ms[span.for_all] += until_ms - from_ms
    return Times(known_ms=sum(conditions_ms.values()), for_all_ms=for_all_ms, conditions_ms=conditions_ms)


def _timers(whole: Hour) -> Method:
    counted = whole.timers
    is_paid = counted.worked_paid + counted.failed_paid > 0
    worked, failed = (
        (counted.worked_paid, counted.failed_paid) if is_paid else (counted.worked_push, counted.failed_push)
    )
    return Method(
        worked=worked,
        judged=worked + failed,
        basis="the booking was committed within 5 s of the payment"
        if is_paid
        else "the broadcast was seen within 5 s of the payment; the booking was committed before it",
        requests=whole.refetches[Mode.TIMER_POLLING.rank],
        reported=whole.reported[Mode.TIMER_POLLING.rank],
        scheduled=SCHEDULES[Mode.TIMER_POLLING].requests_per_payment,
    )


def _push(whole: Hour) -> Method:
    least = Mode.PUSH_WITH_SAFETY_NET
    return Method(
        worked=whole.outcomes.on_time,
        judged=whole.outcomes.judged,
        basis="the broadcast reached the deciding stage on time after the webhook",
        requests=at_least(whole.refetches, least),
        reported=at_least(whole.reported, least),
        scheduled=SCHEDULES[Mode.PUSH_ONLY].requests_per_payment,
    )
