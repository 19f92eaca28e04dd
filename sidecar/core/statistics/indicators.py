"""The sequences of good and bad outcomes that are judged: one machine, and a row of numbers for each stream.

A stream is measured in *epochs*. Evidence is the counts since its epoch began; the alarm bank runs through epochs, and
outcomes are counted in both. After a fall a stream waits for its next epoch until the cool-down is over and its
CUSUMs are calm, so that the outage that made it fall is neither proof nor counted twice.
"""

from collections.abc import Callable

import msgspec

from sidecar.core.facts.policy import PPM, ROUND_TRIPS_PPM, WALKS_PPM, Mode, Policy
from sidecar.core.statistics import alarms, evidence


class StreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """What distinguishes one stream from another."""

    name: str
    outcome: str
    """What one outcome is, in words that fit after "needs 300 more"."""
    p0_ppm: Callable[[Policy], int]
    once_in: Callable[[Policy], int]
    """While the reliability is at least p0: at most one false alarm in so many outcomes."""
    needed_for: Callable[[Policy], frozenset[Mode]]
    """The modes that may be climbed to only with this stream's proof."""


_PUSH = frozenset({Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY})
_PUSH_ONLY = frozenset({Mode.PUSH_ONLY})
_NONE: frozenset[Mode] = frozenset()

PAYMENTS, ROUND_TRIPS, CHANNEL_AUTH, USER_AUTH, REACH = "payments", "round_trips", "channel_auth", "user_auth", "reach"
_YEAR_MS = 365 * 24 * 3_600_000


def _payments_per_alarm(policy: Policy) -> int:
    return policy.false_alarm_once_in


def _round_trips_per_year(policy: Policy) -> int:
    return _YEAR_MS // policy.reverb.round_trip_every_ms if policy.reverb else policy.false_alarm_once_in


def _walks_per_year(policy: Policy) -> int:
    return _YEAR_MS // policy.reverb.auth_every_ms if policy.reverb else policy.false_alarm_once_in


STREAMS = (
    StreamRow(
        name=PAYMENTS,
        outcome="clean payments",
        p0_ppm=lambda policy: policy.reliability_ppm,
        once_in=_payments_per_alarm,
        needed_for=lambda _: _PUSH,
    ),
    StreamRow(
        name=ROUND_TRIPS,
        outcome="clean round trips",
        p0_ppm=lambda policy: policy.reverb.round_trip_reliability_ppm if policy.reverb else ROUND_TRIPS_PPM,
        once_in=_round_trips_per_year,
        needed_for=lambda policy: _PUSH if policy.reverb else _NONE,
    ),
    StreamRow(
        name=CHANNEL_AUTH,
        outcome="clean walks of the probe user",
        p0_ppm=lambda policy: policy.reverb.auth_reliability_ppm if policy.reverb else WALKS_PPM,
        once_in=_walks_per_year,
        needed_for=lambda policy: _PUSH if policy.reverb else _NONE,
    ),
    StreamRow(
        name=USER_AUTH,
        outcome="payers whose channel auth succeeded",
        p0_ppm=lambda _: 990_000,
        once_in=_payments_per_alarm,
        needed_for=lambda _: _PUSH_ONLY,
    ),
    StreamRow(
        name=REACH,
        outcome="payers' browsers that push reached",
        p0_ppm=lambda policy: policy.reach_ppm,
        once_in=_payments_per_alarm,
        needed_for=lambda policy: _NONE if policy.reach_not_required else _PUSH_ONLY,
    ),
)
"""The streams, in the order in which people read them. Without `user_auth` and `reach` the ladder ends below
`push_only`, and their gates say so: every payer could get 403 while payments read 100 %."""


ACCUSERS_MAX = 1000
"""Users that are remembered; the alarm has long been raised before."""


class Stream(msgspec.Struct, kw_only=True):
    """What is kept of one stream. Counts and nano-nats only."""

    epoch: int = 1
    epoch_began_ms: int = 0
    """When the epoch began: its first outcome, or the moment that renewed it; 0 while there is neither."""
    awaits_epoch: bool = False
    """No epoch is running: after a fall, until the cool-down is over and the alarms are calm."""
    good: int = 0
    bad: int = 0
    unmeasured: int = 0
    """Outcomes of this epoch that could not be judged; the worst case counts them as bad."""
    good_total: int = 0
    bad_total: int = 0
    levels: list[int] = []
    """The alarm CUSUMs, in nano-nats, in the bank's order."""
    recent: int = 0
    is_latched: bool = False
    """An alarm was raised and is not over."""
    alarmed_ms: int = 0
    """When the last alarm was raised; 0: never."""
    first_bad_ms: int = 0
    """When the first failure came since the alarm CUSUMs were last at rest; 0: they are."""
    last_ms: int = 0
    """When the last outcome was judged; 0: never."""
    accusers: dict[str, None] = {}
    """Of a stream of payers' votes: users whose vote was bad since the alarm CUSUMs last stood at zero."""


def bank_of(row: StreamRow, policy: Policy) -> alarms.Bank:
    """Return the stream's alarm bank under this policy."""
    p0_ppm = row.p0_ppm(policy)
    mildest_ppm = policy.unacceptable_reliability_ppm
    if mildest_ppm >= p0_ppm:  # the user's word is for payments; a stream with a lower target takes twice its failures
        mildest_ppm = max(1, 2 * p0_ppm - PPM)
    return alarms.bank(p0_ppm, mildest_ppm, row.once_in(policy))


