"""The record of a probe: its steps, how long each took, and what was sent and received.

The times of name resolution, connection and TLS are taken from aiohttp and OpenSSL: a probe makes no connections but
the ones that it uses.
"""

import contextvars
import ssl
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec

from sidecar import clock
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.redaction import shown_url, tidy


class Ended(Exception):  # noqa: N818 - a result, not an error of the sidecar
    """An auth probe ended at a step."""

    def __init__(self, outcome: AuthProbeOutcome, number: int | None = None, detail: str = "") -> None:
        super().__init__(outcome)
        self.outcome, self.number, self.detail = outcome, None if number is None else int(number), detail


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one step."""

    step: Step
    where: str
    """The host or the path."""
    is_ok: bool
    took_ms: float
    sent: str
    """What was sent, with secrets masked; empty: nothing to show."""
    received: str
    """The response, with secrets masked."""


class AuthProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an auth probe, with its steps."""

    outcome: AuthProbeOutcome
    step: Step
    number: int | None
    """The HTTP status or the code of the `pusher:error` that ended it; None: there was none."""
    took_ms: float
    steps: tuple[StepResult, ...]
    notes: tuple[str, ...]
    """Remarks about what did not end the auth probe."""

    @property
    def is_at_app(self) -> bool:
        """Whether it ended after Reverb's handshake, at the app or on the connection to it."""
        is_established = any(each.step is Step.ESTABLISH and each.is_ok for each in self.steps)
        has_requested = any(each.step in {Step.LOGIN, Step.PREFLIGHT, Step.AUTHORISE} for each in self.steps)
        return (is_established or has_requested) and self.step is not Step.SUBSCRIBE


_current: contextvars.ContextVar["ProbeRecord"] = contextvars.ContextVar("probe_record")


class ProbeRecord:
    """The steps of one auth probe."""

    def __init__(self) -> None:
        self.step = Step.RESOLVE
        self.steps: list[StepResult] = []
        self.notes: list[str] = []
        self._began_s = self._step_s = clock.monotonic_s()
        self._where = self._sent = self._received = ""
        self._is_open = False

    def begin(self, step: Step, where: str = "") -> None:
        """End the current step as successful, and begin another."""
        self._end(is_ok=True)
        self.step, self._where, self._sent, self._received = step, where or self._where, "", ""
        self._step_s, self._is_open = clock.monotonic_s(), True

    def sent(self, text: str) -> None:
        """Record what was sent in this step."""
        self._sent = text

    def received(self, text: str) -> None:
        """Record what was received in this step."""
        self._received = tidy(text)

    def probed(self, ended: Ended) -> AuthProbeResult:
        """End the last step, and return the result."""
        if ended.detail:
            self._received = tidy(f"{self._received} {ended.detail}".strip())
        self._end(is_ok=ended.outcome is AuthProbeOutcome.OK)
        took_ms = (clock.monotonic_s() - self._began_s) * 1000
        return AuthProbeResult(
            outcome=ended.outcome,
            step=self.step,
            number=ended.number,
            took_ms=took_ms,
            steps=tuple(self.steps),
            notes=tuple(self.notes),
        )

    def _end(self, *, is_ok: bool) -> None:
        if not self._is_open:
            return
        took_ms = (clock.monotonic_s() - self._step_s) * 1000
        self.steps.append(
            StepResult(
                step=self.step,
                where=self._where,
                is_ok=is_ok,
                took_ms=took_ms,
                sent=self._sent,
                received=self._received,
            )
        )
        self._is_open = False

    def tracing(self, host: str, then: Step, path: str, sent: str) -> aiohttp.TraceConfig:
        """Return aiohttp's trace of a connection to a host; once it is connected, the step `then` begins."""

        def resolving() -> None:
            self._is_open = False  # the host's name is resolved before the connection, so that step comes first
            self.begin(Step.RESOLVE, host)

        def connected() -> None:
            self.begin(then, path)
            self.sent(sent)

        _current.set(self)
        trace = aiohttp.TraceConfig()
        trace.on_dns_resolvehost_start.append(self._on(resolving))
        trace.on_connection_create_start.append(self._on(lambda: self.begin(Step.CONNECT, host)))
        trace.on_dns_resolvehost_end.append(self._on(lambda: self.begin(Step.CONNECT, host)))
        trace.on_connection_create_end.append(self._on(connected))
        trace.on_request_redirect.append(_refuse_redirect)
        return trace

    @staticmethod
    def _on(react: Callable[[], None]) -> Callable[[aiohttp.ClientSession, SimpleNamespace, Any], Awaitable[None]]:
        async def traced(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any) -> None:
            react()

        return traced


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
) -> None:
    """Refuse a redirect: only configured addresses are connected to."""
    where = shown_url(params.response.headers.get("Location", ""))
    raise Ended(AuthProbeOutcome.REDIRECT, params.response.status, f"to {where}")


class _Handshaking(ssl.SSLObject):
    """Begins the step `tls` in the probe record."""

    def do_handshake(self) -> None:
        probe_record = _current.get(None)
        if probe_record is not None and probe_record.step is Step.CONNECT:
            probe_record.begin(Step.TLS)
        super().do_handshake()


def tls_context() -> ssl.SSLContext:
    """Return a context that verifies as a browser does."""
    context = ssl.create_default_context()
    context.sslobject_class = _Handshaking
    return context
