"""Error responses: a JSON object with a code for machines and a sentence for people, without an echo of the input."""

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
    ErrorCode.EXPECTATION_REFUSED: 417,
    ErrorCode.RATE_EXCEEDED: 429,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.JOURNAL_UNAVAILABLE: 503,
    ErrorCode.JOURNAL_OVERLOADED: 503,
    ErrorCode.NOT_READY: 503,
}
"""Codes of client errors; any other code is an internal error, with status 500."""

REFUSALS = {
    Refusal.RATE: SidecarError(ErrorCode.RATE_EXCEEDED, "more requests per second than this route accepts"),
    Refusal.IN_FLIGHT: SidecarError(ErrorCode.OVERLOADED, "more requests at once than this route accepts"),
    Refusal.LAG: SidecarError(ErrorCode.OVERLOADED, "the sidecar is busy with requests of higher priority"),
}
"""The errors of a route's rate limiter."""

_IN_OFREP = {
    ErrorCode.BODY_INVALID: "PARSE_ERROR",
    ErrorCode.CONTEXT_INVALID: "INVALID_CONTEXT",
    ErrorCode.FLAG_UNKNOWN: "FLAG_NOT_FOUND",
}
"""OFREP's codes; all others are GENERAL."""

_RETRY_AFTER_S = {429: 1, 503: 5}
_REALM = "reverb-sidecar: any name, and a token of SIDECAR_OPERATOR_TOKENS as the password"
_KEY_MAX = 64
"""Characters of a flag's name that OFREP requires in an error; nothing else of a request is echoed."""
_NOT_READ_TO_THE_END = frozenset({
    ErrorCode.BODY_TOO_LARGE, ErrorCode.BODY_TOO_SLOW, ErrorCode.EXPECTATION_REFUSED, ErrorCode.OVERLOADED,
    ErrorCode.RATE_EXCEEDED,
})  # fmt: skip
"""Errors after which the connection is closed, without reading the rest of the body."""


def error_response(code: str, message: str, status: int) -> web.Response:
    """Return an error as JSON."""
    return _answer({"code": code, "message": message}, status)


def to_error_response(error: SidecarError, request: web.Request) -> web.Response:
    """Return the response for an error."""
    del request
    response = error_response(error.code, error.message, STATUS.get(error.code, 500))
    if error.code is ErrorCode.TOKEN_NEEDED:  # a browser then asks its user for the token
        response.headers["WWW-Authenticate"] = f'Basic realm="{_REALM}", charset="UTF-8"'
    return _closing(error, response)


def to_ofrep_error_response(error: SidecarError, request: web.Request) -> web.Response:
    """Return the response in OFREP's shape: its providers require a key, a code and details."""
    body = {"errorCode": _IN_OFREP.get(error.code, "GENERAL"), "errorDetails": error.message}
    key = request.match_info.get("key")
    if key is not None:
        body = {"key": key[:_KEY_MAX], **body}
    return _closing(error, _answer(body, STATUS.get(error.code, 500)))


def failed(request: web.Request) -> SidecarError:
    """Log an unexpected exception with its traceback, and return the error for the client. Call it in the handler."""
    resource = request.match_info.route.resource  # a pattern contains no input; a path does
    route = resource.canonical if resource is not None else None
    structlog.get_logger().exception("http.failed", method=request.method, route=route)
    return SidecarError(ErrorCode.INTERNAL, "internal error; see the sidecar's log")


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
    """Return the response for a request without a route; `allowed` are the methods of routes with the same path."""
    if not allowed:
        return error_response(ErrorCode.NOT_FOUND, "there is nothing at this path on this listener", 404)
    methods = ", ".join(sorted(allowed))
    response = error_response(ErrorCode.METHOD_NOT_ALLOWED, f"this path accepts {methods}", 405)
    response.headers["Allow"] = methods
    return response