def judge(
    stream: Stream,
    bank: alarms.Bank,
    *,
    is_good: bool,
    at_ms: int,
    can_end: bool,
    is_sheltered: bool = False,
    can_latch: bool = True,
) -> None:
    """Count one outcome, which may raise the alarm or end it.

    `can_end` is false where the alarm has not yet made the flag fall: an alarm that ended first would be lost;
    `can_latch` where not enough people stand behind it. What is sheltered counts in the evidence, not in the CUSUMs.
    """
    stream.last_ms = at_ms
    if is_good:
        stream.good_total += 1
    else:
        stream.bad_total += 1
    if not stream.awaits_epoch:
        if not stream.epoch_began_ms:
            stream.epoch_began_ms = at_ms
        if is_good:
            stream.good += 1
        else:
            stream.bad += 1
    if not is_sheltered:
        _alarm(stream, bank, is_good=is_good, at_ms=at_ms, can_end=can_end, can_latch=can_latch)


def judge_vote(
    stream: Stream,
    bank: alarms.Bank,
    user_ref: str,
    *,
    is_good: bool,
    at_ms: int,
    can_end: bool,
    is_sheltered: bool = False,
    accusers_min: int = 1,
) -> None:
    """Count one user's vote. All of a user's votes are evidence; of an alarm, however long it takes, each is one voice.

    An alarm needs the voices of `accusers_min` users.
    """
    if not is_good:
        if user_ref in stream.accusers or len(stream.accusers) >= ACCUSERS_MAX:
            is_sheltered = True
        elif not is_sheltered:
            stream.accusers[user_ref] = None
    judge(
        stream,
        bank,
        is_good=is_good,
        at_ms=at_ms,
        can_end=can_end,
        is_sheltered=is_sheltered,
        can_latch=len(stream.accusers) >= accusers_min,
    )
    acquit(stream)


def acquit(stream: Stream) -> None:
    """Forget who accused once the alarm CUSUMs stand at zero: whoever accuses next is the first."""
    if not any(stream.levels):
        stream.accusers.clear()


def _alarm(stream: Stream, bank: alarms.Bank, *, is_good: bool, at_ms: int, can_end: bool, can_latch: bool) -> None:
    stream.recent = bank.recent.next(stream.recent, is_good=is_good)
    if not is_good and not any(levels_of(stream, bank)):
        stream.first_bad_ms = at_ms
    stream.levels = [
        cusum.next(level, is_good=is_good) for cusum, level in zip(bank.alarms, levels_of(stream, bank), strict=True)
    ]
    if not any(stream.levels):
        stream.first_bad_ms = 0
    if any(level >= cusum.threshold for cusum, level in zip(bank.alarms, stream.levels, strict=True)):
        if can_latch and not stream.is_latched:
            stream.alarmed_ms = at_ms
            stream.is_latched = True
    elif can_end and is_calm(stream, bank):
        stream.is_latched = False


def forgive(stream: Stream, bank: alarms.Bank) -> None:
    """End an alarm with its shelter: the CUSUMs that alarmed restart at rest."""
    levels = zip(bank.alarms, levels_of(stream, bank), strict=True)
    stream.levels = [0 if level >= cusum.threshold else level for cusum, level in levels]
    stream.is_latched = False


def is_calm(stream: Stream, bank: alarms.Bank) -> bool:
    """Say whether every alarm CUSUM is below half its threshold."""
    return all(cusum.is_calm(level) for cusum, level in zip(bank.alarms, levels_of(stream, bank), strict=True))


def begin_epoch(stream: Stream, *, epoch: int, at_ms: int) -> None:
    """Begin a new epoch: counts at zero, less alpha. The CUSUMs run on."""
    stream.epoch = epoch
    stream.epoch_began_ms = at_ms
    stream.awaits_epoch = False
    stream.good = stream.bad = stream.unmeasured = 0


def alpha_of(stream: Stream, policy: Policy) -> float:
    """Return what this stream's epoch may spend of the false promotion risk."""
    return evidence.epoch_alpha(evidence.ratio(policy.false_promotion_risk_ppm), stream.epoch)


def coming_alpha_of(stream: Stream, policy: Policy) -> float:
    """Return the same, of the epoch to come while the stream awaits one."""
    return evidence.epoch_alpha(
        evidence.ratio(policy.false_promotion_risk_ppm), stream.epoch + int(stream.awaits_epoch)
    )


def proven_ratio(stream: Stream, policy: Policy) -> float:
    """Return the reliability that the present epoch proves, from 0 to 1; 0 while it awaits one."""
    return 0.0 if stream.awaits_epoch else evidence.lower_bound(stream.good, stream.bad, alpha_of(stream, policy))


def clean_needed(stream: Stream, row: StreamRow, policy: Policy) -> int:
    """Return how many outcomes without a failure would prove the target; of the epoch to come while it awaits one."""
    p0 = evidence.ratio(row.p0_ppm(policy))
    good, bad = (0, 0) if stream.awaits_epoch else (stream.good, stream.bad)
    return evidence.clean_needed(p0, good, bad, coming_alpha_of(stream, policy))


def levels_of(stream: Stream, bank: alarms.Bank) -> list[int]:
    """Return the levels; all zero where the bank has changed its size since."""
    return stream.levels if len(stream.levels) == len(bank.alarms) else [0] * len(bank.alarms)


def row_of(name: str) -> StreamRow:
    """Return a stream's row. Raises `StopIteration` for a name that is not in the table."""
    return next(row for row in STREAMS if row.name == name)
