"""The evaluations of the flag for OpenFeature SDKs, over OFREP 0.3.0.

The problem: SDKs have no leases. Their providers keep the last value for as long as the sidecar cannot be reached, and
with every 304; so an old value of push would be used for ever.

What we do: there are two flags. The value of the *object* flag is the whole answer with `issued_at`, so that a client
can compute when it expires. The *mode* flag is a plain string for clients that do not check: it is never better than
timers, unless the evaluation context has `checksLease`, by which a client promises to check.

The entity tag covers the whole evaluation with `issued_at`. For push, `issued_at` advances in steps of at most
`max-age`: within a step a 304 confirms a value that is recent enough, after it a 200 renews the value. For timers,
which need no lease, `issued_at` is constant: the instant since which this replica has answered so, which is not before
any push that it answered earlier.
"""

import enum
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec

from sidecar.core.facts.policy import Mode
from sidecar.core.fold.serving import Reason, Served
from sidecar.flags.answers import Answers, Tagged
from sidecar.ports import ErrorCode, SidecarError

MODE_SUFFIX = "-mode"
STREAM_PATH = "/ofrep/v1/stream"
_HIDDEN_MAX_S = 120
"""Seconds in a hidden tab after which a provider closes its stream; it evaluates again when the tab is visible."""
_OFF = frozenset({
    Reason.ALARM, Reason.SUSPENDED, Reason.DRY_RUN, Reason.STARTING, Reason.NO_LEASE,
    Reason.POLICY_DIFFERS,
})  # fmt: skip
"""Reasons for which push is off on every rung."""


class EvaluationReason(enum.StrEnum):
    """The reason of a value, in OpenFeature's terms; only those that every provider accepts."""

    STATIC = "STATIC"
    """All users get this value."""
    SPLIT = "SPLIT"
    """The user's bucket decides."""
    TARGETING_MATCH = "TARGETING_MATCH"
    """The context decides: it promises to check the lease, or its user has an override."""
    DISABLED = "DISABLED"
    """Push is switched off: an alarm, a suspension, a dry run, or this replica may not answer it."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an evaluation context that are used."""

    targeting_key: str | None = None
    """None with a share below 100 %: timers, as in the plain API. It is no error."""
    checks_lease: bool = False
    """Whether the client of the mode flag promises to check `issued_at` and `valid_for_s` in its metadata."""


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """One flag's evaluation in OFREP's shape. Each field is required by some provider."""

    key: str
    value: msgspec.Raw | Mode
    reason: EvaluationReason
    variant: Mode
    metadata: dict[str, str | int | float]
    """Primitives only: providers drop the rest."""


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """All flags as bytes, with the strong entity tag of exactly these bytes."""

    body: bytes
    etag: str
    issued_at_ms: int


class Evaluations:
    """The evaluations of both flags."""

    def __init__(self, answers: Answers, has_permits: Callable[[], bool]) -> None:
        self._answers = answers
        self._has_permits = has_permits
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
        """Return the evaluations of all flags, and the URL of the stream while it has permits."""
        flags, answer, issued_at_ms = self._flags(context, now_s)
        body: dict[str, Any] = {
            "flags": flags,
            "metadata": {"environment": self._answers.environment, "version": answer.version},
        }
        if self._has_permits():  # the web provider retries a refused stream every second, for ever
            endpoint = {"requestUri": stream_uri(context)}
            body["eventStreams"] = [{"type": "sse", "endpoint": endpoint, "inactivityDelaySec": _HIDDEN_MAX_S}]
        encoded = msgspec.json.encode(body)
        return Bulk(body=encoded, etag=f'"{hashlib.sha256(encoded).hexdigest()[:32]}"', issued_at_ms=issued_at_ms)

    def _flags(self, context: Context, now_s: float) -> tuple[tuple[Evaluated, Evaluated], Tagged, int]:
        answers = self._answers
        answer = answers.answer(context.targeting_key, now_s)
        issued_at_ms = self._issued_at_ms(answer, now_s)
        is_split = answer.decided != answers.answer(None, now_s).decided
        metadata: dict[str, str | int | float] = {
            "environment": answers.environment,
            "version": answer.version,
            "issued_at": issued_at_ms,
            "valid_for_s": answers.valid_for_s,
            "why": answer.decided.reason,
        }
        mode, reason = answer.decided.mode, _reason(answer.decided, is_split=is_split)
        whole = Evaluated(
            key=answers.flag,
            value=msgspec.Raw(answer.issued(issued_at_ms)),
            reason=reason,
            variant=mode,
            metadata=metadata,
        )
        if answer.is_push and context.checks_lease:
            reason = EvaluationReason.TARGETING_MATCH
        elif answer.is_push:
            mode, reason = Mode.TIMER_POLLING, EvaluationReason.STATIC
            metadata = {**metadata, "why": "lease_unchecked"}
        plain = Evaluated(key=answers.flag + MODE_SUFFIX, value=mode, reason=reason, variant=mode, metadata=metadata)
        return (whole, plain), answer, issued_at_ms

    def _issued_at_ms(self, answer: Tagged, now_s: float) -> int:
        """Return the issue time of an answer in Unix milliseconds: in steps for push, constant for timers."""
        now_ms = self._answers.now_ms()
        change_key = self._answers.change_key(now_s)
        if change_key != self._change_key:
            self._change_key, self._since_ms = change_key, now_ms
        return now_ms - now_ms % self._step_ms if answer.is_push else self._since_ms


def stream_uri(context: Context) -> str:
    """Return the URL of the stream for this context, relative to the provider's origin."""
    query = {}
    if context.targeting_key is not None:
        query["targeting_key"] = context.targeting_key
    if context.checks_lease:
        query["checks_lease"] = "true"
    return f"{STREAM_PATH}?{urlencode(query)}" if query else STREAM_PATH


def _reason(decided: Served, *, is_split: bool) -> EvaluationReason:
    if decided.reason in _OFF:
        return EvaluationReason.DISABLED
    if decided.reason is Reason.OVERRIDE:
        return EvaluationReason.TARGETING_MATCH
    return EvaluationReason.SPLIT if is_split else EvaluationReason.STATIC
