"""HTTP requests as a browser sends them: its headers, cookies, session and limits.

No redirect is followed, at most 64 KiB of a body is read, and a cookie goes only to configured hosts.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import unquote, urlencode, urlsplit

import aiohttp
import msgspec
from yarl import URL

from sidecar import clock
from sidecar.config import Authorizer, Credentials
from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.auth_responses import Answer, is_challenge, refusal_of
from sidecar.probes.outside_clocks import OutsideClocks
from sidecar.probes.probe_record import Ended, ProbeRecord, tls_context
from sidecar.probes.redaction import shown_headers, shown_url
from sidecar.probes.target import USER_AGENT, Target

BODY_BYTES_MAX = 64 * 1024
HEADER_BYTES_MAX = 32 * 1024
RENEW_EVERY_S = 600.0
"""Minimum time between two logins. A 403 may mean that the session expired, so it is renewed; not more often, because
each login creates a session and counts towards the app's throttle."""
_CSRF_COOKIE = "XSRF-TOKEN"


class Browser:
    """The browser of one user. Its cookies outlive an auth probe."""

    def __init__(self, target: Target, clocks: OutsideClocks | None = None) -> None:
        self.target = target
        self._clocks = clocks or OutsideClocks()
        self._tls = tls_context()
        self._jar = aiohttp.CookieJar(unsafe=True)
        self._logged_in_s: float | None = None

    def session(self, probe_record: ProbeRecord, then: Step, url: str, sent: str) -> aiohttp.ClientSession:
        """Return a session for one connection to this URL, traced by the probe record; the caller closes it."""
        parts = urlsplit(url)
        connector = aiohttp.TCPConnector(ssl=self._tls, force_close=True, use_dns_cache=False, limit=4)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "Origin": self.target.origin},
            timeout=aiohttp.ClientTimeout(total=None),  # the runner's deadline is the only one
            trace_configs=[probe_record.tracing(parts.hostname or "", then, parts.path or "/", sent)],
            auto_decompress=True,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )

    async def request(
        self,
        probe_record: ProbeRecord,
        step: Step,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Send a request without following redirects, and return the response. Raises aiohttp's errors."""
        sent = f"{method} {shown_url(url)} ({', '.join(shown_headers(headers))})"
        async with self.session(probe_record, step, url, sent) as session:
            sent_ms = clock.wall_ms()
            response = await session.request(method, url, headers=headers, data=body, allow_redirects=False)
            received = {name.lower(): value for name, value in response.headers.items()}
            self._clocks.answered(received, asked_ms=sent_ms)
            async with response:
                content = bytearray()
                while len(content) < BODY_BYTES_MAX and not response.content.at_eof():
                    content += await response.content.read(BODY_BYTES_MAX - len(content))
                self._jar.update_cookies(response.cookies, response.url)
                answer = Answer(
                    status=response.status,
                    headers=received,
                    body=bytes(content),
                )
        probe_record.received(answer.summary())
        return answer

    def clear_session(self) -> None:
        """Delete the cookies, and with them the session."""
        self._jar.clear()
        self._logged_in_s = None

    @property
    def may_renew(self) -> bool:
        """Whether a refused session can be renewed now."""
        if self.target.login is not Credentials.COOKIE:
            return False
        return self._logged_in_s is None or clock.monotonic_s() - self._logged_in_s >= RENEW_EVERY_S

    async def log_in(self, probe_record: ProbeRecord) -> None:
        """Log in if the probe user needs a session and has none. Raises `Ended` at the step `login`."""
        target = self.target
        if target.login is not Credentials.COOKIE or self._logged_in_s is not None:
            return
        origin = {"Accept": "application/json", "Referer": f"{target.origin}/"}
        answer = await self.request(probe_record, Step.LOGIN, "GET", target.csrf_url, origin)
        if answer.status not in {200, 204}:
            raise refusal_of(answer) or Ended(AuthProbeOutcome.UNEXPECTED_STATUS, answer.status)
        login = {"email": target.secrets.email or "", "password": target.secrets.password or ""}
        headers = {**origin, "Content-Type": "application/json", **self._csrf(target.login_url)}
        headers |= self.cookies(target.login_url)
        answer = await self.request(
            probe_record, Step.LOGIN, "POST", target.login_url, headers, msgspec.json.encode(login)
        )
        if is_challenge(answer):
            raise Ended(AuthProbeOutcome.WAF_CHALLENGE, answer.status)
        if answer.status in {401, 403, 422}:
            raise Ended(AuthProbeOutcome.LOGIN_REFUSED, answer.status)
        is_logged_in = answer.status in {200, 201, 204} or answer.status in {302, 303}
        if not is_logged_in:
            raise refusal_of(answer) or Ended(AuthProbeOutcome.UNEXPECTED_STATUS, answer.status)
        self._logged_in_s = clock.monotonic_s()

    def auth_request(self, socket_id: str, channel: str) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a browser's request to the auth endpoint."""
        target = self.target
        fields = {"socket_id": socket_id, "channel_name": channel}
        headers: dict[str, str] = {}
        if target.authorizer is Authorizer.AXIOS:
            headers |= {"Accept": "application/json, text/plain, */*", "Content-Type": "application/json"}
            if target.sends_cookies:
                headers |= self._csrf(target.auth_endpoint)
            body = msgspec.json.encode(fields)
        else:
            headers |= {"Accept": "*/*", "Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(fields).encode()
        if target.login is Credentials.BEARER and target.secrets.token:
            headers["Authorization"] = f"Bearer {target.secrets.token}"
        return headers, body

    def cookies(self, url: str) -> dict[str, str]:
        """Return the Cookie header for this URL; empty without cookies."""
        found = "; ".join(f"{name}={value}" for name, value in self._cookies(url).items())
        return {"Cookie": found} if found else {}

    def _csrf(self, url: str) -> dict[str, str]:
        token = unquote(self._cookies(url).get(_CSRF_COOKIE, ""))
        return {"X-XSRF-TOKEN": token} if token and token.isprintable() else {}

    def _cookies(self, url: str) -> dict[str, str]:
        """Return the cookies for this URL that a header can contain: a line break would begin another header."""
        found = self._jar.filter_cookies(URL(url))
        return {name: each.value for name, each in found.items() if each.value.isprintable()}


async def is_reached(url: str, *, within_s: float) -> bool:
    """Return whether a URL answers at all, with any status: then the sidecar is not cut off."""
    try:
        async with asyncio.timeout(within_s), aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            response = await session.head(url, allow_redirects=False, headers={"User-Agent": USER_AGENT})
            response.close()
    except aiohttp.ClientResponseError:
        return True
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
    return True
