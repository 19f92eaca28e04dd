"""Structured logs: JSON for machines, or readable lines for a person at a terminal. Event names are constants.

Input from outside only ever goes into fields, where the renderers escape it: a line cannot be forged. Never bodies,
secrets, signatures or e-mail addresses.
"""

import logging
import sys
from typing import Any, assert_never

import structlog

from sidecar.core.conclusions import (
    AlarmEnded,
    AlarmRaised,
    ClimbIgnored,
    Conclusion,
    EpochBegan,
    FilterContradicted,
    FlagMoved,
    PaymentLeftOut,
    PaymentSettled,
    PolicyChanged,
    RestBegan,
    RestEnded,
)
from sidecar.core.observations import Record
from sidecar.core.policy import PPM


def configure(*, as_json: bool) -> None:
    """Send our own log and the standard library's (aiohttp, asyncio) to standard output in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        renderers: list[Any] = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        renderers = [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=18)]
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


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


def log_conclusions(record: Record, conclusions: list[Conclusion]) -> None:
    """Log what was concluded: one canonical line per settled payment and per move of the flag."""
    log = structlog.get_logger()
    for conclusion in conclusions:
        event, fields = _line(conclusion)
        log.info(event, seq=record.seq, at_ms=record.at_ms, **fields)


def _line(conclusion: Conclusion) -> tuple[str, dict[str, Any]]:  # noqa: C901 - one row per conclusion
    match conclusion:
        case PaymentSettled():
            return "payment.settled", {
                "payment_intent": conclusion.payment_intent,
                "outcome": conclusion.outcome.value,
                "unmeasured": conclusion.unmeasured.value if conclusion.unmeasured else None,
                "stripe_wait_s": conclusion.stripe_wait_s,
                **{f"{stage.value}_ms": at_ms for stage, at_ms in conclusion.stages_ms.items()},
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
            return "alarm.raised", {"stream": conclusion.stream}
        case AlarmEnded():
            return "alarm.ended", {"stream": conclusion.stream}
        case EpochBegan():
            return "epoch.began", {"stream": conclusion.stream, "epoch": conclusion.epoch}
        case RestBegan():
            return "rest.began", {"reason": str(conclusion.reason)}
        case RestEnded():
            return "rest.ended", {}
        case ClimbIgnored():
            return "climb.ignored", {"to_rung": conclusion.to_rung}
        case PolicyChanged():
            return "policy.adopted", {
                "policy_hash": conclusion.policy_hash[:12],
                "actor": conclusion.actor,
                "reason": conclusion.reason,
            }
        case _:
            assert_never(conclusion)
