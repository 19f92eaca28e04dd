"""Structured logs: JSON lines, or readable lines on a terminal. Event names are constants.

External input is only in fields, where the renderers escape it, so that no line can be forged. Bodies, secrets,
signatures and e-mail addresses are never logged.
"""

import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import aiohttp
import msgspec
import structlog

from sidecar import clock
from sidecar.core.facts.observations import Record
from sidecar.core.facts.operator_actions import Noted, OperatorAction
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
from sidecar.parts.metrics import counted

_LINES_MAX = 10_000
_LINES_AT_ONCE = 100
"""Lines in one write: each call releases and takes the interpreter lock, which costs more than a line."""
_FLUSH_S = 1.0
_THROTTLE_S = 10.0


LEVELS = ("info", "warning", "error", "critical")
"""The levels that are written."""


class LineCounts:
    """The number of lines by level, and of dropped lines."""

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
        """Count a line by its level, from any thread, and return it: a processor for structlog."""
        level = fields["level"]
        if level in self.by_level:
            with self._lock:
                self.by_level[level] += 1
        return fields


class Lines(LineCounts):
    """Writes lines to a file descriptor from its own thread, and never fails.

    The event loop writes the log: a blocked reader, a broken pipe or a full disk must not stop webhooks and decisions.
    Lines that cannot be written in time are dropped and counted.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_lines, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line, or drop it if too many are queued."""
        if self._queue.qsize() >= _LINES_MAX:
            self.dropped += 1
        else:
            self._queue.put(line.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Return at once: the thread writes the lines."""

    def close(self) -> None:
        """Wait up to a second for the queued lines."""
        self._queue.put(None)
        self._thread.join(_FLUSH_S)

    def _write_lines(self) -> None:
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
    """Send the sidecar's log and the standard library's (aiohttp, asyncio) to a file descriptor, in one format.

    `silent` events are not written. Tracebacks have no local variables, which may contain a body, a token or a secret.
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
    """Return a processor for structlog that drops these events."""

    def drop(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if fields.get("event") in silent:
            raise structlog.DropEvent
        return fields

    return drop


def _stamp(_: object, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the time of `clock`: a processor for structlog."""
    fields["timestamp"] = clock.wall_iso()
    return fields


def _as_json(fields: Any, **_: Any) -> str:
    """Return fields as JSON, with the `repr` of values that JSON cannot encode: a line must never fail."""
    try:
        return msgspec.json.encode(fields, enc_hook=repr).decode()
    except UnicodeEncodeError:  # a lone surrogate, which only the standard library encodes
        return json.dumps(fields, default=repr)


_LOST = "socket.send() raised exception"
"""What asyncio logs, without the exception, for each write after a connection is lost."""


class _Bridge(logging.Handler):
    """Logs records of libraries as one line each: a bad request must not print a traceback.

    A peer that hangs or goes away makes libraries log each write to it as an error: those are one event, now and then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._throttle = Throttle()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record of the standard library."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, ConnectionError | aiohttp.ClientConnectionError) or record.getMessage().startswith(_LOST):
            self._throttle.warn(
                "connection.lost",
                "connection.lost",
                logger=record.name,
                error=type(error).__name__ if error else None,
                hint="a peer closed a connection, or hangs; if it is Reverb, its probes say so (`probe.failed`)",
            )
            return
        log = structlog.get_logger()
        log.log(
            record.levelno,
            "library.logged",
            logger=record.name,
            message=record.getMessage(),
            error=type(error).__name__ if error else None,
        )


class Throttle:
    """Limits each kind of line to one in ten seconds, so that invalid requests cannot fill the log."""

    def __init__(self) -> None:
        self._last_s: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def passes(self, kind: str) -> int | None:
        """Return the number of suppressed lines of this kind since the last; None: this one is suppressed too."""
        now_s = clock.monotonic_s()
        if now_s - self._last_s.get(kind, -_THROTTLE_S) < _THROTTLE_S:
            self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
            return None
        self._last_s[kind] = now_s
        return self._suppressed.pop(kind, 0)

    def warn(self, kind: str, event: str, /, **fields: object) -> None:
        """Log a warning with the number of suppressed lines of its kind, or suppress it."""
        suppressed = self.passes(kind)
        if suppressed is not None:
            structlog.get_logger().warning(event, **fields, suppressed=suppressed)


def log_conclusions(
    record: Record, conclusions: list[Conclusion], payment_ref: Callable[[str], str] | None = None
) -> None:
    """Log an operator action and the conclusions of its record: one line for each settled payment and move.

    `payment_ref` returns the reference of a payment in the metrics' exemplars, which is added to its line.
    """
    fact = record.observation
    if not conclusions and not isinstance(fact, OperatorAction):
        return
    log = structlog.get_logger().bind(seq=record.seq, at_ms=record.at_ms)  # once: each line would bind again
    if isinstance(fact, OperatorAction):
        reason = fact.text if isinstance(fact, Noted) else fact.reason
        log.info("operator.acted", action=type(fact).__name__, actor=fact.actor, reason=reason)
    for conclusion in conclusions:
        fields = _fields(conclusion)
        if payment_ref is not None and isinstance(conclusion, PaymentSettled):
            fields["payment_ref"] = payment_ref(conclusion.payment_intent)
        is_bad = isinstance(conclusion, AlarmRaised | SuspensionBegan | FilterContradicted | PolicyRefused) or (
            isinstance(conclusion, FlagMoved) and conclusion.to_rung < conclusion.from_rung
        )
        log.log(logging.WARNING if is_bad else logging.INFO, EVENTS[type(conclusion)], **fields)


EVENTS: dict[type[Conclusion], str] = {
    PaymentSettled: "payment.settled",
    PaymentLeftOut: "payment.left_out",
    FilterContradicted: "filter.contradicted",
    FlagMoved: "flag.moved",
    AlarmRaised: "alarm.raised",
    AlarmEnded: "alarm.ended",
    EpochBegan: "epoch.began",
    SuspensionBegan: "suspension.began",
    SuspensionEnded: "suspension.ended",
    IsolationBroken: "isolation.broken",
    ClimbIgnored: "climb.ignored",
    PolicyChanged: "policy.adopted",
    PolicyRefused: "policy.refused",
}
"""The event name of each conclusion."""

_HINTS: dict[type[Conclusion], str] = {
    FilterContradicted: "a payment outside the filter got an ack: check stripe.required_metadata",
    IsolationBroken: "the probe user was allowed into another user's channel: check routes/channels.php",
}


def _fields(conclusion: Conclusion) -> dict[str, Any]:
    """Return the fields of a conclusion for its line."""
    fields: dict[str, Any] = msgspec.to_builtins(conclusion)
    match conclusion:
        case PaymentSettled():
            fields |= {f"{stage}_ms": at_ms for stage, at_ms in fields.pop("stages_ms").items()}
        case FlagMoved():
            fields["share"] = f"{fields.pop('share_ppm') / PPM:.0%}"
        case PolicyChanged() | PolicyRefused():
            fields["policy_hash"] = conclusion.policy_hash[:12]
            if not fields.get("changed"):
                fields.pop("changed", None)
        case SuspensionBegan(until_ms=None):
            del fields["until_ms"]
    if type(conclusion) in _HINTS:
        fields["hint"] = _HINTS[type(conclusion)]
    return fields
