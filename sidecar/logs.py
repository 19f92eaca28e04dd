"""Structured logs: JSON for machines, or readable lines for a person at a terminal. Event names are constants.

Input from outside only ever goes into fields, where the renderers escape it: a line cannot be forged. Never bodies,
secrets, signatures or e-mail addresses.
"""

import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, assert_never

import msgspec
import structlog

from sidecar import clock
from sidecar.core.facts.observations import Noted, OperatorAction, Record
from sidecar.core.facts.policy import PPM
from sidecar.core.fold.conclusions import (
    AlarmEnded,
    AlarmRaised,
    ClimbIgnored,
    Conclusion,
    EpochBegan,
    FilterContradicted,
    FlagMoved,
    IsolationBroken,
    PaymentLeftOut,
    PaymentSettled,
    PolicyChanged,
    PolicyRefused,
    SuspensionBegan,
    SuspensionEnded,
)
from sidecar.metrics.declarations import counted

_LINES_MAX = 10_000
_LINES_AT_ONCE = 100
"""Written in one call: each lets go of the interpreter and takes it back, which costs more than a line."""
_FLUSH_S = 1.0
_THROTTLE_S = 10.0


LEVELS = ("info", "warning", "error", "critical")
"""The levels of lines that are written; lower ones are not."""


