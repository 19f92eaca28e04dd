"""`POST /stripe/webhook`: receive Stripe's event that a payment succeeded.

Stripe's library verifies the signature. The body is decoded with `msgspec`, because the library's object conversion
costs sixty times the verification. Stripe gets a 2xx once the observation is durable, or if there is nothing to
store. If the journal cannot store it, Stripe gets a 503 and retries. An invalid request gets a 4xx. Source: https://docs.stripe.com/webhooks.
"""

import enum
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import stripe
import structlog
from aiohttp import web

from sidecar import clock
from sidecar.config import Stripe
from sidecar.core.facts.observations import (
    UNREADABLE,
    IgnoreReason,
    PaymentIgnored,
    PaymentSucceeded,
)
from sidecar.http.address import client_address
from sidecar.http.body import read_body
from sidecar.logs import Throttle
from sidecar.parts.metrics import Counter
from sidecar.parts.part import Part
from sidecar.parts.routes import PUBLIC, post
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.probes.payer_presence import no_payer_of
from sidecar.probes.payment_trials import NOT_RECORDED, PREFIX, is_trial
from sidecar.probes.webhook_signatures import WebhookSignatures
from sidecar.probes.webhook_sources import WebhookSources
from sidecar.tokens import user_ref

BODY_BYTES_MAX = 64 * 1024
"""Stripe documents no maximum. The largest recorded events are under 10 kB; one with 50 metadata of 500 characters, the
most that Stripe stores, and 1 000 characters of description has 40 kB."""
SIGNATURES_MAX = 8
"""Signatures of one delivery that are compared: Stripe sends one for each active secret, and at most two are active."""
BODY_WITHIN_S = 5.0
TOLERANCE_S = 300
"""A signature may be this old, as in Stripe's libraries; or this far ahead, which they do not check."""
STAMP_WITHIN_S = 24 * 3600
"""A stamp further off is refused before the body is read. A nearer one is verified first: if Stripe signed it, it shows
that this machine's clock is wrong."""
READ_LATE_FROM_MS = 12
"""Shorter delays are not recorded: the fold needs those over an eighth of `on_time_within`, which is 100 ms or more."""
SUCCEEDED = "payment_intent.succeeded"
_THIN_SUCCEEDED = "v1.payment_intent.succeeded"
_THIN = "v2.core.event"


class WebhookResult(enum.StrEnum):
    """The result of a webhook delivery."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The same event again."""
    SAME_PAYMENT = "same_payment"
    """Another event of a payment that is in the journal."""
    TEST_PAYMENT = "test_payment"
    """One of `sidecar test-payment`: judged apart, and never journalled."""
    OTHER_LIVEMODE = "other_livemode"
    MISSING_METADATA = "missing_metadata"
    OTHER_TYPE = "other_type"
    THIN_EVENT = "thin_event"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_WRONG = "signature_wrong"
    SIGNATURE_STALE = "signature_stale"
    SIGNATURE_FUTURE = "signature_future"
    BODY_INVALID = "body_invalid"
    BODY_REFUSED = "body_refused"
    """Too large, too slow, or compressed."""
    SOURCE_REFUSED = "source_refused"
    """Its address sent too many deliveries that were refused, and none that Stripe signed."""
    UNAVAILABLE = "unavailable"
    """The journal could not store it, or too many appends were waiting; Stripe retries."""


_ANSWERS = {result: msgspec.json.encode({"received": True, "result": result}) for result in WebhookResult}

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[A-Za-z0-9_\-.]+\Z")]
_UnixSeconds = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


class _Related(msgspec.Struct, frozen=True):
    id: _Id


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _Event(msgspec.Struct, frozen=True):
    """The fields that are read of a snapshot event or a thin event. In a thin one, `created` is ISO 8601."""

    id: _Id
    object: str
    type: str
    created: _UnixSeconds | str
    livemode: bool = False
    account: _Id | None = None
    data: _Data | None = None
    related_object: _Related | None = None


class _PaymentIntent(msgspec.Struct, frozen=True):
    id: _Id
    metadata: dict[str, str] | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_payment = msgspec.json.Decoder(_PaymentIntent).decode


