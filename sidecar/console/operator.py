"""The operator API: reading the status, and the acts of people. Every act is an observation with actor and reason."""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, assert_never

import msgspec
from aiohttp import web

from sidecar.config import OperatorToken, Role
from sidecar.console.status import Status
from sidecar.core.observations import UNREADABLE, Approved, EvidenceReset, Held, Resumed, RolledBack
from sidecar.core.observations import Act as ActFact
from sidecar.core.state import State
from sidecar.core.streams import PAYMENTS
from sidecar.http.body import read_body
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.tokens import bearer_token, is_same

_BODY_BYTES_MAX = 4096
_BODY_WITHIN_S = 3.0
_IN_FORCE_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.005


class Act(enum.StrEnum):
    """What a person can do."""

    HOLD = "hold"
    RESUME = "resume"
    APPROVE = "approve"
    ROLLBACK = "rollback"
    RESET = "reset"


class ActRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an act."""

    reason: Annotated[str, msgspec.Meta(max_length=500, pattern=r"\S")]


class ActDone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an act."""

    act: Act
    actor: str
    seq: int
    """Its record in the journal."""
    message: str


class Operator:
    """The operator API of one process."""

    def __init__(
        self, journal: Journal, state: State, status: Callable[[], Status], tokens: Sequence[OperatorToken]
    ) -> None:
        self._journal = journal
        self._state = state
        self._status = status
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""
        return [
            web.get("/api/status", self.get_status),
            web.get("/api/gates", self.get_gates),
            web.get("/api/decisions", self.get_decisions),
            *(web.post(f"/api/{act}", self._doing(act)) for act in Act),
        ]

    async def get_status(self, _: web.Request) -> web.Response:
        """Answer with the status."""
        return _json(self._status())

    async def get_gates(self, _: web.Request) -> web.Response:
        """Answer with the gates of the next rung."""
        return _json(self._status().gates)

    async def get_decisions(self, _: web.Request) -> web.Response:
        """Answer with the last moves of the flag, oldest first."""
        return _json(self._state.moves)

    def _doing(self, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def do(request: web.Request) -> web.Response:
            actor = self._actor(request)
            body = await read_body(request, bytes_max=_BODY_BYTES_MAX, within_s=_BODY_WITHIN_S)
            try:
                reason = msgspec.json.decode(body, type=ActRequest).reason
            except UNREADABLE as error:
                message = 'send JSON {"reason": "why"}, with a reason of 1 to 500 characters'
                raise SidecarError(ErrorCode.BODY_INVALID, message) from error
            fact, message = self._fact(act, actor, reason)
            appended = await self._journal.append(fact)
            await self._in_force(appended.record.seq)
            return _json(ActDone(act=act, actor=actor, seq=appended.record.seq, message=message))

        return do

    async def _in_force(self, seq: int) -> None:
        """Wait until an act is folded, so that who acts next finds it done. Raises `SidecarError` with `not_ready`."""
        try:
            async with asyncio.timeout(_IN_FORCE_WITHIN_S):
                while self._state.seq < seq:  # noqa: ASYNC110 - the state has one owner, who signals nobody
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError as error:
            message = f"the act is recorded (record {seq}), but this process is behind its journal"
            raise SidecarError(ErrorCode.NOT_READY, message) from error

    def _actor(self, request: web.Request) -> str:
        """Return the name of the token. Raises `SidecarError`: `token_invalid` or `role_insufficient`."""
        if not self._tokens:
            raise SidecarError(
                ErrorCode.TOKEN_INVALID, "nobody may act: set SIDECAR_OPERATOR_TOKENS=name:operate:token and restart"
            )
        token = bearer_token(request.headers)
        matches = [candidate for candidate in self._tokens if is_same(token, candidate.token)]
        if not matches:
            raise SidecarError(ErrorCode.TOKEN_INVALID, "the token is none of SIDECAR_OPERATOR_TOKENS")
        if matches[0].role is not Role.OPERATE:
            raise SidecarError(ErrorCode.ROLE_INSUFFICIENT, "this token may read; acting needs the role `operate`")
        return matches[0].name

    def _fact(self, act: Act, actor: str, reason: str) -> tuple[ActFact, str]:
        match act:
            case Act.HOLD:
                return Held(actor=actor, reason=reason), "nothing climbs until `sidecar resume`; falling stays possible"
            case Act.RESUME:
                if self._state.flag.hold is None:
                    raise SidecarError(ErrorCode.CONFLICT, "there is no hold to lift")
                return Resumed(actor=actor, reason=reason), "the hold is lifted"
            case Act.APPROVE:
                return self._approval(actor, reason)
            case Act.ROLLBACK:
                return RolledBack(actor=actor, reason=reason), "timers for everybody; it holds until `sidecar resume`"
            case Act.RESET:
                message = "a new epoch begins in every stream, with less of the false promotion risk left to spend"
                return EvidenceReset(actor=actor, reason=reason), message
            case _:
                assert_never(act)

    def _approval(self, actor: str, reason: str) -> tuple[ActFact, str]:
        rung, to_rung = self._state.next_rung, self._state.flag.rung + 1
        if rung is None:
            raise SidecarError(ErrorCode.CONFLICT, "the top of the ladder is reached; there is nothing to approve")
        if not rung.approval_required:
            raise SidecarError(ErrorCode.CONFLICT, f"rung {to_rung} ({rung.mode}) needs no approval")
        epoch = self._state.streams[PAYMENTS].epoch
        message = f"rung {to_rung} ({rung.mode}) is approved for epoch {epoch}, once, for 7 days, or until a fall"
        return Approved(actor=actor, reason=reason, rung=to_rung, epoch=epoch), message


def _json(value: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", headers={"Cache-Control": "no-store"}
    )
