"""`GET /flags/{key}` and its stream: the answer over HTTP. Public, without cookies, cached only by the client."""

from collections.abc import Mapping

from aiohttp import web

from sidecar import clock
from sidecar.flags.answers import Answers
from sidecar.flags.streams import Streams
from sidecar.http.etags import matches
from sidecar.http.event_streams import StreamKind
from sidecar.parts.cors import ISSUED_AT, READABLE
from sidecar.parts.part import Part
from sidecar.parts.routes import PUBLIC, get
from sidecar.ports import ErrorCode, SidecarError

TARGETING_KEY_MAX = 256
STREAM_HEADERS = "Last-Event-ID, Cache-Control"
"""Request headers of SSE clients that need a preflight request."""


class FlagApi(Part):
    """The plain HTTP API of the flag."""

    def __init__(self, answers: Answers, streams: Streams) -> None:
        self._answers = answers
        self._streams = streams

    @get("/flags/{key}", on=PUBLIC, preflight="If-None-Match")
    async def get_flag(self, request: web.Request) -> web.Response:
        """Answer with the flag's value for a user, or with 304."""
        check_flag(self._answers, request.match_info["key"])
        answer = self._answers.answer(targeting_key_of(request.query), clock.monotonic_s())
        headers = {
            **READABLE,
            "ETag": answer.etag,
            "Cache-Control": f"private, max-age={answer.max_age_s}, must-revalidate",
            ISSUED_AT: str(self._answers.now_ms()),
        }
        if matches(request.headers.get("If-None-Match"), answer.etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=answer.body, headers=headers, content_type="application/json")

    @get("/flags/{key}/stream", on=PUBLIC, preflight=STREAM_HEADERS, allow_head=False)
    async def get_stream(self, request: web.Request) -> web.StreamResponse:
        """Send the flag's value for a user, and every change of it."""
        check_flag(self._answers, request.match_info["key"])
        return await self._streams.serve_flag(
            request,
            StreamKind.VALUES,
            targeting_key_of(request.query),
            lambda answer, _: answer.issued(self._answers.now_ms()),
        )


def check_flag(answers: Answers, key: str) -> None:
    """Raise `SidecarError` with `flag_unknown` if there is no flag of this name."""
    if key != answers.flag:
        raise SidecarError(
            ErrorCode.FLAG_UNKNOWN, "there is no flag of this name; `flag` in the configuration names it"
        )


def targeting_key_of(query: Mapping[str, str]) -> str | None:
    """Return the targeting key of the query; None: there is none. Raises `SidecarError` if it is too long."""
    targeting_key = query.get("targeting_key") or None
    if targeting_key is not None and len(targeting_key) > TARGETING_KEY_MAX:
        raise SidecarError(ErrorCode.BODY_INVALID, f"targeting_key is longer than {TARGETING_KEY_MAX} characters")
    return targeting_key