class StripeWebhook(Part):
    """Receives Stripe's events for one endpoint."""

    requests = Counter("webhook_requests", "Requests to the Stripe endpoint by result.", {"result": WebhookResult})

    def __init__(
        self,
        journal: Journal,
        config: Stripe,
        secrets: Sequence[str],
        identity_key: str | None,
        *,
        signed: Callable[[int], None] = lambda _: None,
        late_ms: Callable[[], int] = lambda: 0,
        signatures: WebhookSignatures | None = None,
        proxies: int = 0,
    ) -> None:
        self._journal = journal
        self._config = config
        self._secrets = secrets
        self._identity_key = identity_key
        self._signed = signed
        """Called with the second in which Stripe signed each received event."""
        self._late_ms = late_ms
        """Returns for how long, at most, a request that is read now had waited for the event loop."""
        self._signatures = signatures
        self._proxies = proxies
        self._sources = WebhookSources()
        self._throttle = Throttle()

    @post("/stripe/webhook", on=PUBLIC)
    async def receive(self, request: web.Request) -> web.Response:
        """Process one delivery. Raises `SidecarError` if it is not an event that Stripe signed for this endpoint."""
        source, header = client_address(request, self._proxies), request.headers.get("Stripe-Signature", "")
        with self.requests.on(SidecarError, WebhookResult.SOURCE_REFUSED):
            await self._sources.check(source)
        try:
            signed_s = self.check_header(header)
            with self.requests.on(SidecarError, WebhookResult.BODY_REFUSED):
                body = await read_body(request, bytes_max=BODY_BYTES_MAX, within_s=BODY_WITHIN_S)
            with self.requests.on(SidecarError, WebhookResult.SOURCE_REFUSED):
                self._sources.check_again(source)
            self.verify(body, header, signed_s)
        except SidecarError:
            self._sources.refused(source)
            raise
        self._sources.verified(source)
        observation, result = self.to_observation(body, signed_s)
        if observation is not None:
            result = await self._store(observation, result)
        self.requests.inc(result)
        return web.Response(body=_ANSWERS[result], content_type="application/json")

    def check_header(self, header: str) -> int:
        """Return when a delivery claims to be signed, in Unix seconds, before its body is read.

        Raises `SidecarError` with `signature_invalid` for a signature that cannot be valid, whatever the body is.
        """
        if not header:
            raise self._refusal(
                WebhookResult.SIGNATURE_MISSING,
                "the request has no Stripe-Signature header; only Stripe may send to this URL",
            )
        signed_s = _signed_s(header)
        if signed_s is None or not header.isascii():
            raise self._refusal(
                WebhookResult.SIGNATURE_MALFORMED, "the Stripe-Signature header does not have the form t=...,v1=..."
            )
        if header.count("v1=") > SIGNATURES_MAX:
            raise self._refusal(
                WebhookResult.SIGNATURE_MALFORMED, f"the Stripe-Signature header has more than {SIGNATURES_MAX} v1"
            )
        if abs(clock.wall_ms() // 1000 - signed_s) > STAMP_WITHIN_S:
            raise self._refusal(
                WebhookResult.SIGNATURE_STALE, "it claims to be signed on another day; check this machine's clock"
            )
        return signed_s

    def verify(self, body: bytes, header: str, signed_s: int) -> None:
        """Raise `SidecarError` with `signature_invalid` unless Stripe signed the body, and within the tolerance."""
        if not any(_is_signed(body, header, secret) for secret in self._secrets):
            raise self._refusal(
                WebhookResult.SIGNATURE_WRONG,
                "no signature matches: STRIPE_WEBHOOK_SECRET is that of another endpoint, or a proxy altered the body",
            )
        is_own = PREFIX.encode() in body and self._is_trial(body)
        if not is_own:
            self._signed(signed_s)
        age_s = clock.wall_ms() // 1000 - signed_s
        if age_s > TOLERANCE_S:
            raise self._refusal(
                WebhookResult.SIGNATURE_STALE,
                f"signed {age_s} s ago, at most {TOLERANCE_S} s are allowed; check this machine's clock",
            )
        if age_s < -TOLERANCE_S:
            raise self._refusal(
                WebhookResult.SIGNATURE_FUTURE,
                f"signed {-age_s} s in the future, at most {TOLERANCE_S} s are allowed; check this machine's clock",
            )
        if self._signatures is not None and not is_own:  # a test shows nothing about Stripe's clock and secret
            self._signatures.verified()

    @staticmethod
    def _is_trial(body: bytes) -> bool:
        """Return whether a body is the event of a test payment."""
        try:
            data = _decode_event(body).data
            return data is not None and is_trial(_decode_payment(data.object).id)
        except UNREADABLE:
            return False

    def _refusal(self, result: WebhookResult, message: str) -> SidecarError:
        self.requests.inc(result)
        self._throttle.warn(result, "webhook.refused", result=result.value, message=message)
        if result is WebhookResult.BODY_INVALID:
            return SidecarError(ErrorCode.BODY_INVALID, message)
        if self._signatures is not None:
            self._signatures.refused()
        return SidecarError(ErrorCode.SIGNATURE_INVALID, message)

    def _decode(self, body: bytes) -> _Event:
        try:
            return _decode_event(body)
        except UNREADABLE as error:
            raise self._refusal(
                WebhookResult.BODY_INVALID, "the body is signed, but is not a Stripe event in JSON"
            ) from error

    def to_observation(
        self, body: bytes, signed_s: int
    ) -> tuple[PaymentSucceeded | PaymentIgnored | None, WebhookResult]:
        """Return the observation to append, and the result to count if it is new.

        The observation is a `PaymentSucceeded`, a `PaymentIgnored` for a payment that is not judged, or None for an
        event of another type.

        Raises `SidecarError` with `body_invalid` for an invalid body.
        """
        event = self._decode(body)
        if event.object == _THIN:
            return self._thin(event), WebhookResult.THIN_EVENT
        if event.type != SUCCEEDED:
            return None, WebhookResult.OTHER_TYPE
        if event.data is None or not isinstance(event.created, int):
            raise self._refusal(
                WebhookResult.BODY_INVALID, "the event has no `data.object`, or no `created` in seconds"
            )
        try:
            payment = _decode_payment(event.data.object)
        except UNREADABLE as error:
            raise self._refusal(WebhookResult.BODY_INVALID, "`data.object` is not a PaymentIntent") from error
        metadata = payment.metadata or {}
        if event.livemode != self._config.livemode:
            ignored = IgnoreReason.OTHER_LIVEMODE
        elif any(key not in metadata for key in self._config.required_metadata):
            ignored = IgnoreReason.MISSING_METADATA
        else:
            late_ms = self._late_ms()
            fact = PaymentSucceeded(
                payment_intent=payment.id,
                event_id=event.id,
                created_s=event.created,
                signed_s=signed_s,
                user_ref=self._user_ref(metadata),
                account=event.account,
                read_late_ms=late_ms if late_ms > READ_LATE_FROM_MS else 0,
                no_payer=no_payer_of(event.data.object),
            )
            return fact, WebhookResult.ACCEPTED
        observation = PaymentIgnored(payment_intent=payment.id, event_id=event.id, reason=ignored)
        return observation, WebhookResult(ignored)

    def _thin(self, event: _Event) -> PaymentIgnored | None:
        structlog.get_logger().warning(
            "webhook.thin_event",
            event_type=event.type,
            hint="this endpoint gets thin events, which have no metadata; in Stripe, create a destination with "
            "payload style 'snapshot' for payment_intent.succeeded",
        )
        if event.type != _THIN_SUCCEEDED or event.related_object is None:
            return None
        return PaymentIgnored(payment_intent=event.related_object.id, event_id=event.id, reason=IgnoreReason.THIN_EVENT)

    def _user_ref(self, metadata: dict[str, str]) -> str | None:
        user_id = metadata.get(self._config.user_key) if self._config.user_key else None
        return user_ref(self._identity_key, user_id) if user_id and self._identity_key else None

    async def _store(self, observation: PaymentSucceeded | PaymentIgnored, result: WebhookResult) -> WebhookResult:
        with self.requests.on(SidecarError, WebhookResult.UNAVAILABLE):
            appended = await self._journal.append(observation)
        if appended.record.seq == NOT_RECORDED:
            return WebhookResult.TEST_PAYMENT
        if not appended.duplicate:
            return result
        known = appended.record.observation
        is_same = isinstance(known, PaymentSucceeded | PaymentIgnored) and known.event_id == observation.event_id
        return WebhookResult.DUPLICATE if is_same else WebhookResult.SAME_PAYMENT


def _signed_s(header: str) -> int | None:
    """Return the first `t` of a signature header; None if it is missing or not a plain number.

    Stripe's library parses it with `int`, which accepts `+1` and `1_0`; this function accepts digits only.
    """
    stamps = [item[2:] for item in header.split(",") if item.startswith("t=")]
    digits = stamps[0] if stamps else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= len("1000000000000") else None


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    """Verify the signature with Stripe's library. Stripe signs no body that is not UTF-8."""
    try:
        return bool(stripe.WebhookSignature.verify_header(body.decode(), header, secret))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
