"""Test payments of `sidecar test-payment`: judged like others, answered as tests, and never journalled.

The names of these payments begin with a prefix that Stripe never uses. `GuardedJournal` keeps whatever names one of
them out of the journal, so it can be no evidence, whichever way it came: webhook, ack, ack stream, broadcast, report.
"""

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.core.facts.observations import (
    AckReceived,
    IgnoreReason,
    Observation,
    PaymentIgnored,
    PaymentSucceeded,
    Record,
)
from sidecar.core.facts.outcomes import Outcome
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.fold.state import State
from sidecar.parts.part import Part
from sidecar.parts.routes import OPERATOR, get
from sidecar.ports import Appended, Backlog, Creation, ErrorCode, Journal, Link, SidecarError
from sidecar.probes.ack_faults import SHOWN_MAX, fault_of, sentence

PREFIX = "pi_sidecar_test_"
TRIALS_MAX = 32
"""The oldest are forgotten. Only who has a secret of the sidecar can add one."""
ACKS_MAX = 20


class TrialAck(msgspec.Struct, frozen=True, kw_only=True):
    """An ack of a test payment."""

    source: str
    stage: Stage
    after_ms: int | None
    """Since the webhook; None: it came before."""
    why_not: str
    """Why it does not decide; empty: it does."""


class PaymentTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What the sidecar knows of a test payment."""

    payment_intent: str
    has_arrived: bool
    """Whether its webhook arrived."""
    ignored: IgnoreReason | None
    """Why a payment like it would not be judged; None: it would be."""
    acks: tuple[TrialAck, ...]
    outcome: Outcome | None
    """None: it is not decided yet."""
    took_ms: int | None
    """From the webhook to the ack that decides."""
    on_time_within_ms: int
    missed_after_ms: int
    stage: Stage
    """The stage that decides."""


class _Open(msgspec.Struct, kw_only=True):
    arrived_s: float | None = None
    ignored: IgnoreReason | None = None
    acks: list[tuple[AckReceived, float]] = []


def is_trial(payment_intent: str | None) -> bool:
    """Return whether a payment's name is that of a test payment."""
    return payment_intent is not None and payment_intent.startswith(PREFIX)


class PaymentTrials(Part):
    """The test payments of this process."""

    def __init__(self, policy: Callable[[], Policy]) -> None:
        self._policy = policy
        self._open: dict[str, _Open] = {}

    def takes(self, fact: Observation) -> bool:
        """Record a fact that names a test payment, and return whether it did: then it must not be journalled."""
        name = getattr(fact, "payment_intent", None)
        if not is_trial(name):
            return False
        trial = self._trial(str(name))
        match fact:
            case PaymentSucceeded() | PaymentIgnored():
                trial.arrived_s = trial.arrived_s or clock.monotonic_s()
                trial.ignored = fact.reason if isinstance(fact, PaymentIgnored) else None
            case AckReceived() if len(trial.acks) < ACKS_MAX:
                trial.acks.append((fact, clock.monotonic_s()))
            case _:
                pass
        return True

    @get("/api/test-payments/{payment_intent}", on=OPERATOR)
    async def get_trial(self, request: web.Request) -> web.Response:
        """Return what is known of a test payment."""
        name = request.match_info["payment_intent"]
        if name not in self._open:
            message = "no such test payment: it is of another process, or the sidecar was restarted since"
            raise SidecarError(ErrorCode.NOT_FOUND, message)
        body = msgspec.json.encode(self.trial_of(name))
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    def trial_of(self, name: str) -> PaymentTrial:
        """Return a test payment, judged by the policy in force."""
        trial, policy = self._open[name], self._policy()
        acks = tuple(_ack_of(fact, at_s, trial, policy) for fact, at_s in trial.acks)
        took_ms = min((each.after_ms or 0 for each in acks if not each.why_not), default=None)
        return PaymentTrial(
            payment_intent=name,
            has_arrived=trial.arrived_s is not None,
            ignored=trial.ignored,
            acks=acks,
            outcome=_outcome(trial, took_ms, policy),
            took_ms=took_ms,
            on_time_within_ms=policy.on_time_within_ms,
            missed_after_ms=policy.missed_after_ms,
            stage=policy.stage,
        )

    def _trial(self, name: str) -> _Open:
        if name not in self._open:
            while len(self._open) >= TRIALS_MAX:
                del self._open[next(iter(self._open))]
            self._open[name] = _Open()
        return self._open[name]


def _ack_of(fact: AckReceived, at_s: float, trial: _Open, policy: Policy) -> TrialAck:
    after_ms = None if trial.arrived_s is None else round(1000 * (at_s - trial.arrived_s))
    fault = fault_of(fact, policy, None)
    why_not = ""
    if fault is not None:
        why_not = sentence(fault, policy, fact.contexts[:SHOWN_MAX])
    elif fact.stage is not policy.stage:
        why_not = f"its stage is `{fact.stage}`; `acks.stage` is `{policy.stage}`"
    early = after_ms is not None and after_ms < 0
    return TrialAck(source=fact.source, stage=fact.stage, after_ms=None if early else after_ms, why_not=why_not)


def _outcome(trial: _Open, took_ms: int | None, policy: Policy) -> Outcome | None:
    if trial.arrived_s is None or trial.ignored is not None:
        return None
    if took_ms is not None and took_ms < policy.on_time_within_ms:
        return Outcome.ON_TIME
    if took_ms is not None and took_ms < policy.missed_after_ms:
        return Outcome.LATE
    is_over = 1000 * (clock.monotonic_s() - trial.arrived_s) >= policy.missed_after_ms
    return Outcome.MISSED if is_over else None


NOT_RECORDED = 0
"""The `seq` of what was kept out of the journal."""


class GuardedJournal:
    """A journal that keeps test payments out; everything else it passes on."""

    def __init__(self, journal: Journal, trials: PaymentTrials) -> None:
        self._journal, self._trials = journal, trials

    async def append(self, observation: Observation) -> Appended:
        """Append the observation, or give it to the trials: then its record has `NOT_RECORDED`."""
        if self._trials.takes(observation):
            record = Record(seq=NOT_RECORDED, at_ms=self._journal.now_ms(), observation=observation)
            return Appended(record=record, duplicate=False)
        return await self._journal.append(observation)

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Pass it on."""
        return await self._journal.read(after, limit)

    async def links(self, before: int, limit: int) -> Sequence[Link]:
        """Pass it on."""
        return await self._journal.links(before, limit)

    async def find(self, key: str) -> Record | None:
        """Pass it on."""
        return await self._journal.find(key)

    async def load_snapshot(self) -> State:
        """Pass it on."""
        return await self._journal.load_snapshot()

    async def save_snapshot(self, seq: int, body: bytes) -> None:
        """Pass it on."""
        await self._journal.save_snapshot(seq, body)

    async def check(self) -> None:
        """Pass it on."""
        await self._journal.check()

    async def recheck(self) -> None:
        """Pass it on."""
        await self._journal.recheck()

    async def trim(self, before_ms: int) -> int:
        """Pass it on."""
        return await self._journal.trim(before_ms)

    async def wait(self, after: int) -> None:
        """Pass it on."""
        await self._journal.wait(after)

    def now_ms(self) -> int:
        """Pass it on."""
        return self._journal.now_ms()

    def creation(self) -> Creation:
        """Pass it on."""
        return self._journal.creation()

    def backlog(self) -> Backlog:
        """Pass it on."""
        return self._journal.backlog()

    async def close(self) -> None:
        """Pass it on."""
        await self._journal.close()
