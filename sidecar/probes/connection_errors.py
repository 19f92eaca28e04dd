"""What went wrong with a connection: an exception of aiohttp becomes an outcome of the closed list."""

import errno
import socket
import ssl

import aiohttp

from sidecar.core.facts.auth_probes import AuthProbeOutcome, Step
from sidecar.probes.probe_record import Ended

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
"""What dialling and talking raise; a timeout is the caller's."""


def ended_by(error: BaseException, step: Step) -> Ended:
    """Return how a auth probe ends that met this exception at this step."""
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return Ended(AuthProbeOutcome.DNS, detail=_words(error))
    tls = _tls_error(error)
    if tls is not None:
        return Ended(_tls_outcome(tls), detail=_words(tls))
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return Ended(AuthProbeOutcome.UNEXPECTED_STATUS, error.status)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Ended(AuthProbeOutcome.CONNECTION_RESET, detail="closed without an answer")
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError | aiohttp.InvalidURL):
        return Ended(AuthProbeOutcome.NOT_HTTP, detail=type(error).__name__)
    number = getattr(error, "errno", None) or getattr(getattr(error, "os_error", None), "errno", None)
    if number in _BY_ERRNO:
        return Ended(_BY_ERRNO[number], detail=_words(error))
    if step is Step.TLS:
        return Ended(AuthProbeOutcome.TLS_OTHER, detail=_words(error))
    return Ended(AuthProbeOutcome.CONNECTION_RESET, detail=_words(error))


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


def _words(error: BaseException) -> str:
    """Return what the system calls it, without an address that it may have added."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    inner = getattr(error, "os_error", error)
    return str(getattr(inner, "reason", None) or getattr(inner, "strerror", None) or type(error).__name__)
