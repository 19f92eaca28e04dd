"""One attempt to tell one target, and what came of it, from a closed list. No answer is read, and none is followed."""

import asyncio
import enum
import ssl

import aiohttp
import msgspec

from sidecar.notifications.targets import Outgoing

_PAUSE_MAX_S = 300.0
"""However long a target asks us to wait."""


class Attempt(enum.StrEnum):
    """What came of an attempt."""

    SENT = "sent"
    REFUSED = "refused"
    """A status that will be the same the next time: a wrong URL, a wrong key, a body that is not liked."""
    REDIRECTED = "redirected"
    """It pointed elsewhere. Nobody is followed: who answers could lead us anywhere inside."""
    BUSY = "busy"
    """408, 425 or 429."""
    FAILED = "failed"
    """5xx."""
    TIMED_OUT = "timed_out"
    TLS = "tls"
    """Its certificate is not to be trusted, or it speaks no TLS."""
    UNREACHABLE = "unreachable"
    """No address, no connection, or one that ended without an answer."""

    @property
    def is_worth_another(self) -> bool:
        """Whether it may be better the next time."""
        return self not in {Attempt.SENT, Attempt.REFUSED, Attempt.REDIRECTED}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt, with what it may be good for."""

    attempt: Attempt
    status: int | None = None
    """None: there was no answer."""
    error: str = ""
    """The name of the error, where there was no answer: its text may have the address in it."""
    pause_s: float = 0.0
    """For how long the target asked not to be asked again."""


def session() -> aiohttp.ClientSession:
    """Return a session that keeps no cookies and asks the environment for nothing."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


async def send(client: aiohttp.ClientSession, outgoing: Outgoing, *, within_s: float) -> Answer:
    """Make one attempt. What the target does wrong is an answer, and no exception."""
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
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: an answer with impossible headers
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
