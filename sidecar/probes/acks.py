"""`POST /acks`: the backend reports the stages of a payment's broadcast, and its answers to channel authorisations.

Browsers report to the same path, without a bearer token and as `text/plain` (`probes.reports`).
"""

import enum

import msgspec
from aiohttp import web

from sidecar.config import DEFAULT_CHANNEL
from sidecar.core.facts.observations import UNREADABLE, AckReceived, UserAuthReported
from sidecar.http.body import read_body
from sidecar.logs import Throttle
from sidecar.parts.metrics import Counter
from sidecar.parts.part import Part
from sidecar.parts.routes import PUBLIC, post
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.probes.ack_facts import (
    ACK_FORMAT,
    Ack,
    AuthReport,
    checked_ack_id,
    fact_of,
    fact_of_report,
    is_other,
    unreadable,
)
from sidecar.probes.ack_faults import AckNote
from sidecar.probes.payment_trials import NOT_RECORDED
from sidecar.probes.reports import Reports
from sidecar.tokens import bearer_token, is_same

BODY_BYTES_MAX = 16 * 1024
BODY_WITHIN_S = 3.0


class AckResult(enum.StrEnum):
    """The result of a request with an ack."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    TEST_PAYMENT = "test_payment"
    """It names a test payment of `sidecar test-payment`, and is not journalled."""
    KEY_REUSED = "key_reused"
    """Another ack has the same Idempotency-Key."""
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a result, not a secret
    BODY_INVALID = "body_invalid"
    BODY_REFUSED = "body_refused"
    """Too large, too slow, or compressed."""
    UNAVAILABLE = "unavailable"
    """The journal could not store it."""


_decode_ack = msgspec.json.Decoder(Ack).decode
_decode_report = msgspec.json.Decoder(AuthReport).decode


class Acks(Part):
    """Receives acks from the backend."""

    requests = Counter("ack_requests", "Requests to the ack endpoint by result.", {"result": AckResult})

    def __init__(
        self,
        journal: Journal,
        token: str,
        identity_key: str | None,
        reports: Reports,
        *,
        channel: str = DEFAULT_CHANNEL,
        note: AckNote = lambda _fact, _seq: None,
    ) -> None:
        self._journal = journal
        self._token = token
        self._identity_key = identity_key
        self._channel = channel
        self._reports = reports
        self._note = note
        """Names what is wrong with an ack that was accepted."""
        self._throttle = Throttle()

    @post("/acks", on=PUBLIC)
    async def receive(self, request: web.Request) -> web.Response:
        """Append one ack, or a browser's report. Raises `SidecarError` for an unauthorised or invalid request."""
        if request.content_type == "text/plain" and "Authorization" not in request.headers:
            return await self._reports.receive(request)
        self._authorise(request)
        with self.requests.on(SidecarError, AckResult.BODY_REFUSED):
            body = await read_body(request, bytes_max=BODY_BYTES_MAX, within_s=BODY_WITHIN_S)
        try:
            fact = self.observed(body, request.headers.get("Idempotency-Key"))
        except SidecarError as error:
            self.requests.inc(AckResult.BODY_INVALID)
            self._log_failure(error)
            raise
        with self.requests.on(SidecarError, AckResult.UNAVAILABLE):
            appended = await self._journal.append(fact)
        if appended.duplicate and is_other(fact, appended.record.observation):
            self.requests.inc(AckResult.KEY_REUSED)
            message = "another ack was sent with this Idempotency-Key; send every ack with a key of its own"
            raise SidecarError(ErrorCode.CONFLICT, message)
        result = AckResult.DUPLICATE if appended.duplicate else AckResult.ACCEPTED
        if appended.record.seq == NOT_RECORDED:
            result = AckResult.TEST_PAYMENT
        self.requests.inc(result)
        note = None
        if isinstance(fact, AckReceived) and not appended.duplicate:
            note = self._note(fact, appended.record.seq)
        faults = {} if note is None else {"counts": False, "fault": note[0], "message": f"Accepted, but {note[1]}."}
        return web.json_response({"result": result, **faults})

    def _authorise(self, request: web.Request) -> None:
        try:
            self._check_token(bearer_token(request.headers))
        except SidecarError as error:
            self.requests.inc(AckResult.TOKEN_INVALID)
            self._log_failure(error)
            raise

    def _check_token(self, token: str) -> None:
        if not is_same(token, self._token):
            message = "the bearer token is not SIDECAR_ACK_TOKEN; set the same token in the backend"
            raise SidecarError(ErrorCode.TOKEN_INVALID, message)

    def _log_failure(self, error: SidecarError) -> None:
        self._throttle.warn(error.code, "ack.refused", code=error.code.value, message=error.message)

    def observed(self, body: bytes, idempotency_key: str | None) -> AckReceived | UserAuthReported:
        """Return the observation of an ack. Raises `SidecarError` with `body_invalid` for an invalid one."""
        try:
            if b'"auth"' in body and b'"stage"' not in body:
                report = _decode_report(body)
                return fact_of_report(report, identity_key=self._identity_key, channel=self._channel)
            ack = _decode_ack(body)
        except UNREADABLE as error:
            raise unreadable(error, ACK_FORMAT) from error
        ack_id = checked_ack_id(idempotency_key, "Idempotency-Key")
        return fact_of(ack, identity_key=self._identity_key, ack_id=ack_id)
