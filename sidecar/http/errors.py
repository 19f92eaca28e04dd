"""Every error is a small JSON object with a code for machines and a sentence for people; never an echo of the input."""

import json
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from sidecar.ports import ErrorCode, SidecarError

STATUS = {
    ErrorCode.BODY_INVALID: 400,
    ErrorCode.SIGNATURE_INVALID: 400,
    ErrorCode.TOKEN_INVALID: 401,
    ErrorCode.ROLE_INSUFFICIENT: 403,
    ErrorCode.FLAG_UNKNOWN: 404,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.BODY_TOO_SLOW: 408,
    ErrorCode.CONFLICT: 409,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.ENCODING_REFUSED: 415,
    ErrorCode.JOURNAL_UNAVAILABLE: 503,
    ErrorCode.JOURNAL_OVERLOADED: 503,
    ErrorCode.NOT_READY: 503,
}
"""Codes that a client can meet; any other is our own failure, and a 500."""

_RETRY_AFTER_S = 5

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error_response(code: str, message: str, status: int) -> web.Response:
    """Return an error as JSON."""
    headers = {"Cache-Control": "no-store"}
    if status == web.HTTPServiceUnavailable.status_code:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    return web.json_response({"code": code, "message": message}, status=status, headers=headers, dumps=_dumps)


@web.middleware
async def errors_in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer in words; what we did not foresee is logged, and a 500."""
    try:
        return await handler(request)
    except SidecarError as error:
        response = error_response(error.code, error.message, STATUS.get(error.code, 500))
        if error.code in {ErrorCode.BODY_TOO_LARGE, ErrorCode.BODY_TOO_SLOW}:
            response.force_close()
        return response
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        response = error_response(ErrorCode.METHOD_NOT_ALLOWED, f"this path takes {allowed}", error.status)
        response.headers["Allow"] = allowed
        return response
    except web.HTTPNotFound as error:
        return error_response(ErrorCode.NOT_FOUND, "there is nothing at this path on this listener", error.status)
    except web.HTTPException as error:
        return error_response("http_error", error.reason, error.status)
    except (ConnectionError, TimeoutError):
        raise
    except Exception:  # noqa: BLE001 - logged with its traceback and answered: the server goes on, the client is told
        structlog.get_logger().exception("http.failed", method=request.method, route=_route(request))
        return error_response("internal", "the sidecar failed to answer; its log says why", 500)


def _route(request: web.Request) -> str | None:
    """Return the route's pattern, which is ours, and not the path, which is not."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else None


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
