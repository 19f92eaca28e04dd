"""The operator API: status, gates, decisions, explanations, payment timelines, and operator actions.

Every action is an observation with actor and reason.
"""

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.console.access import Access
from sidecar.console.decisions import LIMIT_MAX, detail_of, number_of, page_of
from sidecar.console.explanation import Explanation, explain_decision
from sidecar.console.operator_actions import ActionDone, OperatorAction, fact_of, overtaken_by, read_request
from sidecar.console.payment_timelines import PaymentTimelines
from sidecar.console.status import Status
from sidecar.console.versions import versions_of
from sidecar.core.fold.state import State
from sidecar.http.body import read_body
from sidecar.logs import Throttle
from sidecar.parts.part import Part
from sidecar.parts.routes import OPERATOR, get, post
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.wording import clock_warning

_BODY_BYTES_MAX = 4096
_BODY_WITHIN_S = 3.0
_IN_FORCE_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.005
_LIMIT = 50
_DATED = frozenset({OperatorAction.FREEZE, OperatorAction.APPROVE, OperatorAction.OVERRIDE})
"""Actions that begin or end at times of the journal's clock."""


class Operator(Part):
    """The operator API of one process."""

    def __init__(
        self,
        journal: Journal,
        state: State,
        timelines: PaymentTimelines,
        *,
        status: Callable[[], Status],
        explanation: Callable[[], Explanation],
        access: Access,
        user_ref: Callable[[str], str] | None = None,
    ) -> None:
        self._journal = journal
        self._state = state
        self._status = status
        self._explanation = explanation
        self._timelines = timelines
        self._access = access
        self._user_ref = user_ref
        self._throttle = Throttle()

    @get("/api/status", on=OPERATOR)
    async def get_status(self, _: web.Request) -> web.Response:
        """Return the status."""
        return json_response(self._status())

    @get("/api/gates", on=OPERATOR)
    async def get_gates(self, _: web.Request) -> web.Response:
        """Return the gates of the next rung."""
        return json_response(self._status().gates)

    @get("/api/decisions", on=OPERATOR)
    async def get_decisions(self, request: web.Request) -> web.Response:
        """Return decisions, actions and policies, newest first: `?limit=` a number, `?before=` a record."""
        limit = _number(request.query.get("limit", str(_LIMIT)), "limit")
        if not 1 <= limit <= LIMIT_MAX:
            raise SidecarError(ErrorCode.CONTEXT_INVALID, f"`limit` is from 1 to {LIMIT_MAX}")
        text = request.query.get("before")
        before = None if text is None else _number(text, "before")
        return json_response(await page_of(self._journal, self._state, before=before, limit=limit))

    @get("/api/decisions/{seq}", on=OPERATOR)
    async def get_decision(self, request: web.Request) -> web.Response:
        """Return one of them, and the policy in force."""
        seq = _number(request.match_info["seq"], "a record's number")
        return json_response(await detail_of(self._journal, self._state, seq))

    @get("/api/versions", on=OPERATOR)
    async def get_versions(self, _: web.Request) -> web.Response:
        """Return the last versions of the flag, newest first, each with what changed."""
        return json_response(await versions_of(self._journal, self._state))

    @get("/api/payments/{payment_intent}", on=OPERATOR)
    async def get_payment(self, request: web.Request) -> web.Response:
        """Return the timeline of a payment."""
        return json_response(await self._timelines.of(request.match_info["payment_intent"]))

    @get("/api/explanation", on=OPERATOR)
    async def get_explanation(self, request: web.Request) -> web.Response:
        """Explain the present state, or with `?decision=` a record that decision."""
        text = request.query.get("decision")
        if text is None:
            return json_response(self._explanation())
        seq = _number(text, "decision")
        return json_response(explain_decision(await detail_of(self._journal, self._state, seq)))

    @post(*(f"/api/{action}" for action in OperatorAction), on=OPERATOR)
    async def act(self, request: web.Request) -> web.Response:
        """Record an operator action, and answer once it is in force."""
        action = OperatorAction(request.path.rpartition("/")[2])
        actor = self._actor(action, request)
        body = await read_body(request, bytes_max=_BODY_BYTES_MAX, within_s=_BODY_WITHIN_S)
        asked = read_request(action, body)
        now_ms = self._journal.now_ms()
        warning = clock_warning(now_ms - clock.wall_ms()) if action in _DATED else ""
        try:
            fact, message = fact_of(action, asked, actor, self._state, now_ms, self._user_ref)
        except SidecarError as error:
            raise SidecarError(error.code, f"{error.message}. {warning}" if warning else error.message) from error
        appended = await self._journal.append(fact)
        await self._in_force(appended.record.seq)
        overtaken = overtaken_by(fact, appended, self._state)
        if overtaken is not None:
            raise SidecarError(ErrorCode.CONFLICT, overtaken)
        seq = appended.record.seq
        message = f"{message.replace('{seq}', str(seq))}{f'. {warning}' if warning else ''}"
        done = ActionDone(action=action, actor=actor, seq=seq, message=message)
        return json_response(done)

    def _actor(self, action: OperatorAction, request: web.Request) -> str:
        """Return the actor, and log a refusal."""
        try:
            return self._access.actor(request)
        except SidecarError as error:
            self._throttle.warn(error.code, "operator.refused", action=action.value, code=error.code.value)
            raise

    async def _in_force(self, seq: int) -> None:
        """Wait until an action is folded, so that the next request reads its effect. Raises `not_ready`."""
        try:
            async with asyncio.timeout(_IN_FORCE_WITHIN_S):
                while self._state.seq < seq:  # noqa: ASYNC110 - the state sends no signals
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError as error:
            message = f"the action is recorded (record {seq}), but this process is behind its journal"
            raise SidecarError(ErrorCode.NOT_READY, message) from error


def _number(text: str, what: str) -> int:
    number = number_of(text)
    if number is None:
        raise SidecarError(ErrorCode.CONTEXT_INVALID, f"{what} must be a whole number, in digits")
    return number


def json_response(value: object) -> web.Response:
    """Return a value as JSON that is not stored by caches."""
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", headers={"Cache-Control": "no-store"}
    )
