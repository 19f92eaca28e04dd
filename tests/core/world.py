"""A harness for the core: append observations at literal times, with `decide` after each, as in production."""

import copy
import functools
from typing import TypeVar

import msgspec

from sidecar.core.decision.decide import decide
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import (
    AckReceived,
    BrowserReported,
    Climbed,
    ClockJumped,
    EpochRenewed,
    Fell,
    Heartbeat,
    IgnoreReason,
    Observation,
    PaymentIgnored,
    PaymentSucceeded,
    PolicyAdopted,
    Record,
    SkipReason,
    Started,
)
from sidecar.core.facts.operator_actions import (
    Approved,
    EvidenceReset,
    Frozen,
    Held,
    Overridden,
    Resumed,
    RolledBack,
)
from sidecar.core.facts.outcomes import NoPayer
from sidecar.core.facts.policy import Mode, Policy, ReverbPolicy, Rung, Stage, policy_hash
from sidecar.core.facts.reports import ClearedBy, Family, Flow, Reading, Subscription
from sidecar.core.facts.windows import Once, Weekly
from sidecar.core.fold.conclusions import Conclusion, PaymentLeftOut, PaymentSettled
from sidecar.core.fold.fold import fold, next_deadline
from sidecar.core.fold.serving import bucket_of, served
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import Indicator

START_MS = 1_800_000_000_000
SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

POLICY = Policy(
    environment="test",
    flag="payment-refresh",
    stage=Stage.DELIVERED,
    contexts=("bookings",),
    on_time_within_ms=2 * SECOND,
    missed_after_ms=30 * SECOND,
    reliability_ppm=990_000,
    false_promotion_risk_ppm=10_000,
    unacceptable_reliability_ppm=950_000,
    false_alarm_once_in=100_000,
    coverage_ppm=950_000,
    coverage_floor_ppm=800_000,
    reach_ppm=970_000,
    reach_not_required=None,
    lease_ms=30 * SECOND,
    cooldown_ms=1 * HOUR,
    resume_after_ms=3 * MINUTE,
    dry_run=False,
    ladder=(
        Rung(mode=Mode.TIMER_POLLING, soak_ms=1 * MINUTE),
        Rung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=100_000, soak_ms=1 * MINUTE),
        Rung(mode=Mode.PUSH_WITH_SAFETY_NET, soak_ms=1 * MINUTE),
        Rung(mode=Mode.PUSH_ONLY, approval_required=True),
    ),
)
"""The default objective and risks, with soaks of a minute."""

LAX = msgspec.structs.replace(
    POLICY, reliability_ppm=900_000, unacceptable_reliability_ppm=800_000, false_promotion_risk_ppm=50_000
)
"""Proven by a few dozen payments; for tests that are about something else than numbers."""


REACHED = Reading(
    flow=Flow.IN_PAGE,
    mode=Mode.TIMER_POLLING,
    version=0,
    subscription=Subscription.CONFIRMED,
    subscribed_ms=200,
    pushed_ms=900,
    cleared_ms=1000,
    cleared_by=ClearedBy.PUSH,
    refetches=2,
    watched_ms=30 * SECOND,
)
"""A browser that push reached."""
REFUSED = msgspec.structs.replace(
    REACHED,
    subscription=Subscription.REFUSED,
    auth_status=403,
    subscribed_ms=None,
    pushed_ms=None,
    cleared_ms=2100,
    cleared_by=ClearedBy.TIMER,
)
"""A browser whose auth was refused, and that a timer helped."""

REVERB = ReverbPolicy(round_trip_every_ms=5 * SECOND, auth_every_ms=60 * SECOND, is_observing=True)


