"""Generated lives of a sidecar: payments, acks, people, policies, silences, and two replicas that decide late and twice."""

import msgspec
from hypothesis import strategies as st

from sidecar.core.decision.decide import decide
from sidecar.core.decision.gates import gates
from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.auth_probes import Step as AuthProbeStep
from sidecar.core.facts.observations import (
    ChannelAuthProbed,
    Climbed,
    Decision,
    Fell,
    IgnoreReason,
    Observation,
    ObserverChanged,
    PolicyAdopted,
    RoundTripEnded,
    SkipReason,
    UserAuthReported,
)
from sidecar.core.facts.policy import Mode, Policy, Rung, Stage
from sidecar.core.facts.reports import Flow, Reading
from sidecar.core.fold.journeys import GIVE_UP_AFTER_MS
from sidecar.core.fold.judging import EXCUSED_AFTER_MS
from sidecar.core.fold.serving import served
from tests.core.world import DAY, POLICY, REACHED, REFUSED, REVERB, SECOND, World

T, S, P = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY

_QUICK = msgspec.structs.replace(
    POLICY,
    reliability_ppm=800_000,
    unacceptable_reliability_ppm=500_000,
    false_promotion_risk_ppm=200_000,
    false_alarm_once_in=100,
    coverage_ppm=600_000,
    coverage_floor_ppm=300_000,
    cooldown_ms=20 * SECOND,
    resume_after_ms=10 * SECOND,
    ladder=(
        Rung(mode=T, soak_ms=1 * SECOND),
        Rung(mode=S, share_ppm=100_000, soak_ms=1 * SECOND),
        Rung(mode=S, share_ppm=500_000, approval_required=True),
        Rung(mode=S),
        Rung(mode=P),
    ),
)
"""Proven by ten payments, so that a short life holds climbs and falls."""

POLICIES: tuple[Policy, ...] = (
    _QUICK,
    msgspec.structs.replace(_QUICK, on_time_within_ms=25 * SECOND),
    msgspec.structs.replace(_QUICK, ladder=_QUICK.ladder[:2], reach_ppm=500_000),
    msgspec.structs.replace(
        _QUICK, ladder=(_QUICK.ladder[0], *_QUICK.ladder[3:]), unacceptable_reliability_ppm=790_000
    ),
    msgspec.structs.replace(_QUICK, stage=Stage.DISPATCHED, dry_run=True),
    msgspec.structs.replace(_QUICK, reverb=REVERB, suspension_ms=20 * SECOND),
)
_LONGEST_MS = max(EXCUSED_AFTER_MS, *(policy.missed_after_ms for policy in POLICIES)) + GIVE_UP_AFTER_MS

Step = tuple[object, ...]

