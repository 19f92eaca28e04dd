"""`POST /acks` from browsers: a payer's browser reports the result of one payment.

Anyone can send a report. The page uses `navigator.sendBeacon`, which allows no header, so the token is in the body and
the content type is `text/plain`.

The cheapest checks come first, and each refusal is counted by its reason. Cookies are never read, and no input is
repeated in a response. Which reports count, and how often, is decided in the core (`core.fold.reach`).
"""

import collections
import enum
import hashlib
from collections.abc import Callable
from typing import Annotated

import msgspec
from aiohttp import web

from sidecar.core.facts.observations import UNREADABLE, BrowserReported
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import ClearedBy, Family, Flow, Reading, Subscription
from sidecar.http.address import client_address
from sidecar.http.body import read_body
from sidecar.http.quotas import Quotas
from sidecar.logs import Throttle
from sidecar.parts.cors import READABLE
from sidecar.parts.metrics import Counter
from sidecar.parts.part import Part
from sidecar.ports import ErrorCode, Journal, SidecarError
from sidecar.probes.ack_facts import Name, invalid, unreadable
from sidecar.tokens import AUDIENCE, Bearer, BrowserTokens, TokenFault, TokenRefused, UsedTokens, user_ref

BODY_BYTES_MAX = 2048
_BODY_WITHIN_S = 3.0
IN_FLIGHT_MAX = 200
"""The share of the ack route's permits for browsers: a flood of beacons must not displace the backend."""
IN_FLIGHT_PER_ADDRESS_MAX = 40
"""One address cannot occupy all permits with bodies that never end."""
SHED_FROM_LAG_S = 0.2
"""Event loop lag from which reports are shed, in favour of the backend's acks."""
USER_AT_ONCE, USER_PER_S = 10, 1 / 300
"""Maximum rate of reports of one user."""
ADDRESS_AT_ONCE, ADDRESS_PER_S = 300, 30.0
"""Maximum rate of reports from one address. A school may share one address, and all browsers share that of a proxy that
is not in the configuration."""


