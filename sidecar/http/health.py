"""`GET /healthz`: does the process answer? `GET /readyz`: is it ready, and if not, which condition fails and why?"""

from collections.abc import Callable

import msgspec
from aiohttp import web

from sidecar import __version__
from sidecar.core.fold.state import State
from sidecar.parts.metrics import gauge
from sidecar.parts.part import Part
from sidecar.parts.routes import OPERATOR, PUBLIC, get
from sidecar.wording import clock_warning

_OK = b'{"ok": true}'


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of readiness."""

    name: str
    is_ready: bool
    why: str = ""
    """Why it is not met, or what is wrong with it all the same, and what to do; empty: nothing."""


class Health(Part):
    """Health of one process."""

    def __init__(
        self,
        state: State,
        policy_hash: str,
        lease_remaining_s: Callable[[], float],
        clock_ahead_ms: Callable[[], int] = lambda: 0,
        journal_error: str = "",
    ) -> None:
        self._state = state
        self._policy_hash = policy_hash
        self._lease_remaining_s = lease_remaining_s
        self._clock_ahead_ms = clock_ahead_ms
        self._journal_error = journal_error

    @gauge("build_info", "Always 1; the version is a label.", {"version": (__version__,)})
    def _build(self) -> dict[str, float]:
        return {__version__: 1.0}

    @get("/healthz", on=(PUBLIC, OPERATOR))
    async def healthz(self, _: web.Request) -> web.Response:
        """Answer 200: the process runs."""
        return web.Response(body=_OK, content_type="application/json", headers={"Cache-Control": "no-store"})

    @get("/readyz", on=(PUBLIC, OPERATOR))
    async def readyz(self, _: web.Request) -> web.Response:
        """Answer 200 if every condition is met, else 503; with the conditions."""
        parts = self.parts()
        is_ready = all(part.is_ready for part in parts)
        body = msgspec.json.encode({"ready": is_ready, "parts": parts})
        return web.Response(
            body=body,
            status=200 if is_ready else 503,
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    def parts(self) -> tuple[Condition, ...]:
        """Return every condition of readiness."""
        has_lease = self._lease_remaining_s() > 0
        return (
            Condition(name="policy", is_ready=not self._policy_fault(), why=self._policy_fault()),
            Condition(
                name="journal",
                is_ready=has_lease,
                why=clock_warning(self._clock_ahead_ms())
                if has_lease
                else self._journal_error
                or "no heartbeat was folded within a lease: it is starting, or the journal cannot be written",
            ),
        )

    def _policy_fault(self) -> str:
        """Return why the policy in force is not that of this configuration; empty: it is."""
        if self._state.policy_hash == self._policy_hash:
            return ""
        if self._state.policy is None:
            return "no policy is in force yet: the journal is being read; wait"
        return "the policy in force is another one; update the configuration, or restart with --adopt-policy --reason"
