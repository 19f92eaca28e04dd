"""Every error is a small JSON object with a code for machines and a sentence for people; never an echo of the input."""

import msgspec
import structlog
from aiohttp import web

from sidecar.http.rate_limits import Refusal
from sidecar.ports import ErrorCode, SidecarError

STATUS = {
    ErrorCode.BODY_INVALID: 400,
    ErrorCode.CONTEXT_INVALID: 400,
    ErrorCode.SIGNATURE_INVALID: 400,
    ErrorCode.USER_INVALID: 400,
    ErrorCode.TOKEN_INVALID: 401,
    ErrorCode.TOKEN_NEEDED: 401,
    ErrorCode.ROLE_INSUFFICIENT: 403,
    ErrorCode.ORIGIN_REFUSED: 403,
    ErrorCode.HOST_REFUSED: 403,
    ErrorCode.FLAG_UNKNOWN: 404,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.BODY_TOO_SLOW: 408,
    ErrorCode.CONFLICT: 409,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.ENCODING_REFUSED: 415,
    ErrorCode.RATE_EXCEEDED: 429,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.JOURNAL_UNAVAILABLE: 503,
    ErrorCode.JOURNAL_OVERLOADED: 503,
    ErrorCode.NOT_READY: 503,
}
"""Codes that a client can meet; any other is our own failure, and a 500."""

REFUSALS = {
    Refusal.RATE: SidecarError(ErrorCode.RATE_EXCEEDED, "more requests per second than this route takes"),
    Refusal.IN_FLIGHT: SidecarError(ErrorCode.OVERLOADED, "more requests at once than this route takes"),
    Refusal.LAG: SidecarError(ErrorCode.OVERLOADED, "the sidecar is busy with webhooks and decisions, which go first"),
}
"""What is said to those whom a route's rate_limiter does not let in."""

_IN_OFREP = {
    ErrorCode.BODY_INVALID: "PARSE_ERROR",
    ErrorCode.CONTEXT_INVALID: "INVALID_CONTEXT",
    ErrorCode.FLAG_UNKNOWN: "FLAG_NOT_FOUND",
}
"""OFREP's own codes; all else is GENERAL."""

_RETRY_AFTER_S = {429: 1, 503: 5}
_REALM = "reverb-sidecar: any name, and a token of SIDECAR_OPERATOR_TOKENS as the password"
_KEY_MAX = 64
"""Characters of a flag's name that are said back, as OFREP wants it; nothing else of a request ever is."""
_NOT_READ_TO_THE_END = frozenset({
    ErrorCode.BODY_TOO_LARGE, ErrorCode.BODY_TOO_SLOW, ErrorCode.RATE_EXCEEDED, ErrorCode.OVERLOADED
})  # fmt: skip
"""Answers after which the connection is closed: the rest of the body is not worth waiting for."""


def error_response(code: str, message: str, status: int) -> web.Response:
    """Return an error as JSON."""
    return _answer({"code": code, "message": message}, status)


def to_error_response(error: SidecarError, request: web.Request) -> web.Response:
    """Return what is said of one of our own errors."""
    del request
    response = error_response(error.code, error.message, STATUS.get(error.code, 500))
    if error.code is ErrorCode.TOKEN_NEEDED:  # so that a browser asks the person who looks
        response.headers["WWW-Authenticate"] = f'Basic realm="{_REALM}", charset="UTF-8"'
    return _closing(error, response)


def to_ofrep_error_response(error: SidecarError, request: web.Request) -> web.Response:
    """Return the same in OFREP's shape: its providers take an error for one only with a key, a code and details."""
    body = {"errorCode": _IN_OFREP.get(error.code, "GENERAL"), "errorDetails": error.message}
    key = request.match_info.get("key")
    if key is not None:
        body = {"key": key[:_KEY_MAX], **body}
    return _closing(error, _answer(body, STATUS.get(error.code, 500)))


def failed(request: web.Request) -> SidecarError:
    """Log what we did not foresee, with its traceback, and return what is to be said. Call it where it is handled."""
    resource = request.match_info.route.resource  # its pattern is ours; the path is not
    route = resource.canonical if resource is not None else None
    structlog.get_logger().exception("http.failed", method=request.method, route=route)
    return SidecarError(ErrorCode.INTERNAL, "the sidecar failed to answer; its log says why")


def _answer(body: dict[str, str], status: int) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if status in _RETRY_AFTER_S:
        headers["Retry-After"] = str(_RETRY_AFTER_S[status])
    encoded = msgspec.json.encode(body)
    return web.Response(body=encoded, status=status, headers=headers, content_type="application/json", charset="utf-8")


def _closing(error: SidecarError, response: web.Response) -> web.Response:
    if error.code in _NOT_READ_TO_THE_END:
        response.force_close()
    return response


def nowhere(allowed: set[str]) -> web.Response:
    """Return what is said where no route answers; `allowed` are the methods of those that have the same path."""
    if not allowed:
        return error_response(ErrorCode.NOT_FOUND, "there is nothing at this path on this listener", 404)
    methods = ", ".join(sorted(allowed))
    response = error_response(ErrorCode.METHOD_NOT_ALLOWED, f"this path takes {methods}", 405)
    response.headers["Allow"] = methods
    return response
