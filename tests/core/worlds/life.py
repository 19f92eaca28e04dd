"""Drive the fold and `decide` through a world, and count what happened to its payers.

Every draw comes from the world's seed, and every record goes through `fold`, as in production. The records are not
stored. `decide` is asked after each of them but clean probes, webhooks and acks (whose payment is judged at a heartbeat)
and the heartbeats of a quiet hour: in these nothing can change but by a deadline, and there it is asked.

Two paces: `REAL` is the default policy (a canary every 5 s, an auth probe a minute); `COARSE` has the longest intervals
and the longest lease that a policy may name, for months that have nothing to do with Reverb.
"""

import heapq
import random
from collections.abc import Callable

import msgspec

from sidecar.core.decision.decide import decide
from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, Step, UserAuth
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import (
    AckReceived,
    BrowserReported,
    ChannelAuthProbed,
    Climbed,
    Fell,
    Heartbeat,
    IsolationProbed,
    Observation,
    ObserverChanged,
    PaymentSucceeded,
    PolicyAdopted,
    Record,
    RoundTripEnded,
    Started,
    UserAuthReported,
)
from sidecar.core.facts.operator_actions import Approved
from sidecar.core.facts.policy import Mode, Policy, Stage, policy_hash
from sidecar.core.facts.reports import Family, Flow
from sidecar.core.fold.conclusions import AlarmRaised, FlagMoved, SuspensionBegan
from sidecar.core.fold.fold import fold, next_deadline
from sidecar.core.fold.serving import bucket_of, served
from sidecar.core.fold.state import State, decode
from tests.core.world import DAY, HOUR, MINUTE, REACHED, REFUSED, SECOND, START_MS
from tests.core.worlds.policies import REAL
from tests.core.worlds.truth import Figures, Truth

_T = Mode.TIMER_POLLING


