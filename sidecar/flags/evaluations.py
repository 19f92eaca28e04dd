"""What does the flag evaluate to for an OpenFeature SDK, over OFREP 0.3.0?

The problem: an SDK knows no lease. Its providers keep the last value for as long as they cannot reach us, and through
every 304; so a push that was right once would be believed for ever.

What we do: there are two flags. The *object* flag has the whole answer as its value, and `issued_at` in it, so that
whoever reads it can tell when it has run out. The *mode* flag is a plain string for those who do not look, and so it
never says better than timers, unless the evaluation context promises with `checksLease` that somebody looks.

`issued_at` and 304 go together so: the entity tag is that of all that was evaluated, `issued_at` included. Of a push it
moves in steps of at most `max-age`: within a step a 304 keeps what is as good as new, after it a 200 renews. Of timers,
which need no lease, it stands still, and a 304 says that all is as it was. It then is the moment from which this
replica answers as it does, which is no earlier than any push that it answered before.
"""

import enum
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec

from sidecar import clock
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.serving import Reason, Served
from sidecar.flags.answers import Answers, Tagged
from sidecar.ports import ErrorCode, SidecarError

MODE_SUFFIX = "-mode"
STREAM_PATH = "/ofrep/v1/stream"
_HIDDEN_MAX_S = 120
"""After so long in a hidden tab a provider closes its stream, and asks anew when the tab is seen again."""
_OFF = frozenset({
    Reason.ALARM, Reason.SUSPENDED, Reason.DRY_RUN, Reason.STARTING, Reason.NO_LEASE,
    Reason.POLICY_DIFFERS,
})  # fmt: skip
"""Why push is switched off, whatever rung is held."""


class EvaluationReason(enum.StrEnum):
    """Why a value is what it is, in OpenFeature's words; only those that every provider accepts."""

    STATIC = "STATIC"
    """Everybody gets it."""
    SPLIT = "SPLIT"
    """The user's bucket decided."""
    TARGETING_MATCH = "TARGETING_MATCH"
    """The context decided: it promises to check the lease."""
    DISABLED = "DISABLED"
    """Push is switched off: an alarm, a suspension, a dry run, or this replica may not answer it."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of an evaluation context."""

    targeting_key: str | None = None
    """None, and a share below 100 %: timers, as for a plain read. It is no error."""
    checks_lease: bool = False
    """Whoever reads the mode flag promises to look at `issued_at` and `valid_for_s` in its metadata."""


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """One flag's evaluation, as OFREP has it. All providers together want each of the fields."""

    key: str
    value: msgspec.Raw | Mode
    reason: EvaluationReason
    variant: Mode
    metadata: dict[str, str | int | float]
    """Primitives only: the rest would be dropped."""


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """All flags as bytes, with the strong entity tag of exactly these bytes."""

    body: bytes
    etag: str
    issued_at_ms: int


class Evaluations:
    """The flags as OFREP evaluates them."""

    def __init__(
        self, answers: Answers, has_permits: Callable[[], bool], wall_ms: Callable[[], int] = clock.wall_ms
    ) -> None:
        self._answers = answers
        self._has_permits = has_permits
        self._wall_ms = wall_ms
        self._step_ms = max(1, int(answers.max_age_s * 1000))
        self._change_key: tuple[object, ...] | None = None
        self._since_ms = 0

    def flag(self, key: str, context: Context, now_s: float) -> bytes:
        """Return one flag's evaluation as JSON. Raises `SidecarError` with `flag_unknown`."""
        for evaluated in self._flags(context, now_s)[0]:
            if evaluated.key == key:
                return msgspec.json.encode(evaluated)
        flag = self._answers.flag
        raise SidecarError(ErrorCode.FLAG_UNKNOWN, f"there is no flag of this name; there are {flag} and {flag}-mode")

    def bulk(self, context: Context, now_s: float) -> Bulk:
        """Return all flags' evaluations, and where their changes are told while there is room for one more stream."""
        flags, told, issued_at_ms = self._flags(context, now_s)
        answer: dict[str, Any] = {
            "flags": flags,
            "metadata": {"environment": self._answers.environment, "version": told.version},
        }
        if self._has_permits():  # the web provider asks for a stream that is refused again every second, for ever
            endpoint = {"requestUri": stream_uri(context)}
            answer["eventStreams"] = [{"type": "sse", "endpoint": endpoint, "inactivityDelaySec": _HIDDEN_MAX_S}]
        body = msgspec.json.encode(answer)
        return Bulk(body=body, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"', issued_at_ms=issued_at_ms)

    def _flags(self, context: Context, now_s: float) -> tuple[tuple[Evaluated, Evaluated], Tagged, int]:
        answers = self._answers
        told = answers.answer(context.targeting_key, now_s)
        issued_at_ms = self._issued_at_ms(told, now_s)
        is_split = told.decided != answers.answer(None, now_s).decided
        metadata: dict[str, str | int | float] = {
            "environment": answers.environment,
            "version": told.version,
            "issued_at": issued_at_ms,
            "valid_for_s": answers.valid_for_s,
            "why": told.decided.reason,
        }
        mode, reason = told.decided.mode, _reason(told.decided, is_split=is_split)
        whole = Evaluated(
            key=answers.flag,
            value=msgspec.Raw(told.issued(issued_at_ms)),
            reason=reason,
            variant=mode,
            metadata=metadata,
        )
        if told.is_push and context.checks_lease:
            reason = EvaluationReason.TARGETING_MATCH
        elif told.is_push:
            mode, reason = Mode.TIMER_POLLING, EvaluationReason.STATIC
            metadata = {**metadata, "why": "lease_unchecked"}
        plain = Evaluated(key=answers.flag + MODE_SUFFIX, value=mode, reason=reason, variant=mode, metadata=metadata)
        return (whole, plain), told, issued_at_ms

    def _issued_at_ms(self, told: Tagged, now_s: float) -> int:
        """Return from when on the answer is to be believed: in steps of a push, and standing still of timers."""
        now_ms = self._wall_ms()
        change_key = self._answers.change_key(now_s)
        if change_key != self._change_key:
            self._change_key, self._since_ms = change_key, now_ms
        return now_ms - now_ms % self._step_ms if told.is_push else self._since_ms


def stream_uri(context: Context) -> str:
    """Return where changes are told of what is evaluated in this context, relative to the provider's own origin."""
    query = {}
    if context.targeting_key is not None:
        query["targeting_key"] = context.targeting_key
    if context.checks_lease:
        query["checks_lease"] = "true"
    return f"{STREAM_PATH}?{urlencode(query)}" if query else STREAM_PATH


def _reason(decided: Served, *, is_split: bool) -> EvaluationReason:
    if decided.reason in _OFF:
        return EvaluationReason.DISABLED
    return EvaluationReason.SPLIT if is_split else EvaluationReason.STATIC