class World:
    """A journal in a list, the state that it folds to, and `decide` after every observation."""

    source = "backend"
    """Who acks."""

    def __init__(self, policy: Policy = POLICY, *, decides: bool = True) -> None:
        self.state = State()
        self.records: list[Record] = []
        self.conclusions: list[Conclusion] = []
        self.now_ms = START_MS
        self.decides = decides
        self._known: set[str] = set()
        self._payments = 0
        self.see(Started(replica="a", version="test"))
        self.adopt(policy)
        self.beat()

    def see(self, observation: Observation) -> None:
        """Append a fact now, unless it is a duplicate, and what `decide` then returns."""
        key = identity(observation)
        if key is not None and key in self._known:
            return
        if key is not None:
            self._known.add(key)
        self.append(observation)
        decision = decide(self.state, "a").decision if self.decides else None
        if decision is not None:
            self.see(decision)

    def append(self, observation: Observation) -> None:
        """Append a fact now, even if it is a duplicate, and decide nothing."""
        record = Record(seq=self.state.seq + 1, at_ms=self.now_ms, observation=observation)
        self.records.append(record)
        self.conclusions.extend(fold(self.state, record))

    def adopt(self, policy: Policy) -> None:
        """Adopt a policy."""
        self.see(
            PolicyAdopted(
                policy=policy,
                policy_hash=policy_hash(policy),
                adoption=self.state.adoptions,
                actor="test",
                reason="test",
            )
        )

    def last_hash(self) -> str:
        """Return the hash of the last appended policy, accepted or refused."""
        facts = (record.observation for record in reversed(self.records))
        return next(fact.policy_hash for fact in facts if isinstance(fact, PolicyAdopted))

    def beat(self) -> None:
        """Append a heartbeat now."""
        self.see(Heartbeat(replica="a", beat=len(self.records)))

    def wait(self, span_ms: int) -> None:
        """Advance the time, with a heartbeat every 5 s and at every deadline."""
        end_ms = self.now_ms + span_ms
        while self.now_ms < end_ms:
            deadline_ms = next_deadline(self.state) or end_ms
            self.now_ms = min(end_ms, self.now_ms + 5 * SECOND, max(deadline_ms, self.now_ms + 1))
            self.beat()

    def sleep(self, span_ms: int) -> None:
        """Advance the time without a heartbeat."""
        self.now_ms += span_ms

    def pay(
        self,
        *,
        user: str | None = "u1",
        waited_s: int | None = 1,
        name: str | None = None,
        no_payer: NoPayer | None = None,
        read_late_ms: int = 0,
    ) -> str:
        """Append a payment's webhook now; return its id. `waited_s` None: listed later, not delivered."""
        self._payments += 1
        payment_intent = name or f"pi_{self._payments}"
        now_s = self.now_ms // 1000
        self.see(
            PaymentSucceeded(
                payment_intent=payment_intent,
                event_id=f"evt_{payment_intent}",
                created_s=now_s - (waited_s or 0),
                signed_s=None if waited_s is None else now_s,
                user_ref=user,
                read_late_ms=read_late_ms,
                no_payer=no_payer,
            )
        )
        return payment_intent

    def ignore(self, name: str, reason: IgnoreReason = IgnoreReason.MISSING_METADATA) -> None:
        """Append a payment that the filter excludes."""
        self.see(PaymentIgnored(payment_intent=name, event_id=f"evt_{name}", reason=reason))

    def ack(self, name: str, stage: Stage = Stage.DELIVERED, reason: SkipReason | None = None) -> None:
        """Append an ack that names its payment."""
        self.see(AckReceived(source=self.source, stage=stage, payment_intent=name, reason=reason))

    def broadcast(
        self, user: str = "u1", contexts: tuple[str, ...] = ("bookings",), *, source: str = "backend"
    ) -> None:
        """Append an ack that names only a user."""
        self.see(AckReceived(source=source, stage=Stage.DELIVERED, user_ref=user, contexts=contexts))

    def report(self, name: str, user: str = "u1", reading: Reading = REACHED) -> None:
        """Append a browser's report of a payment."""
        self.see(BrowserReported(payment_intent=name, user_ref=user, browser=Family.SAFARI, reading=reading))

    def wire(self) -> None:
        """Append a first payment with an ack of the deciding stage, which is counted nowhere: `not_wired`."""
        name, now_s = "pi_before_everything", self.now_ms // 1000
        self.see(PaymentSucceeded(payment_intent=name, event_id="evt_before", created_s=now_s - 10, signed_s=now_s))
        self.ack(name)

    def wire_by_user(self) -> None:
        """Append a first payment, counted nowhere, with an ack that names only its user."""
        self.see(
            PaymentSucceeded(
                payment_intent="pi_of_somebody",
                event_id="evt_of_somebody",
                created_s=self.now_ms // 1000,
                signed_s=self.now_ms // 1000,
                user_ref="somebody",
            )
        )
        self.start()
        self.broadcast(user="somebody")
        self.beat()

    def good(self, count: int = 1, every_ms: int = 3 * SECOND) -> None:
        """Make payments that are acked after 300 ms."""
        for _ in range(count):
            name = self.pay()
            self.now_ms += 300
            self.ack(name)
            self.wait(every_ms - 300)

    def bad(self, count: int = 1, every_ms: int = 3 * SECOND) -> None:
        """Make payments that are never acked."""
        for _ in range(count):
            self.pay()
            self.wait(every_ms)

    def climb_to(self, rung: int) -> None:
        """Make good payments until the flag is on this rung, or a higher one."""
        self.wire()
        for _ in range(2000):
            if self.state.flag.rung >= rung:
                return
            self.good()
        msg = f"not on rung {rung} after 2000 good payments: {decide(self.state, 'a')}"
        raise AssertionError(msg)

    def mode(self, targeting_key: str | None = "anyone") -> Mode:
        """Return the mode that a user is served."""
        bucket = None if targeting_key is None else bucket_of("payment-refresh", targeting_key)
        return served(self.state, bucket).mode

    def start(self) -> None:
        """Append a start of the process, which is a visibility gap."""
        self.see(Started(replica="a", version="test"))

    def jump(self, by_ms: int) -> None:
        """Append a jump of the wall clock."""
        self.see(ClockJumped(replica="a", by_ms=by_ms))

    def hold(self, actor: str = "ann", reason: str = "launch day") -> int:
        """Forbid climbing, and return the id of the hold."""
        seq = self.state.seq + 1
        self.see(Held(actor=actor, reason=reason))
        return seq

    def resume(self, hold: int | None = None) -> None:
        """Lift this hold; without an id, as a record of fold version 6 does."""
        self.see(Resumed(actor="ann", reason="launched", hold=hold))

    def approve(self, rung: int, epoch: int = 1) -> None:
        """Approve one climb."""
        self.see(Approved(actor="ann", reason="looks right", rung=rung, epoch=epoch))

    def roll_back(self, actor: str = "ann", reason: str = "a feeling") -> None:
        """Send the flag to the bottom rung by hand."""
        self.see(RolledBack(actor=actor, reason=reason))

    def freeze(
        self, name: str, window: Once | Weekly, *, lasts_ms: int = 30 * DAY, reason: str = "pupils return"
    ) -> None:
        """Forbid climbing in certain times, for so long at most."""
        expires_ms = self.now_ms + lasts_ms
        self.see(Frozen(actor="ann", reason=reason, name=name, window=window, expires_ms=expires_ms))

    def override(self, user: str = "u1", mode: Mode = Mode.PUSH_ONLY, *, lasts_ms: int = HOUR) -> int:
        """Choose a user's mode for a while, and return the id of the override."""
        seq = self.state.seq + 1
        expires_ms = self.now_ms + lasts_ms
        self.see(Overridden(actor="ann", reason="a test", user_ref=user, mode=mode, expires_ms=expires_ms))
        return seq

    def reset(self) -> None:
        """Begin new epochs by hand."""
        self.see(EvidenceReset(actor="ann", reason="a new cluster"))

    def change(self, **keys: object) -> None:
        """Adopt the policy in force with other values for these keys."""
        assert self.state.policy is not None
        self.adopt(msgspec.structs.replace(self.state.policy, **keys))

    def outage(self) -> None:
        """Make payments miss their acks until the flag is on the bottom rung."""
        for _ in range(20):
            if self.state.flag.rung == 0:
                return
            self.bad()
        raise AssertionError("no fall after 20 misses")

    def endings(self, name: str) -> list[str]:
        """Return how a payment ended, which must be once: `late`, `unmeasured: stopped`, `left out: no_booking`."""
        endings = []
        for conclusion in self.conclusions:
            match conclusion:
                case PaymentSettled(payment_intent=settled) if settled == name:
                    reason = conclusion.unmeasured
                    endings.append(f"unmeasured: {reason}" if reason else str(conclusion.outcome))
                case PaymentLeftOut(payment_intent=left_out) if left_out == name:
                    endings.append(f"left out: {conclusion.reason}")
                case _:
                    pass
        return endings

    def last(self, kind: type[Conclusion]) -> Conclusion:
        """Return the newest conclusion of a kind."""
        return next(conclusion for conclusion in reversed(self.conclusions) if isinstance(conclusion, kind))


def counted(indicator: Indicator, good: int, bad: int = 0) -> None:
    """Give an indicator's epoch these counts, and their capital."""
    indicator.good, indicator.bad, indicator.capital = good, bad, []


@functools.cache
def _on(rung: int) -> World:
    world = World(LAX)
    if rung:
        world.climb_to(rung)
    else:
        world.wire()
    return world


def on(rung: int) -> World:
    """Return a world under `LAX` rules that has just climbed onto a rung, or has just been wired."""
    return copy.deepcopy(_on(rung))


Decided = TypeVar("Decided", Climbed, Fell, EpochRenewed)


def decided(world: World, kind: type[Decided], replica: str = "a") -> Decided:
    """Return the decision that is due now, which must be of this kind."""
    decision = decide(world.state, replica).decision
    assert isinstance(decision, kind)
    return decision
