"""`GET /flags/{key}`: the answer over HTTP. Public, without cookies, cached only by the browser that asked."""

from aiohttp import web

from sidecar import clock
from sidecar.flags.answers import Answers
from sidecar.http.cors import ISSUED_AT, PREFLIGHT, READABLE
from sidecar.ports import ErrorCode, SidecarError

TARGETING_KEY_MAX = 256


def flag_routes(answers: Answers) -> list[web.RouteDef]:
    """Return the routes that tell the flag."""

    async def get_flag(request: web.Request) -> web.Response:
        if not answers.knows(request.match_info["key"]):
            raise SidecarError(
                ErrorCode.FLAG_UNKNOWN, "there is no flag of this name; `flag` in the configuration names it"
            )
        targeting_key = request.query.get("targeting_key") or None
        if targeting_key is not None and len(targeting_key) > TARGETING_KEY_MAX:
            raise SidecarError(ErrorCode.BODY_INVALID, f"targeting_key is longer than {TARGETING_KEY_MAX} characters")
        told = answers.answer(targeting_key, clock.monotonic_s())
        headers = {
            **READABLE,
            "ETag": told.etag,
            "Cache-Control": f"private, max-age={told.max_age_s}, must-revalidate",
            ISSUED_AT: str(clock.wall_ms()),
        }
        if_none_match = request.headers.get("If-None-Match")
        if if_none_match is not None and _matches(if_none_match, told.etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=told.body, headers=headers, content_type="application/json")

    async def preflight(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=PREFLIGHT)

    return [web.get("/flags/{key}", get_flag), web.options("/flags/{key}", preflight)]


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly, as RFC 9110 section 13.1.2 asks for `If-None-Match`."""
    candidates = [candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")]
    return etag in candidates or candidates == ["*"]
