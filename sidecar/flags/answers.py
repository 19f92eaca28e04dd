"""The flag's answer for one user, and how long it is valid."""

import hashlib
from collections.abc import Callable

import msgspec

from sidecar import clock
from sidecar.core.facts.policy import PPM, SCHEDULES, Mode
from sidecar.core.fold import overrides
from sidecar.core.fold.serving import Reason, Served, bucket_of, served
from sidecar.core.fold.state import State
from sidecar.flags.lease import Lease
from sidecar.metrics.rows import state_set
from sidecar.parts.metrics import gauge
from sidecar.parts.part import Part

MAX_AGE_S_MAX = 2.0
_KEPT_MAX = 64
"""Encoded answers in the cache; there are a few per version."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer. The names are a contract with every frontend."""

    flag: str
    mode: Mode
    refetch_after_ms: tuple[int, ...]
    safety_net_ms: int | None
    refetch_on_subscribe: bool
    version: int
    """Of the decision; goes up."""
    valid_for_s: float
    """How long after the request the answer is valid, in seconds; half a lease, constant per decision."""
    reason: Reason
    environment: str


class Tagged(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as bytes, with the strong entity tag of exactly these bytes."""

    body: bytes
    etag: str
    max_age_s: int
    decided: Served
    version: int

    @property
    def is_push(self) -> bool:
        """Whether it is anything better than timers, and therefore leased."""
        return self.decided.mode is not Mode.TIMER_POLLING

    def issued(self, at_ms: int) -> bytes:
        """Return the body with `issued_at` in Unix milliseconds, for clients that cannot read the header."""
        return b'%s,"issued_at":%d}' % (self.body[:-1], at_ms)


class Answers(Part):
    """Answers from the state, as far as the lease and this replica's own configuration allow."""

    def __init__(
        self,
        state: State,
        lease: Lease,
        *,
        flag: str,
        environment: str,
        lease_ms: int,
        policy_hash: str,
        now_ms: Callable[[], int],
        user_ref: Callable[[str], str] | None = None,
    ) -> None:
        self.now_ms = now_ms
        """Returns the present in Unix milliseconds on the journal's clock, on which answers are dated: clients ignore
        a push that is not newer than their last answer, and the wall clock may be set back."""
        self._state = state
        self._lease = lease
        self.flag = flag
        self.environment = environment
        self._lease_ms = lease_ms
        self._policy_hash = policy_hash
        self._user_ref = user_ref
        """Returns the reference of a user for a targeting key; None: there is no key for it, and so no override."""
        self._kept: dict[tuple[Served, int], Tagged] = {}
        self._for_all: Tagged | None = None
        self._for_all_seq = -1
        self._is_push_for_all = False

    @gauge("flag_mode", "1 for the mode of this replica's answer to a user of every share.", {"mode": Mode})
    def _mode(self) -> dict[str, float]:
        return state_set(Mode, self.served_to_all(clock.monotonic_s()).mode)

    @gauge(
        "flag_reason",
        "1 for the reason of this replica's answer to a user of every share.",
        {"reason": Reason},
    )
    def _reason(self) -> dict[str, float]:
        return state_set(Reason, self.served_to_all(clock.monotonic_s()).reason)

    @gauge("flag_valid_until_timestamp_seconds", "End of this replica's lease, in the future or the past.")
    def _valid_until_s(self) -> float:
        return clock.wall_ms() / 1000 + self.lease_remaining_s(clock.monotonic_s())

    @gauge("flag_lease_remaining_seconds", "Remaining time of this replica's lease, on its monotonic clock; 0: none.")
    def _remaining_s(self) -> float:
        return max(0.0, self.lease_remaining_s(clock.monotonic_s()))

    def served_to_all(self, now_s: float) -> Served:
        """Return the mode for a user who belongs to every share, and why. `now_s` is on the monotonic clock."""
        return self._served(0, now_s)

    def _served(self, bucket: int | None, now_s: float, override: Mode | None = None) -> Served:
        state = self._state
        if state.policy is not None and state.policy_hash != self._policy_hash:
            return Served(mode=Mode.TIMER_POLLING, reason=Reason.POLICY_DIFFERS)
        answer = served(state, bucket, override=override)
        if answer.mode is not Mode.TIMER_POLLING and not self.covers_push(now_s):
            return Served(mode=Mode.TIMER_POLLING, reason=Reason.NO_LEASE)
        return answer

    def covers_push(self, now_s: float) -> bool:
        """Return whether the lease lasts for as long as an answer may be cached and is valid."""
        return self.lapses_in_s(now_s) >= 0

    def lapses_in_s(self, now_s: float) -> float:
        """Return for how many seconds push may still be answered without a new lease; below 0: not now."""
        return self.lease_remaining_s(now_s) - self.max_age_s - self.valid_for_s

    def change_key(self, now_s: float) -> tuple[object, ...]:
        """Return a key that changes whenever the answer of any user may change."""
        state = self._state
        overridden = overrides.standing(state) and (overrides.are_served(state), state.flag.overrides)
        return state.flag.version, state.flag.rung, state.policy_hash, self.served_to_all(now_s), overridden

    def lease_remaining_s(self, now_s: float) -> float:
        """Return the remaining time of this replica's lease in seconds; at or below 0 it has lapsed."""
        return self._lease.remaining_s(self._lease_ms / 1000, now_s)

    def answer(self, targeting_key: str | None, now_s: float) -> Tagged:
        """Return the answer for a user. `now_s` is on the monotonic clock."""
        state = self._state
        if self._for_all_seq != state.seq:
            self._find_answer_for_all(now_s)
        common, override = self._for_all, self._override_of(targeting_key)
        if common is not None and override is None and (not self._is_push_for_all or self.covers_push(now_s)):
            return common
        bucket = None if targeting_key is None else bucket_of(self.flag, targeting_key)
        return self._keep(self._served(bucket, now_s, override))

    def _override_of(self, targeting_key: str | None) -> Mode | None:
        """Return the mode that an operator chose for a user; None: no operator did."""
        if not self._state.flag.overrides or targeting_key is None or self._user_ref is None:
            return None
        return overrides.mode_of(self._state, self._user_ref(targeting_key))

    def _find_answer_for_all(self, now_s: float) -> None:
        """Compute the common answer, once per record; None if a rung is for a share of the users only."""
        state = self._state
        self._for_all_seq = state.seq
        climbed = () if state.policy is None else state.policy.ladder[1 : state.flag.rung + 1]
        decided = self._served(None, now_s)
        has_shares = any(rung.share_ppm < PPM for rung in climbed)
        self._for_all = None if has_shares else self._keep(decided)
        self._is_push_for_all = decided.mode is not Mode.TIMER_POLLING

    def _keep(self, decided: Served) -> Tagged:
        key = (decided, self._state.flag.version)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            kept = self._kept[key] = self._encode(decided)
        return kept

    def _encode(self, decided: Served) -> Tagged:
        schedule = SCHEDULES[decided.mode]
        body = msgspec.json.encode(
            Answer(
                flag=self.flag,
                mode=decided.mode,
                refetch_after_ms=schedule.refetch_after_ms,
                safety_net_ms=schedule.safety_net_ms,
                refetch_on_subscribe=True,
                version=self._state.flag.version,
                valid_for_s=self.valid_for_s,
                reason=decided.reason,
                environment=self.environment,
            )
        )
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return Tagged(
            body=body, etag=etag, max_age_s=int(self.max_age_s), decided=decided, version=self._state.flag.version
        )

    @property
    def valid_for_s(self) -> float:
        """How long an answer is valid, in seconds: half a lease."""
        return self._lease_ms / 2000

    @property
    def max_age_s(self) -> float:
        """How long an answer may be cached, in seconds."""
        return min(self._lease_ms / 15_000, MAX_AGE_S_MAX)
