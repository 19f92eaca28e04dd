"""`POST /acks`: the backend says how far the news of a payment got."""

import enum
import re
from typing import Annotated

import msgspec
import structlog
from aiohttp import web

from sidecar.core.observations import AckSeen, SkipReason
from sidecar.core.policy import Stage
from sidecar.http.body import read_body
from sidecar.logs import Throttle
from sidecar.ports import Count, ErrorCode, Journal, SidecarError
from sidecar.tokens import bearer_token, is_same, user_ref

BODY_BYTES_MAX = 16 * 1024
BODY_WITHIN_S = 3.0
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,200}")


class AckResult(enum.StrEnum):
    """What became of an ack; a closed set."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a result, not a secret
    BODY_INVALID = "body_invalid"
    BODY_REFUSED = "body_refused"
    """Too large, too slow, or compressed."""
    UNAVAILABLE = "unavailable"
    """The journal could not keep it."""


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[\x21-\x7e]+\Z")]


class _Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ack on the wire."""

    stage: Stage
    payment_intent: _Name | None = None
    user_id: _Name | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    user_ref: _Name | None = None
    contexts: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=20)] = ()
    reason: SkipReason | None = None
    release: _Name | None = None


_decode_ack = msgspec.json.Decoder(_Ack).decode


class Acks:
    """Receives acks from the backend."""

    def __init__(self, journal: Journal, token: str, identity_key: str | None, count: Count) -> None:
        self._journal = journal
        self._token = token
        self._identity_key = identity_key
        self._count = count
        self._throttle = Throttle()

    def routes(self) -> list[web.RouteDef]:
        """Return the route for acks."""
        return [web.post("/acks", self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """Take one ack. Raises `SidecarError` for one that is not authorised or does not make sense."""
        self._authorise(request)
        try:
            body = await read_body(request, bytes_max=BODY_BYTES_MAX, within_s=BODY_WITHIN_S)
        except SidecarError:
            self._count(AckResult.BODY_REFUSED)
            raise
        try:
            fact = self._observe(body, request.headers.get("Idempotency-Key"))
        except SidecarError as error:
            self._count(AckResult.BODY_INVALID)
            self._tell(error)
            raise
        try:
            appended = await self._journal.append(fact)
        except SidecarError:
            self._count(AckResult.UNAVAILABLE)
            raise
        result = AckResult.DUPLICATE if appended.duplicate else AckResult.ACCEPTED
        self._count(result)
        return web.json_response({"result": result})

    def _authorise(self, request: web.Request) -> None:
        try:
            is_ours = is_same(bearer_token(request.headers), self._token)
            if not is_ours:
                raise SidecarError(ErrorCode.TOKEN_INVALID, "the token is not SIDECAR_ACK_TOKEN")  # noqa: TRY301
        except SidecarError as error:
            self._count(AckResult.TOKEN_INVALID)
            self._tell(error)
            raise

    def _tell(self, error: SidecarError) -> None:
        held_back = self._throttle.passes(error.code)
        if held_back is not None:
            structlog.get_logger().warning(
                "ack.refused", code=error.code.value, message=error.message, held_back=held_back
            )

    def _observe(self, body: bytes, idempotency_key: str | None) -> AckSeen:
        try:
            ack = _decode_ack(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _invalid(_why(error)) from error
        reference = ack.user_ref
        if ack.user_id is not None:
            if self._identity_key is None:
                raise _invalid("`user_id` needs SIDECAR_IDENTITY_KEY to be set here; or send an opaque `user_ref`")
            reference = user_ref(self._identity_key, str(ack.user_id))
        if ack.payment_intent is None and (reference is None or ack.stage is Stage.SKIPPED):
            raise _invalid("name the payment: `payment_intent`; where nobody knows it, `user_id` or `user_ref`")
        if (ack.reason is None) == (ack.stage is Stage.SKIPPED):
            raise _invalid("`reason` goes with stage `skipped`, and only with it: already_paid, no_booking or failed")
        if idempotency_key and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            raise _invalid("the Idempotency-Key is not of 1 to 200 printable ASCII characters")
        return AckSeen(
            source="backend",
            stage=ack.stage,
            payment_intent=ack.payment_intent,
            user_ref=reference,
            contexts=ack.contexts,
            reason=ack.reason,
            release=ack.release,
            ack_id=(idempotency_key or None) if ack.payment_intent is None else None,
        )


def _invalid(message: str) -> SidecarError:
    return SidecarError(ErrorCode.BODY_INVALID, message)


def _why(error: Exception) -> str:
    """Say where an ack is wrong without repeating what was sent."""
    if isinstance(error, msgspec.ValidationError):
        where = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the body"
        return (
            f"wrong or unknown: {where}; an ack is a JSON object with stage (paid, dispatched, delivered, refreshed, "
            "skipped), payment_intent or user_id or user_ref, and optionally contexts, reason, release"
        )
    return "the body is not JSON in UTF-8"
