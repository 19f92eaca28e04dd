"""`GET /flags/{key}` and its stream: the answer over HTTP. Public, without cookies, cached only by who asked."""

from collections.abc import Mapping

from aiohttp import web

from sidecar import clock
from sidecar.flags.answers import Answers
from sidecar.flags.streams import StreamKind, Streams
from sidecar.http.cors import ISSUED_AT, READABLE, preflight
from sidecar.http.etags import matches
from sidecar.ports import ErrorCode, SidecarError

TARGETING_KEY_MAX = 256
STREAM_HEADERS = "Last-Event-ID, Cache-Control"
"""What readers of streams send that are no browser's own, and so need a preflight."""


def flag_routes(answers: Answers, streams: Streams) -> list[web.RouteDef]:
    """Return the routes that tell the flag."""

    async def get_flag(request: web.Request) -> web.Response:
        check_flag(answers, request.match_info["key"])
        told = answers.answer(targeting_key_of(request.query), clock.monotonic_s())
        headers = {
            **READABLE,
            "ETag": told.etag,
            "Cache-Control": f"private, max-age={told.max_age_s}, must-revalidate",
            ISSUED_AT: str(clock.wall_ms()),
        }
        if matches(request.headers.get("If-None-Match"), told.etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=told.body, headers=headers, content_type="application/json")

    async def get_stream(request: web.Request) -> web.StreamResponse:
        check_flag(answers, request.match_info["key"])
        return await streams.serve(
            request,
            StreamKind.VALUES,
            targeting_key_of(request.query),
            lambda told, _: told.issued(clock.wall_ms()),
        )

    return [
        web.get("/flags/{key}", get_flag),
        preflight("/flags/{key}", "GET", "If-None-Match"),
        web.get("/flags/{key}/stream", get_stream, allow_head=False),
        preflight("/flags/{key}/stream", "GET", STREAM_HEADERS),
    ]


def check_flag(answers: Answers, key: str) -> None:
    """Raise `SidecarError` with `flag_unknown` if there is no flag of this name."""
    if key != answers.flag:
        raise SidecarError(
            ErrorCode.FLAG_UNKNOWN, "there is no flag of this name; `flag` in the configuration names it"
        )


def targeting_key_of(query: Mapping[str, str]) -> str | None:
    """Return who asks, as the query says it; None: it does not. Raises `SidecarError` for one that is too long."""
    targeting_key = query.get("targeting_key") or None
    if targeting_key is not None and len(targeting_key) > TARGETING_KEY_MAX:
        raise SidecarError(ErrorCode.BODY_INVALID, f"targeting_key is longer than {TARGETING_KEY_MAX} characters")
    return targeting_key
