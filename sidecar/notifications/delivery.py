"""One delivery attempt to one target, and its outcome. Response bodies are not read, redirects not followed."""

import asyncio
import enum
import ssl

import aiohttp
import msgspec

from sidecar.notifications.targets import Outgoing

_PAUSE_MAX_S = 300.0
"""Upper bound of a target's `Retry-After`."""


class Attempt(enum.StrEnum):
    """Outcomes of an attempt."""

    SENT = "sent"
    REFUSED = "refused"
    """A permanent error status: wrong URL, wrong key, or a rejected body."""
    REDIRECTED = "redirected"
    """A redirect. It is not followed, because a target could redirect into the internal network."""
    BUSY = "busy"
    """408, 425 or 429."""
    FAILED = "failed"
    """5xx."""
    TIMED_OUT = "timed_out"
    TLS = "tls"
    """The certificate is not trusted, or the target does not use TLS."""
    UNREACHABLE = "unreachable"
    """No address, no connection, or a connection that ended without a response."""

    @property
    def is_retryable(self) -> bool:
        """Whether a retry can succeed."""
        return self not in {Attempt.SENT, Attempt.REFUSED, Attempt.REDIRECTED}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an attempt, with details."""

    attempt: Attempt
    status: int | None = None
    """None: there was no response."""
    error: str = ""
    """Name of the exception, without its text, which may contain the URL; empty if there was a response."""
    pause_s: float = 0.0
    """Pause that the target requested."""


def session() -> aiohttp.ClientSession:
    """Return a session without cookies and without proxy settings from the environment."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


async def send(client: aiohttp.ClientSession, outgoing: Outgoing, *, within_s: float) -> Answer:
    """Make one attempt. Errors of the target are returned as an outcome, not raised."""
    try:
        async with (
            asyncio.timeout(within_s),
            client.post(outgoing.url, data=outgoing.body, headers=outgoing.headers, allow_redirects=False) as response,
        ):
            pause_s = _pause_s(response.headers.get("Retry-After", ""))
            return Answer(attempt=_of(response.status), status=response.status, pause_s=pause_s)
    except TimeoutError:
        return Answer(attempt=Attempt.TIMED_OUT, error="TimeoutError")
    except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError, ssl.SSLError) as error:
        return Answer(attempt=Attempt.TLS, error=type(error).__name__)
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a response with invalid headers
        return Answer(attempt=Attempt.UNREACHABLE, error=type(error).__name__)


def _of(status: int) -> Attempt:
    if 200 <= status < 300:  # noqa: PLR2004 - the classes of HTTP
        return Attempt.SENT
    if 300 <= status < 400:  # noqa: PLR2004
        return Attempt.REDIRECTED
    if status in {408, 425, 429}:
        return Attempt.BUSY
    return Attempt.FAILED if status >= 500 else Attempt.REFUSED  # noqa: PLR2004


def _pause_s(retry_after: str) -> float:
    return min(_PAUSE_MAX_S, float(retry_after)) if retry_after.isascii() and retry_after.isdecimal() else 0.0