class Life:
    """One world: a clock, a truth, and what happens next."""

    def __init__(
        self, policy: Policy = REAL, *, seed: int = 1, per_day: float = 40, truth: Truth | None = None
    ) -> None:
        self.random = random.Random(seed)
        self.policy = policy
        self.truth = truth or Truth()
        self.per_day = per_day
        self.is_regular = False
        """Whether payments come at equal intervals."""
        self.state = State()
        self.now_ms = self.began_ms = START_MS
        self.figures = Figures()
        self.approves = True
        self.is_down = False
        """The sidecar does not run."""
        self.is_away = False
        """Reverb does not answer."""
        self.number = 0
        """Payments so far; unlike those of the figures, never counted anew."""
        self.payer: Callable[[int], str] = lambda number: f"payer {number}"
        self.is_authorised: Callable[[str], bool] | None = None
        """Which users may authorise their channel; None: any payment's payer by `truth.authorised`."""
        self.acked: Callable[[str, str, bool], None] = self._acked
        """Append or plan the acks of a payment: its name, its user, whether its broadcast arrives in time."""
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._planned = 0
        self._decided: set[str] = set()
        self._round_trip_ms = self._auth_ms = self._beat_ms = self._pay_ms = START_MS
        self._asked_ms = START_MS
        self._prefix = f"{seed}"

    # --- what is planned

    def at(self, at_ms: int, action: Callable[[], None]) -> None:
        """Plan something at this time from the beginning of the world."""
        self.after(self.began_ms + at_ms - self.now_ms, action)

    def after(self, span_ms: int, action: Callable[[], None]) -> None:
        """Plan something after this time."""
        self._planned += 1
        heapq.heappush(self._agenda, (self.now_ms + span_ms, self._planned, action))

    def every(self, span_ms: int, action: Callable[[], None], *, from_ms: int = 0) -> None:
        """Plan something again and again."""

        def again() -> None:
            action()
            self.after(span_ms, again)

        self.at(from_ms or span_ms, again)

    # --- what happens

    def begin(self) -> "Life":
        """Open a new journal."""
        self.see(Started(replica="a", version="test"))
        self.adopt(self.policy)
        self.see(Heartbeat(replica="a", beat=1))
        self._wake()
        return self

    def resume(self, body: bytes, now_ms: int) -> None:
        """Go on in the journal of another world."""
        self.state, self.now_ms, self.began_ms = decode(body), now_ms, now_ms
        self._wake()
        self._pay_ms = now_ms + round(self.random.expovariate(self.per_day / DAY))

    def see(self, observation: Observation) -> None:
        """Append a fact now, and what `decide` then returns."""
        self.append(observation)
        self.decide()

    def append(self, observation: Observation) -> None:
        """Append a fact now."""
        record = Record(seq=self.state.seq + 1, at_ms=self.now_ms, observation=observation)
        for conclusion in fold(self.state, record):
            match conclusion:
                case FlagMoved():
                    self._moved(conclusion)
                case AlarmRaised():
                    self.figures.alarms[conclusion.indicator] += 1
                case SuspensionBegan():
                    self.figures.suspensions[conclusion.reason] += 1
                case _:
                    pass

    def decide(self) -> None:
        """Append decisions until there is none."""
        self._asked_ms = self.now_ms
        while (decision := decide(self.state, "a").decision) is not None:
            key = identity(decision) or ""
            if key in self._decided:
                return
            self._decided.add(key)
            if isinstance(decision, Climbed | Fell):
                self._agenda_check()
            self.append(decision)

    def adopt(self, policy: Policy) -> None:
        """Adopt a policy."""
        self.policy = policy
        fact = PolicyAdopted(
            policy=policy, policy_hash=policy_hash(policy), adoption=self.state.adoptions, actor="test", reason="test"
        )
        self.see(fact)

    def change(self, **keys: object) -> None:
        """Adopt the policy in force with other values for these keys."""
        self.adopt(msgspec.structs.replace(self.policy, **keys))

    def become(self, **truth: float | None) -> None:
        """Change the truth."""
        self.truth = msgspec.structs.replace(self.truth, **truth)

    def restart(self, down_ms: int = 2 * SECOND) -> None:
        """Stop the sidecar, and start it again after this time; its sockets are subscribed a second later."""
        self.is_down = True

        def start() -> None:
            self.is_down = False
            self.see(Started(replica="a", version="test"))
            self._wake()

        self.after(down_ms, start)

    def outage(self, span_ms: int) -> None:
        """Make Reverb be away for a while: no broadcast arrives, and every probe fails."""
        self.is_away = True
        self.observe(is_up=False)
        self.after(span_ms, self._recover)

    def observe(self, *, is_up: bool) -> None:
        """Make the observer's socket be subscribed, or lost."""
        outcome = AuthProbeOutcome.OK if is_up else AuthProbeOutcome.CONNECTION_REFUSED
        if self.policy.reverb is not None and not self.is_down:
            self.see(ObserverChanged(replica="a", observer=0, is_up=is_up, outcome=outcome))

    def run(self, span_ms: int, *, until: Callable[[], bool] = lambda: False) -> None:
        """Make this much time pass, or less if a condition is met after a payment or an event."""
        end_ms = self.now_ms + span_ms
        while self.now_ms < end_ms and not until():
            self._step(end_ms)
        self.figures.rung = self.state.flag.rung

    def onset(self, span_ms: int, **truth: float | None) -> None:
        """Make the truth be damaged from here on, and run until everybody is served timers, or for this long."""
        self.become(**truth)
        began_ms = self.now_ms
        self.run(span_ms, until=lambda: self.mode_for_all() is _T)
        if self.mode_for_all() is _T:
            self.figures.timers_ms = self.now_ms - began_ms

    def mode_for_all(self) -> Mode:
        """Return what a user within every share is served now."""
        return served(self.state, 0).mode

    def count_anew(self) -> None:
        """Count from here on."""
        self.figures, self.began_ms = Figures(rung=self.state.flag.rung), self.now_ms

    # --- the clock

    def _step(self, end_ms: int) -> None:
        """Go to what happens next: canaries up to there run in a loop of their own."""
        due_ms = min(self._pay_ms, end_ms)
        if self._agenda:
            due_ms = min(due_ms, self._agenda[0][0])
        if not self.is_down:
            due_ms = min(due_ms, self._beat_ms, self._auth_ms)
            deadline_ms = next_deadline(self.state)
            if deadline_ms is not None:
                due_ms = min(due_ms, max(deadline_ms, self.now_ms + 1))
            if self.policy.reverb is not None and self._round_trip_ms < due_ms:
                while self._round_trip_ms < due_ms and self._round_trip():
                    pass
                return
        self.now_ms = max(self.now_ms, due_ms)
        self._happen()

    def _happen(self) -> None:
        while self._agenda and self._agenda[0][0] <= self.now_ms:
            heapq.heappop(self._agenda)[2]()
        if self._auth_ms <= self.now_ms and not self.is_down:
            self._probe_auth()
        is_paid = self._pay_ms <= self.now_ms
        if is_paid:
            gap_ms = DAY / self.per_day
            self._pay_ms = self.now_ms + max(
                1, round(gap_ms if self.is_regular else self.random.expovariate(1 / gap_ms))
            )
            self.pay()
        elif not self.is_down:
            self._beat()

    def _beat(self) -> None:
        deadline_ms = next_deadline(self.state)
        self.append(Heartbeat(replica="a", beat=self.state.seq))
        is_due = deadline_ms is not None and deadline_ms <= self.now_ms
        if is_due or self.state.suspension is not None or self.now_ms - self._asked_ms >= HOUR:
            self.decide()
        self._beat_ms = self.now_ms + self.policy.lease_ms * 5 // 6
        rung, flag = self.state.next_rung, self.state.flag
        if self.approves and rung is not None and rung.approval_required and flag.approval is None:
            epoch = self.state.indicators["payments"].epoch
            self.see(Approved(actor="ann", reason="looks right", rung=flag.rung + 1, epoch=epoch))

    def _round_trip(self) -> bool:
        """Make a canary come back, or not; return whether it changed nothing."""
        assert self.policy.reverb is not None
        self.now_ms = max(self.now_ms, self._round_trip_ms)
        self._round_trip_ms = self.now_ms + self.policy.reverb.round_trip_every_ms
        if not self.is_away and self.random.random() < self.truth.round_trips:
            is_busy = self.state.suspension is not None
            self.append(RoundTripEnded(replica="a", outcome=RoundTripOutcome.OK, took_ms=12))
            if is_busy:
                self.decide()
            return not is_busy
        self.see(RoundTripEnded(replica="a", outcome=RoundTripOutcome.LOST, took_ms=2000))
        return False

    def _probe_auth(self) -> None:
        if self.policy.reverb is None:
            self._auth_ms = self.now_ms + DAY
            return
        self._auth_ms = self.now_ms + self.policy.reverb.auth_every_ms
        is_ok = not self.is_away and self.random.random() < self.truth.auth_probes
        outcome = AuthProbeOutcome.OK if is_ok else AuthProbeOutcome.TIMEOUT_CONNECT
        step = Step.SUBSCRIBE if is_ok else Step.CONNECT
        self.see(ChannelAuthProbed(replica="a", outcome=outcome, step=step, took_ms=40))

    def _wake(self) -> None:
        """Begin what a sidecar begins when it starts."""
        self._beat_ms = self.now_ms + SECOND
        self._round_trip_ms = self.now_ms + 2 * SECOND
        self._auth_ms = self.now_ms + 3 * SECOND
        if self.policy.reverb is not None:
            self.after(SECOND, lambda: self.observe(is_up=not self.is_away))
            self.after(
                SECOND,
                lambda: self.see(
                    IsolationProbed(replica="a", verdict=IsolationOutcome.REFUSED, outcome=AuthProbeOutcome.REFUSED_403)
                ),
            )

    def _recover(self) -> None:
        self.is_away = False
        self.observe(is_up=True)

    # --- payers

    def bucket(self, user: str) -> int:
        """Return a user's bucket."""
        return bucket_of(self.policy.flag, user)

    def mode(self, user: str) -> Mode:
        """Return what a user is served now."""
        return served(self.state, self.bucket(user)).mode

    def pay(self) -> None:
        """Make a payment: what becomes of its broadcast, and of its payer."""
        self.figures.payments += 1
        self.number += 1
        name, user = f"pi_{self._prefix}_{self.now_ms}_{self.number}", self.payer(self.number)
        truth, draw = self.truth, self.random.random
        is_in_time = draw() < truth.payments and not self.is_away
        is_granted = draw() < truth.authorised if self.is_authorised is None else self.is_authorised(user)
        is_announced = draw() < truth.announced
        is_reached = is_in_time and is_granted and is_announced and draw() < truth.reached
        mode, version = self.mode(user), self.state.flag.version
        if self.is_down:  # what it served last was valid for a lease, and then the client falls back to timers
            self._deliver_later(name, user)
            return
        if draw() < truth.answered:
            result = UserAuth.OK if is_granted else UserAuth.REFUSED
            self.append(UserAuthReported(result=result, user_ref=user))
        if mode is not _T and not is_reached:
            self.figures.left[mode] += 1
        if not is_announced:
            self.acked(name, user, is_in_time)
            return
        if draw() >= truth.prompt:
            self._deliver_later(name, user)
            return
        self._webhook(name, user, waited_s=1)
        self.acked(name, user, is_in_time)
        if draw() < truth.reports:
            flow = Flow.REDIRECT if draw() < truth.redirects else Flow.IN_PAGE
            self._report_later(name, user, mode, version, flow, is_reached=is_reached, is_granted=is_granted)

    def _webhook(self, name: str, user: str, *, waited_s: int) -> None:
        signed_s = self.now_ms // 1000
        self.append(
            PaymentSucceeded(
                payment_intent=name,
                event_id=f"evt_{name}",
                created_s=signed_s - waited_s,
                signed_s=signed_s,
                user_ref=user,
            )
        )

    def _deliver_later(self, name: str, user: str) -> None:
        paid_ms = self.now_ms

        def deliver() -> None:
            if self.is_down:
                self.after(MINUTE, deliver)
            else:
                self._webhook(name, user, waited_s=(self.now_ms - paid_ms) // 1000)

        self.after(MINUTE, deliver)

    def _acked(self, name: str, _user: str, is_in_time: bool) -> None:  # noqa: FBT001 - see `acked`
        delay_ms = 300 if is_in_time else self.truth.late_ms
        if delay_ms is not None:
            self.after(delay_ms, lambda: self.ack(name))

    def ack(self, name: str, stage: Stage = Stage.DELIVERED) -> None:
        """Append an ack of a payment."""
        if not self.is_down:
            source = "observer" if self.policy.reverb is not None else "backend"
            self.append(AckReceived(source=source, stage=stage, payment_intent=name))

    def _report_later(
        self, name: str, user: str, mode: Mode, version: int, flow: Flow, *, is_reached: bool, is_granted: bool
    ) -> None:
        reading = REACHED if is_reached else REFUSED
        if is_granted and not is_reached:  # subscribed, and nothing came
            reading = msgspec.structs.replace(
                REFUSED, subscription=REACHED.subscription, subscribed_ms=200, auth_status=None
            )
        reading = msgspec.structs.replace(reading, mode=mode, version=version, flow=flow)
        fact = BrowserReported(payment_intent=name, user_ref=user, browser=Family.SAFARI, reading=reading)
        self.after(4 * SECOND if is_reached else 31 * SECOND, lambda: None if self.is_down else self.see(fact))

    def _moved(self, moved: FlagMoved) -> None:
        if moved.to_rung > moved.from_rung:
            self.figures.climbs += 1
            self.figures.reached_ms.setdefault(moved.to_rung, self.now_ms - self.began_ms)
        else:
            self.figures.falls += 1

    def _agenda_check(self) -> None:
        """Forget the keys of old decisions: a world of years takes few."""
        if len(self._decided) > 1000:
            self._decided.clear()