class ReportResult(enum.StrEnum):
    """The result of a request with a browser's report."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    NOT_TAKEN = "not_taken"
    """No SIDECAR_BROWSER_SECRET is set."""
    OVERLOADED = "overloaded"
    ORIGIN_REFUSED = "origin_refused"
    ADDRESS_RATE = "address_rate"
    BODY_REFUSED = "body_refused"
    """Too large, too slow, or compressed."""
    BODY_INVALID = "body_invalid"
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105 - a result, not a secret
    TOKEN_KEY_UNKNOWN = "token_key_unknown"  # noqa: S105
    TOKEN_SIGNATURE = "token_signature"  # noqa: S105
    TOKEN_AUDIENCE = "token_audience"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_EARLY = "token_early"  # noqa: S105
    TOKEN_TOO_LONG = "token_too_long"  # noqa: S105
    TOKEN_ENVIRONMENT = "token_environment"  # noqa: S105
    TOKEN_USED = "token_used"  # noqa: S105
    USER_RATE = "user_rate"
    UNAVAILABLE = "unavailable"
    """The journal could not store it."""


_Ms = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
_Few = Annotated[int, msgspec.Meta(ge=0, le=1000)]


_WIRE_NAMES = {f"{name}_ms": f"{name}_after_ms" for name in ("subscribed", "pushed", "cleared")}


class Report(msgspec.Struct, frozen=True, rename=_WIRE_NAMES):
    """A report on the wire. Unknown fields are ignored: pages may be newer than the sidecar."""

    token: str
    payment_intent: Name
    flow: Flow
    mode: Mode
    version: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    subscription: Subscription
    refetches: _Few
    watched_ms: _Ms
    auth_status: Annotated[int, msgspec.Meta(ge=0, le=599)] | None = None
    subscribed_ms: _Ms | None = None
    pushed_ms: _Ms | None = None
    cleared_ms: _Ms | None = None
    cleared_by: ClearedBy | None = None
    stale_refetches: _Few = 0


_decode = msgspec.json.Decoder(Report).decode
_FORMAT = (
    "a report is a JSON object with token, payment_intent, flow, mode, version, subscription, refetches, watched_ms, "
    "and optionally auth_status, subscribed_after_ms, pushed_after_ms, cleared_after_ms, cleared_by, stale_refetches"
)


class Reports(Part):
    """Receives reports of browsers."""

    reports = Counter("browser_reports", "Reports of browsers by result of the request.", {"result": ReportResult})

    def __init__(
        self,
        journal: Journal,
        tokens: BrowserTokens | None,
        identity_key: str | None,
        *,
        origins: tuple[str, ...] = (),
        proxies: int = 0,
        lag_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._journal = journal
        self._tokens, self._identity_key = tokens, identity_key
        self._origins, self._proxies = origins, proxies
        self._users = Quotas(at_once=USER_AT_ONCE, per_s=USER_PER_S)
        self._addresses = Quotas(at_once=ADDRESS_AT_ONCE, per_s=ADDRESS_PER_S)
        self._in_flight: collections.Counter[str] = collections.Counter()
        """Reports being received, by address; `total()` is their number."""
        self._lag_s = lag_s
        self._used = UsedTokens()
        self._throttle = Throttle()
        self._misdirected = 0
        """Reports with a token for another service, since the last that was accepted."""

    def warning(self) -> str:
        """Return what is wrong with the tokens that come, as a sentence; empty: nothing is."""
        if not self._misdirected:
            return ""
        reports = "A browser report was" if self._misdirected == 1 else f"{self._misdirected} browser reports were"
        return (
            f"{reports} refused, because the token is for another service: its `aud` is not `{AUDIENCE}`. The app must "
            f"sign a token of its own for the page, with `aud` `{AUDIENCE}` (docs/payers.md)."
        )

    async def receive(self, request: web.Request) -> web.Response:
        """Append one report. Raises `SidecarError` for one that is refused."""
        if self._tokens is None or self._identity_key is None:
            raise self._refused(
                ReportResult.NOT_TAKEN,
                ErrorCode.NOT_FOUND,
                "browser reports are off: SIDECAR_BROWSER_SECRET is not set in the sidecar",
            )
        address = client_address(request, self._proxies)
        is_full = self._in_flight.total() >= IN_FLIGHT_MAX or self._in_flight[address] >= IN_FLIGHT_PER_ADDRESS_MAX
        if is_full or self._lag_s() >= SHED_FROM_LAG_S:
            raise self._refused(
                ReportResult.OVERLOADED, ErrorCode.OVERLOADED, "too many reports at once; try again later"
            )
        self._in_flight[address] += 1
        try:
            return await self._take(request, address, self._tokens, self._identity_key)
        finally:
            self._in_flight[address] -= 1
            self._in_flight += collections.Counter()  # removes addresses with none

    async def _take(self, request: web.Request, address: str, tokens: BrowserTokens, identity_key: str) -> web.Response:
        origin = request.headers.get("Origin")
        if self._origins and origin is not None and origin not in self._origins:
            raise self._refused(
                ReportResult.ORIGIN_REFUSED,
                ErrorCode.ORIGIN_REFUSED,
                "the page's origin is not in `acks.browser_origins`",
            )
        if not self._addresses.takes(address):
            raise self._refused(
                ReportResult.ADDRESS_RATE, ErrorCode.RATE_EXCEEDED, "too many reports from one address; try again later"
            )
        with self.reports.on(SidecarError, ReportResult.BODY_REFUSED):
            body = await read_body(request, bytes_max=BODY_BYTES_MAX, within_s=_BODY_WITHIN_S)
        fact, bearer = self._read(body, tokens, identity_key, family_of(request.headers.get("User-Agent", "")))
        digest = hashlib.sha256(msgspec.msgpack.encode(fact.reading)).digest()
        if bearer.token_id is not None and self._has_reported(bearer.token_id, fact, digest):
            self.reports.inc(ReportResult.DUPLICATE)
            return web.Response(status=204, headers=READABLE)
        if not self._users.takes(fact.user_ref):
            raise self._refused(
                ReportResult.USER_RATE, ErrorCode.RATE_EXCEEDED, "too many reports from one user; try again later"
            )
        with self.reports.on(SidecarError, ReportResult.UNAVAILABLE):
            appended = await self._journal.append(fact)
        if bearer.token_id is not None and not self._has_reported(bearer.token_id, fact, digest):  # they came together
            self._used.use(bearer.token_id, fact.payment_intent, digest)
        self._misdirected = 0
        self.reports.inc(ReportResult.DUPLICATE if appended.duplicate else ReportResult.ACCEPTED)
        return web.Response(status=204, headers=READABLE)

    def _has_reported(self, token_id: str, fact: BrowserReported, digest: bytes) -> bool:
        try:
            return self._used.has_reported(token_id, fact.payment_intent, digest)
        except TokenRefused as error:
            raise self._refused(ReportResult.TOKEN_USED, error.code, error.message) from error

    def _read(
        self, body: bytes, tokens: BrowserTokens, identity_key: str, browser: Family
    ) -> tuple[BrowserReported, Bearer]:
        try:
            report = _decode(body)
            reading = reading_of(report)
        except UNREADABLE as error:
            refusal = unreadable(error, _FORMAT)
            raise self._refused(ReportResult.BODY_INVALID, refusal.code, refusal.message) from error
        except SidecarError as error:
            raise self._refused(ReportResult.BODY_INVALID, error.code, error.message) from error
        try:
            bearer = tokens.check(report.token)
        except TokenRefused as error:
            self._misdirected += error.fault is TokenFault.AUDIENCE  # its signature was valid: not anybody's
            raise self._refused(ReportResult(f"token_{error.fault}"), error.code, error.message) from error
        reference = user_ref(identity_key, bearer.user_id)
        fact = BrowserReported(
            payment_intent=report.payment_intent, user_ref=reference, browser=browser, reading=reading
        )
        return fact, bearer

    def _refused(self, result: ReportResult, code: ErrorCode, message: str) -> SidecarError:
        """Count and log a refusal, and return it."""
        self.reports.inc(result)
        self._throttle.warn(result, "report.refused", result=result.value, message=message)
        return SidecarError(code, message)


def reading_of(report: Report) -> Reading:
    """Return a report's measurements. Raises `SidecarError` with `body_invalid` for a contradictory report."""
    if (report.cleared_by is None) != (report.cleared_ms is None):
        raise invalid("`cleared_by` and `cleared_after_ms` must be sent together")
    if report.cleared_by is ClearedBy.PUSH and report.pushed_ms is None:
        raise invalid("`cleared_by` is `push`, so `pushed_after_ms` is required")
    if (report.subscription is Subscription.CONFIRMED) != (report.subscribed_ms is not None):
        raise invalid("`subscribed_after_ms` is required for subscription `confirmed`, and not allowed for others")
    if report.auth_status is not None and report.subscription is not Subscription.REFUSED:
        raise invalid("`auth_status` is allowed only for subscription `refused`")
    return msgspec.convert(report, Reading, from_attributes=True)


_FAMILIES = (
    ("Edg", Family.EDGE),
    ("SamsungBrowser/", Family.SAMSUNG),
    ("Firefox/", Family.FIREFOX),
    ("FxiOS/", Family.FIREFOX),
    ("CriOS/", Family.CHROME),
    ("Chrome/", Family.CHROME),
    ("Safari/", Family.SAFARI),
)
"""Parts of a `User-Agent`, the most specific first: most browsers name Chrome and Safari too."""


def family_of(user_agent: str) -> Family:
    """Return the family of the reporting browser."""
    return next((family for part, family in _FAMILIES if part in user_agent), Family.OTHER)
