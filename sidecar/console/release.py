"""`/api/gate` for pipelines and `/api/report` for release records."""

from collections.abc import Callable

from aiohttp import web

from sidecar.config.quantities import milliseconds
from sidecar.console.operator import json_response
from sidecar.console.report import report_of
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.serving import Served
from sidecar.core.fold.state import State
from sidecar.core.release.checks import Process, Question
from sidecar.core.release.readiness import Readiness, readiness
from sidecar.parts.part import Part
from sidecar.parts.routes import OPERATOR, get
from sidecar.ports import ErrorCode, SidecarError

FOR_MAX_MS = 400 * 24 * 3_600_000
"""The maximum age of history."""
_DIGITS_MAX = 9


class Release(Part):
    """The questions of release managers, asked of one process."""

    def __init__(self, state: State, served: Callable[[], Served], *, is_livemode: bool) -> None:
        self._state = state
        self._served = served
        self._is_livemode = is_livemode

    def readiness(self, question: Question) -> Readiness:
        """Return the verdict. Raises `SidecarError` with `not_ready` before the first policy."""
        if self._state.policy is None:
            raise SidecarError(ErrorCode.NOT_READY, "no policy is in force yet; try again in a second")
        return readiness(self._state, question, self._process())

    @get("/api/gate", on=OPERATOR)
    async def get_gate(self, request: web.Request) -> web.Response:
        """Return the verdict: `?mode=&for=&environment=&max_suspensions=&min_payments=&on_release=`."""
        return json_response(self.readiness(_question(_asked(request))))

    @get("/api/report", on=OPERATOR)
    async def get_report(self, request: web.Request) -> web.Response:
        """Return the report of the last `?since=`, with the verdict; it takes the parameters of `/api/gate` too."""
        if self._state.policy is None:
            raise SidecarError(ErrorCode.NOT_READY, "no policy is in force yet; try again in a second")
        asked = _asked(request)
        since_ms = span_ms(asked.pop("since", "30d"), "since")
        return json_response(report_of(self._state, since_ms, _question(asked), self._process()))

    def _process(self) -> Process:
        return Process(is_livemode=self._is_livemode, reason=self._served().reason)


def _asked(request: web.Request) -> dict[str, str]:
    """Return the query. Raises `SidecarError` with `context_invalid` for a repeated parameter."""
    asked = dict(request.query)
    if len(asked) != len(request.query):
        raise SidecarError(ErrorCode.CONTEXT_INVALID, "a parameter is given twice; give each once")
    return asked


def _question(query: dict[str, str]) -> Question:
    """Parse the query. Raises `SidecarError` with `context_invalid`, also for unknown parameters."""
    known = {"mode", "for", "environment", "max_suspensions", "min_payments", "on_release"}
    strange = sorted(query.keys() - known)
    if strange:
        raise SidecarError(
            ErrorCode.CONTEXT_INVALID, f"unknown parameter `{strange[0][:40]}`; known: {', '.join(sorted(known))}"
        )
    asked = Question()
    return Question(
        mode=_mode(query.get("mode", asked.mode)),
        for_ms=span_ms(query["for"], "for") if "for" in query else asked.for_ms,
        environment=query.get("environment"),
        suspensions_max=_number(query, "max_suspensions", asked.suspensions_max),
        payments_min=_number(query, "min_payments", asked.payments_min),
        on_release=_number(query, "on_release", 0) if "on_release" in query else asked.on_release,
    )


def _mode(text: str) -> Mode:
    asked = [mode for mode in Mode if mode is not Mode.TIMER_POLLING]
    if text not in asked:
        raise SidecarError(ErrorCode.CONTEXT_INVALID, f"`mode` is {' or '.join(asked)}")
    return Mode(text)


def span_ms(text: str, name: str) -> int:
    """Parse a duration such as `14d`. Raises `SidecarError` with `context_invalid`."""
    try:
        asked_ms = milliseconds(text)
    except ValueError:
        asked_ms = 0
    if not 0 < asked_ms <= FOR_MAX_MS:
        raise SidecarError(ErrorCode.CONTEXT_INVALID, f"`{name}` is a duration such as 14d, from 1ms to 400d")
    return asked_ms


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
        raise SidecarError(ErrorCode.CONTEXT_INVALID, f"`{name}` is a whole number, in digits")
    return int(text)
