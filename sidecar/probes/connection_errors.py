"""Map the failures of a connection, which aiohttp raises, to the outcomes of the closed set."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.probe_record import Ended, ProbeRecord

_BY_ERRNO = {
    errno.ECONNREFUSED: AuthProbeOutcome.CONNECTION_REFUSED,
    errno.ECONNRESET: AuthProbeOutcome.CONNECTION_RESET,
    errno.EPIPE: AuthProbeOutcome.CONNECTION_RESET,
    errno.EHOSTUNREACH: AuthProbeOutcome.UNREACHABLE,
    errno.ENETUNREACH: AuthProbeOutcome.UNREACHABLE,
    errno.EADDRNOTAVAIL: AuthProbeOutcome.UNREACHABLE,
    errno.EACCES: AuthProbeOutcome.UNREACHABLE,
    errno.EPERM: AuthProbeOutcome.UNREACHABLE,
}
_EXPIRED, _NOT_YET_VALID, _HOSTNAME_MISMATCH, _IP_MISMATCH = 10, 9, 62, 64
"""X509_V_ERR_CERT_HAS_EXPIRED and others of OpenSSL's x509_vfy.h."""
FAILURES = (aiohttp.ClientError, OSError, ssl.SSLError)
"""Raised while a connection is opened or used; the caller sets the timeout."""


@asynccontextmanager
async def ending(record: ProbeRecord, within_s: float) -> AsyncIterator[None]:
    """Raise `Ended` for a timeout and for every failure of a connection, at the step that the record has reached."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError:
        step = Step.AUTHORISE if record.step is Step.SIGNATURE else record.step
        raise Ended(AuthProbeOutcome.timeout_at(step), detail=f"no answer within {within_s:g} s") from None
    except FAILURES as error:
        raise ended_by(error, record.step) from error


def ended_by(error: BaseException, step: Step) -> Ended:
    """Return the outcome of an auth probe that ended with this exception at this step."""
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return Ended(AuthProbeOutcome.DNS, detail=_detail(error))
    tls = _tls_error(error)
    if tls is not None:
        return Ended(_tls_outcome(tls), detail=_detail(tls))
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return Ended(AuthProbeOutcome.UNEXPECTED_STATUS, error.status)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Ended(AuthProbeOutcome.CONNECTION_RESET, detail="closed without an answer")
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError | aiohttp.InvalidURL):
        return Ended(AuthProbeOutcome.NOT_HTTP, detail=type(error).__name__)
    number = getattr(error, "errno", None) or getattr(getattr(error, "os_error", None), "errno", None)
    if number in _BY_ERRNO:
        return Ended(_BY_ERRNO[number], detail=_detail(error))
    if step is Step.TLS:
        return Ended(AuthProbeOutcome.TLS_OTHER, detail=_detail(error))
    return Ended(AuthProbeOutcome.CONNECTION_RESET, detail=_detail(error))


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        return inner if isinstance(inner, ssl.SSLError) else None
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return error.os_error if isinstance(error.os_error, ssl.SSLError) else ssl.SSLError(str(error))
    return error if isinstance(error, ssl.SSLError) else None


def _tls_outcome(error: ssl.SSLError) -> AuthProbeOutcome:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in {_EXPIRED, _NOT_YET_VALID}:
            return AuthProbeOutcome.TLS_EXPIRED
        if error.verify_code in {_HOSTNAME_MISMATCH, _IP_MISMATCH}:
            return AuthProbeOutcome.TLS_WRONG_HOST
        return AuthProbeOutcome.TLS_UNTRUSTED
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}:
        return AuthProbeOutcome.TLS_NOT_SPOKEN
    return AuthProbeOutcome.TLS_OTHER


def _detail(error: BaseException) -> str:
    """Return the system's name of the error, without an address that it may contain."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    inner = getattr(error, "os_error", error)
    return str(getattr(inner, "reason", None) or getattr(inner, "strerror", None) or type(error).__name__)
