"""`GET /flags/{key}`: the answer over HTTP. Public, without cookies, cached only by the browser that asked."""

from aiohttp import web

from sidecar import clock
from sidecar.flags.answers import Answers
from sidecar.http.errors import STATUS, error_response
from sidecar.ports import ErrorCode, SidecarError

ISSUED_AT = "Reverb-Sidecar-Issued-At"
"""Unix milliseconds at which this answer was given; on 200 and 304 alike. Only a newer one renews."""
TARGETING_KEY_MAX = 256

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"ETag, Age, Retry-After, {ISSUED_AT}",
}
_PREFLIGHT = {
    **_CORS,
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Max-Age": "86400",
}


def flag_routes(answers: Answers) -> list[web.RouteDef]:
    """Return the routes that tell the flag."""

    async def get_flag(request: web.Request) -> web.Response:
        try:
            return answer(request)
        except SidecarError as error:  # a script may read an error only if it says so itself
            response = error_response(error.code, error.message, STATUS[error.code])
            response.headers.update(_CORS)
            return response

    def answer(request: web.Request) -> web.Response:
        if not answers.knows(request.match_info["key"]):
            raise SidecarError(
                ErrorCode.FLAG_UNKNOWN, "there is no flag of this name; `flag` in the configuration names it"
            )
        targeting_key = request.query.get("targeting_key") or None
        if targeting_key is not None and len(targeting_key) > TARGETING_KEY_MAX:
            raise SidecarError(ErrorCode.BODY_INVALID, f"targeting_key is longer than {TARGETING_KEY_MAX} characters")
        told = answers.answer(targeting_key, clock.monotonic_s())
        headers = {
            **_CORS,
            "ETag": told.etag,
            "Cache-Control": f"private, max-age={told.max_age_s}, must-revalidate",
            ISSUED_AT: str(clock.wall_ms()),
        }
        if _matches(request.headers.get("If-None-Match", ""), told.etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=told.body, content_type="application/json", headers=headers)

    async def preflight(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=_PREFLIGHT)

    return [web.get("/flags/{key}", get_flag), web.options("/flags/{key}", preflight)]


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly, as RFC 9110 section 13.1.2 asks for `If-None-Match`."""
    candidates = [candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")]
    return etag in candidates or candidates == ["*"]