class LineCounts:
    """How many lines there were."""

    def __init__(self) -> None:
        self.dropped = 0
        """Lines that could not be written."""
        self.by_level = dict.fromkeys(LEVELS, 0)
        self._lock = threading.Lock()

    @counted(
        "log_lines_dropped",
        "Log lines that could not be written: a stuck reader, a broken pipe or a full disk.",
    )
    def _dropped(self) -> float:
        return self.dropped

    @counted(
        "log_lines",
        "Log lines by level, with those that could not be written, without throttled ones.",
        {"level": LEVELS},
    )
    def _by_level(self) -> Mapping[str, float]:
        return dict(self.by_level)

    def count(self, _: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Count a line by its level, from whatever thread, and pass it on: a processor of structlog's."""
        level = fields["level"]
        if level in self.by_level:
            with self._lock:
                self.by_level[level] += 1
        return fields


class Lines(LineCounts):
    """Writes lines to a file descriptor from a thread of its own, and never fails.

    A log is written from the event loop: a reader that is stuck, a pipe that is broken or a disk that is full must
    not stop webhooks and decisions. What cannot be written in time is dropped and counted.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_for_ever, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Take a line, or drop it where too many wait."""
        if self._queue.qsize() >= _LINES_MAX:
            self.dropped += 1
        else:
            self._queue.put(line.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Return at once: nobody waits for a log."""

    def close(self) -> None:
        """Give what waits a second to be written."""
        self._queue.put(None)
        self._thread.join(_FLUSH_S)

    def _write_for_ever(self) -> None:
        is_open = True
        while is_open:
            lines = [self._queue.get()]
            while not self._queue.empty() and len(lines) < _LINES_AT_ONCE:
                lines.append(self._queue.get())
            is_open = None not in lines
            rest = b"".join(line for line in lines if line is not None)
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except OSError:
                    self.dropped += rest.count(b"\n")
                    break


def configure(*, as_json: bool, descriptor: int = 1, silent: frozenset[str] = frozenset()) -> Lines:
    """Send our own log and the standard library's (aiohttp, asyncio) to a file, standard output, in one form.

    `silent`: events that are not written. Tracebacks are told without local variables, which may hold a body, a token
    or a secret.
    """
    lines = Lines(descriptor)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        _without(silent),
        lines.count,
        _stamp,
    ]
    if as_json:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderers: list[Any] = [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(_as_json),
        ]
    else:
        renderers = [
            structlog.dev.ConsoleRenderer(
                colors=os.isatty(descriptor), pad_event_to=18, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(lines),  # type: ignore[arg-type]  # it writes and flushes
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)
    return lines


def _without(silent: frozenset[str]) -> Callable[[object, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    """Return what drops these events: a processor of structlog's."""

    def drop(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if fields.get("event") in silent:
            raise structlog.DropEvent
        return fields

    return drop


def _stamp(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say when, by the clock of all else: a processor of structlog's."""
    fields["timestamp"] = clock.wall_iso()
    return fields


def _as_json(fields: Any, **_: Any) -> str:
    """Return fields as JSON, what JSON does not know as its `repr`: a line must never fail."""
    try:
        return msgspec.json.encode(fields, enc_hook=repr).decode()
    except UnicodeEncodeError:  # half a character, which only the standard library writes
        return json.dumps(fields, default=repr)


class _Bridge(logging.Handler):
    """Passes the standard library's records on, each as one line: a bad request must not print a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log = structlog.get_logger()
        log.log(
            record.levelno,
            "library.logged",
            logger=record.name,
            message=record.getMessage(),
            error=type(error).__name__ if error else None,
        )


class Throttle:
    """Lets one line of each kind through in ten seconds, so that whoever sends garbage cannot fill the log."""

    def __init__(self) -> None:
        self._last_s: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def passes(self, kind: str) -> int | None:
        """Return how many lines of this kind were held back since the last; None: this one is held back too."""
        now_s = clock.monotonic_s()
        if now_s - self._last_s.get(kind, -_THROTTLE_S) < _THROTTLE_S:
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return None
        self._last_s[kind] = now_s
        return self._held_back.pop(kind, 0)

    def warn(self, kind: str, event: str, /, **fields: object) -> None:
        """Log a warning with how many of its kind were held back, or hold it back."""
        held_back = self.passes(kind)
        if held_back is not None:
            structlog.get_logger().warning(event, **fields, held_back=held_back)


def log_conclusions(
    record: Record, conclusions: list[Conclusion], payment_ref: Callable[[str], str] | None = None
) -> None:
    """Log what people did and what was concluded: one canonical line per settled payment and per move of the flag.

    With `payment_ref` the line of a payment has the reference that the metrics' exemplars know it by.
    """
    fact = record.observation
    if not conclusions and not isinstance(fact, OperatorAction):
        return
    log = structlog.get_logger().bind()  # once: otherwise each line would bind anew
    if isinstance(fact, OperatorAction):
        log.info(
            "operator.acted",
            action=type(fact).__name__,
            actor=fact.actor,
            reason=fact.text if isinstance(fact, Noted) else fact.reason,
            seq=record.seq,
            at_ms=record.at_ms,
        )
    for conclusion in conclusions:
        event, fields = _line(conclusion)
        if payment_ref is not None and isinstance(conclusion, PaymentSettled):
            fields["payment_ref"] = payment_ref(conclusion.payment_intent)
        is_bad = isinstance(conclusion, AlarmRaised | SuspensionBegan | FilterContradicted | PolicyRefused) or (
            isinstance(conclusion, FlagMoved) and conclusion.to_rung < conclusion.from_rung
        )
        log.log(logging.WARNING if is_bad else logging.INFO, event, seq=record.seq, at_ms=record.at_ms, **fields)


def _line(conclusion: Conclusion) -> tuple[str, dict[str, Any]]:  # noqa: C901, PLR0912 - one row per conclusion
    match conclusion:
        case PaymentSettled():
            return "payment.settled", {
                "payment_intent": conclusion.payment_intent,
                "outcome": conclusion.outcome,
                "unmeasured": conclusion.unmeasured,
                "stripe_wait_s": conclusion.stripe_wait_s,
                **{f"{stage}_ms": at_ms for stage, at_ms in conclusion.stages_ms.items()},
            }
        case PaymentLeftOut():
            return "payment.left_out", {
                "payment_intent": conclusion.payment_intent,
                "reason": str(conclusion.reason),
            }
        case FilterContradicted():
            return "filter.contradicted", {
                "payment_intent": conclusion.payment_intent,
                "reason": conclusion.reason.value,
                "hint": "a payment that was left out got an ack: look at stripe.required_metadata",
            }
        case FlagMoved():
            return "flag.moved", {
                "from_mode": conclusion.from_mode.value,
                "to_mode": conclusion.to_mode.value,
                "share": f"{conclusion.share_ppm / PPM:.0%}",
                "from_rung": conclusion.from_rung,
                "to_rung": conclusion.to_rung,
                "cause": str(conclusion.cause),
                "detail": conclusion.detail,
                "version": conclusion.version,
            }
        case AlarmRaised():
            return "alarm.raised", {"indicator": conclusion.indicator}
        case AlarmEnded():
            return "alarm.ended", {"indicator": conclusion.indicator}
        case EpochBegan():
            return "epoch.began", {"indicator": conclusion.indicator, "epoch": conclusion.epoch}
        case SuspensionBegan():
            until = {} if conclusion.until_ms is None else {"until_ms": conclusion.until_ms}
            return "suspension.began", {"reason": conclusion.reason.value, **until}
        case SuspensionEnded():
            return "suspension.ended", {"reason": conclusion.reason.value}
        case IsolationBroken():
            return "isolation.broken", {
                "hint": "the probe user was let into a channel that is not its own: look at routes/channels.php",
            }
        case ClimbIgnored():
            return "climb.ignored", {"to_rung": conclusion.to_rung}
        case PolicyChanged():
            return "policy.adopted", {
                "policy_hash": conclusion.policy_hash[:12],
                "actor": conclusion.actor,
                "reason": conclusion.reason,
            }
        case PolicyRefused():
            return "policy.refused", {"policy_hash": conclusion.policy_hash[:12], "why": conclusion.why}
        case _:
            assert_never(conclusion)