_READINGS = (REACHED, REFUSED, msgspec.structs.replace(REACHED, cleared_ms=None, cleared_by=None, watched_ms=5))
_payment = st.integers(0, 3)
_spans_ms = st.sampled_from((1, 300, 1700, 2000, 5000, 12_000, 30_000, 30_001, 41_000, DAY + 1))
_probe = st.one_of(
    st.tuples(st.just("round trips"), st.integers(1, 6), st.booleans(), st.booleans()),
    st.tuples(st.just("auth_probes"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("socket"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("auth"), st.sampled_from((None, "u1", "u2")), st.booleans()),
    st.tuples(st.just("reports"), st.integers(1, 7), st.sampled_from(_READINGS), st.sampled_from(Flow)),
    st.tuples(st.just("report"), _payment, st.sampled_from(("u1", "u2")), st.sampled_from(_READINGS)),
)
_small = st.one_of(
    st.tuples(st.just("good"), st.integers(1, 12)),
    st.tuples(st.just("bad"), st.integers(1, 14)),
    st.tuples(st.just("action")),
    st.tuples(st.just("think"), st.sampled_from("ab")),
    st.tuples(st.just("say"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("beat")),
    st.tuples(st.just("pass"), _spans_ms),
    st.tuples(st.just("pay"), _payment, st.sampled_from((None, "u1", "u2")), st.sampled_from((None, 1, 10))),
    st.tuples(st.just("ack"), _payment, st.sampled_from(Stage), st.sampled_from((None, *SkipReason))),
    st.tuples(st.just("broadcast"), st.sampled_from(("u1", "u2"))),
    st.tuples(st.just("ignore"), _payment, st.sampled_from(IgnoreReason)),
    st.tuples(st.sampled_from(("start", "jump", "hold", "resume", "roll back", "reset"))),
    _probe,
    st.tuples(st.just("approve"), st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.just("adopt"), st.sampled_from((*range(len(POLICIES)), *range(len(POLICIES) - 1)))),
)
_rise = st.tuples(st.just("rise"), st.integers(1, 4))
"""Good payments, and whatever people must do, until the next climbs."""
_race = st.tuples(st.just("race"), _small, st.booleans())
"""A decision, something that comes between, and then its record, once or twice."""
lives = st.lists(st.one_of(_rise, _race, _race, _small, _small), min_size=6, max_size=40)


class Life(World):
    """A world that checks, at every record, what must hold at every record."""

    def __init__(self) -> None:
        self.pocket: list[Decision] = []
        super().__init__(POLICIES[0], decides=False)

    def append(self, observation: Observation) -> None:
        """Fold a fact, and check the move that it made or did not make."""
        policy, rung = self.state.policy, self.state.flag.rung
        before = (self.state.flag.version, self.state.flag.guard_version)
        readings = gates(self.state) if isinstance(observation, Climbed) else ()
        super().append(observation)
        after = self.state.flag.rung
        if isinstance(observation, Climbed) and after != rung:
            assert (observation.version, observation.guard_version) == before, "a stale climb never"
            assert after == rung + 1 == observation.to_rung, "only one rung up"
            assert readings, "only where there is a gate"
            assert all(gate.passes for gate in readings), "only through gates that all hold"
        elif isinstance(observation, Fell) and policy is not None:
            assert after == 0, "a fall always lands"
        elif isinstance(observation, PolicyAdopted) and policy is not None:
            old, new = policy.ladder[rung], observation.policy.ladder[after]
            assert after == 0 or (new.mode.rank <= old.mode.rank and new.share_ppm <= old.share_ppm)
        else:
            assert after in {0, rung}, "nothing else climbs"
        self._check_answers()
        self._check_memory()

    def _check_answers(self) -> None:
        flag, is_latched = self.state.flag, any(indicator.is_latched for indicator in self.state.indicators.values())
        assert flag.suspension is None or (flag.rung > 0 and is_latched), "a suspension answers an alarm on a push rung"
        if is_latched or self.state.visibility.is_fall_due or self.state.visibility.is_cut_off:
            assert {served(self.state, bucket).mode for bucket in (None, 0, 999_999)} == {T}

    def _check_memory(self) -> None:
        state = self.state
        open_journeys = state.journeys
        assert all(open_journeys[name].is_pending for name in state.awaiting)
        assert {name for names in state.by_user.values() for name in names} <= set(open_journeys)
        assert all(state.by_user.values())
        unknown = [one for one in open_journeys.values() if one.arrived_ms is None and one.ignored is None]
        assert len(unknown) == state.waiting_acks
        assert all(state.now_ms < due_ms <= state.now_ms + _LONGEST_MS for due_ms, *_ in state.agenda)
        assert {name for _, _, _, name in state.agenda} >= set(open_journeys)
        assert len(state.coverage.hours) <= 25
        assert len(state.coverage.last) <= 200
        assert len(state.reach.flows) <= 200
        reach = state.indicators["reach"]
        assert not reach.is_latched or reach.alarmed_ms
        assert all(len(payer.early) <= 8 for payer in state.payers.values())
        agenda = {(what, key) for _, what, key in state.payer_agenda}
        assert agenda >= {("payer", user) for user in state.payers}, "nobody is kept for ever"
        assert agenda >= {("decide", name) for name in state.paid}
        assert {entry.user_ref for entry in state.paid.values()} <= set(state.payers)

    def live(self, steps: list[Step]) -> None:
        """Make the steps happen."""
        self.wire()
        for step in steps:
            self._step(step)

    def drain(self) -> None:
        """Make time pass until no payment can be open."""
        for _ in range(20):
            self.now_ms += 5 * SECOND
            self.beat()

    def _step(self, step: Step) -> None:  # noqa: C901, PLR0912 - one case for each kind of step
        match step:
            case ["good", int(count)]:
                for _ in range(count):
                    self.ack(self.pay(user=None))
                    self._tick()
            case ["bad", int(count)]:
                for _ in range(count):
                    self.pay(user=None)
                    self._tick()
            case ["rise", int(count)]:
                self._rise(count)
            case ["race", tuple(between), bool(is_twice)]:
                self._rise(0)
                decision = decide(self.state, "b").decision
                self._step(between)
                for _ in range((1 + is_twice) if decision is not None else 0):
                    assert decision is not None
                    self.append(decision)
            case ["action"]:
                decision = decide(self.state, "a").decision
                if decision is not None:
                    self.see(decision)
            case ["think", str(replica)]:
                decision = decide(self.state, replica).decision
                if decision is not None:
                    self.pocket.append(decision)
            case ["say", int(index), bool(is_duplicate)] if self.pocket:
                decision = self.pocket[index % len(self.pocket)]
                (self.append if is_duplicate else self.see)(decision)
            case ["pass", int(span_ms)]:
                self.now_ms += span_ms
            case ["pay", int(number), user, waited_s]:
                assert user is None or isinstance(user, str)
                assert waited_s is None or isinstance(waited_s, int)
                self.pay(name=f"pi_own_{number}", user=user, waited_s=waited_s)
            case ["ack", int(number), Stage() as stage, reason]:
                assert reason is None or isinstance(reason, SkipReason)
                self.ack(f"pi_own_{number}", stage, reason)
            case ["broadcast", str(user)]:
                self.broadcast(user)
            case ["ignore", int(number), IgnoreReason() as why]:
                self.ignore(f"pi_own_{number}", why)
            case ["round trips" | "auth_probes" | "socket" | "auth" | "reports" | "report", *_]:
                self._probe(step)
            case ["approve", int(rung), int(epoch)]:
                self.approve(rung, epoch)
            case ["adopt", int(number)]:
                self.adopt(POLICIES[number])
            case [str(action)]:
                self._action(action)

    def _probe(self, step: Step) -> None:
        match step:
            case ["round trips", int(count), bool(is_ok), bool(is_cut_off)]:
                for _ in range(count):
                    outcome = RoundTripOutcome.OK if is_ok else RoundTripOutcome.LOST
                    is_blind = is_cut_off and not is_ok
                    self.see(RoundTripEnded(replica="a", outcome=outcome, took_ms=9, is_cut_off=is_blind))
                    self._tick()
            case ["auth_probes", int(count), bool(is_ok)]:
                for _ in range(count):
                    auth_probe = AuthProbeOutcome.OK if is_ok else AuthProbeOutcome.REFUSED_403
                    self.see(
                        ChannelAuthProbed(replica="a", outcome=auth_probe, step=AuthProbeStep.AUTHORISE, took_ms=9)
                    )
            case ["socket", int(observer), bool(is_up)]:
                self.see(ObserverChanged(replica="a", observer=observer, is_up=is_up, outcome=AuthProbeOutcome.OK))
            case ["reports", int(count), Reading() as reading, Flow() as flow]:
                rung, version = self.state.rung, self.state.flag.version
                mode = rung.mode if rung is not None else T
                for number in range(count):
                    reporter = f"r{number}"
                    name = self.pay(user=reporter)
                    self.ack(name)
                    reported = msgspec.structs.replace(reading, flow=flow, mode=mode, version=version)
                    self.report(name, reporter, reported)
                    self._tick()
            case ["report", int(number), str(user), Reading() as reading]:
                self.report(f"pi_own_{number}", user, reading)
            case ["auth", user, bool(is_ok)]:
                assert user is None or isinstance(user, str)
                self.see(UserAuthReported(result=UserAuth.OK if is_ok else UserAuth.GUEST, user_ref=user))

    def _rise(self, count: int) -> None:
        self.resume()
        self.approve(self.state.flag.rung + 1, self.state.indicators["payments"].epoch)
        for _ in range(count):
            self._step(("good", 14))
            self._step(("action",))
        self._step(("good", 14))

    def _tick(self) -> None:
        self.now_ms += 2 * SECOND
        self.beat()

    def _action(self, action: str) -> None:
        match action:
            case "beat":
                self.beat()
            case "start":
                self.start()
            case "jump":
                self.jump(2000)
            case "hold":
                self.hold()
            case "resume":
                self.resume()
            case "roll back":
                self.roll_back()
            case "reset":
                self.reset()
            case _:
                pass
