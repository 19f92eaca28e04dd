"""Map responses of the app to the outcomes of the closed set: status, redirect, firewall, body and CORS."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.probes.probe_record import Ended
from sidecar.probes.redaction import shown_url

_BY_STATUS = {
    401: AuthProbeOutcome.UNAUTHENTICATED_401,
    403: AuthProbeOutcome.REFUSED_403,
    404: AuthProbeOutcome.ROUTE_MISSING_404,
    419: AuthProbeOutcome.CSRF_419,
    429: AuthProbeOutcome.THROTTLED_429,
    503: AuthProbeOutcome.MAINTENANCE_503,
}
_CHALLENGES = ("just a moment...", "challenge-platform", "cf-chl", "attention required! | cloudflare", "captcha",
               "_incapsula_", "awswaf", "access denied | ", "ddos-guard")  # fmt: skip
"""Texts in the challenge pages of firewalls."""
_SAFE_HEADERS = frozenset({"accept", "accept-language", "content-language", "origin", "user-agent"})
"""Headers that need no preflight, as a form's Content-Type (Fetch standard, CORS-safelisted request-header)."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP response, read up to a limit."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def summary(self) -> str:
        """Return status, type, size and redirect target for display, without the body."""
        size = f"{len(self.body)} bytes" if self.body else "an empty body"
        where = f", to {shown_url(self.headers['location'])}" if "location" in self.headers else ""
        return f"{self.status} {self.content_type or 'without a type'}, {size}{where}"


def is_challenge(answer: Answer) -> bool:
    """Return whether a firewall answered with an interactive challenge."""
    if answer.headers.get("cf-mitigated", "").lower() == "challenge" or "x-amzn-waf-action" in answer.headers:
        return True
    if answer.content_type not in {"text/html", "application/xhtml+xml"}:
        return False
    text = answer.body.decode(errors="replace").lower()
    return any(mark in text for mark in _CHALLENGES)


def refusal_of(answer: Answer) -> Ended | None:
    """Return the outcome of a response that ends the auth probe; None for a 200 with a body."""
    status = answer.status
    if is_challenge(answer):
        return Ended(AuthProbeOutcome.WAF_CHALLENGE, status)
    if 300 <= status < 400:  # noqa: PLR2004 - the redirects of HTTP
        return Ended(_redirect(answer.headers.get("location", "")), status)
    if status in _BY_STATUS:
        return Ended(_BY_STATUS[status], status)
    if status >= 500:  # noqa: PLR2004
        return Ended(AuthProbeOutcome.SERVER_ERROR_5XX, status)
    if status != 200:  # noqa: PLR2004 - the only status that pusher-js accepts
        return Ended(AuthProbeOutcome.UNEXPECTED_STATUS, status)
    return Ended(AuthProbeOutcome.EMPTY_200, status) if not answer.body.strip() else None


def auth_in(answer: Answer) -> tuple[str, str]:
    """Return `auth` and `channel_data` of a 200. Raises `Ended` if it has no `auth`."""
    try:
        content = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Ended(AuthProbeOutcome.NOT_JSON_200, answer.status) from None
    auth = content.get("auth") if isinstance(content, dict) else None
    data = content.get("channel_data", "") if isinstance(content, dict) else ""
    if not isinstance(auth, str) or not isinstance(data, str) or not auth:
        raise Ended(AuthProbeOutcome.NO_AUTH_200, answer.status)
    return auth, data


def unsafe_headers(headers: Mapping[str, str], *, is_form: bool) -> list[str]:
    """Return the headers that need a preflight, in lower case and in alphabetical order."""
    unsafe = {name.lower() for name in headers} - _SAFE_HEADERS
    return sorted(unsafe - {"content-type"} if is_form else unsafe)


def blocks_script(answer: Answer, origin: str, *, with_credentials: bool) -> str | None:
    """Return why a browser hides the response from a script of this origin; None if it does not."""
    allowed = answer.headers.get("access-control-allow-origin")
    if allowed is None:
        return "no Access-Control-Allow-Origin"
    if with_credentials and allowed == "*":
        return "Access-Control-Allow-Origin is *, which is invalid with credentials"
    if allowed not in {"*", origin}:
        return "Access-Control-Allow-Origin names another origin"
    if with_credentials and answer.headers.get("access-control-allow-credentials") != "true":
        return "no Access-Control-Allow-Credentials: true"
    return None


def blocks_request(answer: Answer, origin: str, names: list[str], *, with_credentials: bool) -> str | None:
    """Return why a preflight's response blocks the request; None if it does not."""
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - the "ok status" of the Fetch standard
        return f"the preflight returned {answer.status}"
    block = blocks_script(answer, origin, with_credentials=with_credentials)
    if block is not None:
        return block
    header = answer.headers.get("access-control-allow-headers", "").lower()
    allowed = {name.strip() for name in header.split(",")}
    checked = {"authorization"} if "*" in allowed and not with_credentials else set(names)
    missing = [name for name in names if name in checked and name not in allowed]
    return f"Access-Control-Allow-Headers lacks {', '.join(missing)}" if missing else None


def _redirect(location: str) -> AuthProbeOutcome:
    try:
        path = urlsplit(location).path.lower()
    except ValueError:
        path = ""
    words = ("login", "signin", "sign-in", "auth/", "oauth", "sso")
    return AuthProbeOutcome.REDIRECT_TO_LOGIN if any(word in path for word in words) else AuthProbeOutcome.REDIRECT
