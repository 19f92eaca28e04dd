"""OFREP 0.3.0: `POST /ofrep/v1/evaluate/flags` and `…/flags/{key}`, and the stream of signals to evaluate again.

It accepts what providers send (no context, no targeting key, a base URL that ends in a slash), and answers no error if
there is a safe value: a provider without a value at its start uses its code's default for as long as the page lives.
"""

import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.core.facts.observations import UNREADABLE
from sidecar.flags.answers import Tagged
from sidecar.flags.evaluations import STREAM_PATH, Context, Evaluations
from sidecar.flags.routes import STREAM_HEADERS, TARGETING_KEY_MAX, targeting_key_of
from sidecar.flags.streams import Streams
from sidecar.http.body import read_body
from sidecar.http.etags import matches
from sidecar.http.event_streams import StreamKind
from sidecar.parts.cors import READABLE
from sidecar.parts.part import Part
from sidecar.parts.routes import PUBLIC, get, post
from sidecar.ports import ErrorCode, SidecarError

_BULK = "/{slashes:/*}ofrep/v1/evaluate/flags{slash:/?}"
_SINGLE = "/{slashes:/*}ofrep/v1/evaluate/flags/{key:[^/]+}{slash:/?}"
_HEADERS = "Content-Type, If-None-Match, Authorization, X-API-Key, *"
_BODY_BYTES_MAX = 16 * 1024
_BODY_WITHIN_S = 3.0
_FRESH = {**READABLE, "Cache-Control": "no-store"}


class _Asked(msgspec.Struct, frozen=True, rename="camel"):
    targeting_key: str | None = None
    checks_lease: object = False


class _Body(msgspec.Struct, frozen=True):
    context: _Asked | None = None


class _Signal(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="refetchEvaluation"):
    etag: str
    lastModified: int  # noqa: N815 - OFREP's name
    """Unix seconds."""


_decode = msgspec.json.Decoder(_Body).decode


class OfrepApi(Part):
    """The routes that any OpenFeature SDK needs."""

    def __init__(self, evaluations: Evaluations, streams: Streams) -> None:
        self._evaluations = evaluations
        self._streams = streams

    @post(_BULK, on=PUBLIC, preflight=_HEADERS)
    async def evaluate_all(self, request: web.Request) -> web.Response:
        """Answer with all flags, or with 304."""
        bulk = self._evaluations.bulk(await _context(request), clock.monotonic_s())
        headers = {**_FRESH, "ETag": bulk.etag}
        is_current = _is_named(request.query.get("flagConfigEtag"), bulk.etag)
        if is_current and matches(request.headers.get("If-None-Match"), bulk.etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=bulk.body, headers=headers, content_type="application/json", charset="utf-8")

    @post(_SINGLE, on=PUBLIC, preflight=_HEADERS)
    async def evaluate_one(self, request: web.Request) -> web.Response:
        """Answer with one flag."""
        context = await _context(request)
        body = self._evaluations.flag(request.match_info["key"], context, clock.monotonic_s())
        return web.Response(body=body, headers=_FRESH, content_type="application/json", charset="utf-8")

    @get(STREAM_PATH, on=PUBLIC, preflight=STREAM_HEADERS, allow_head=False)
    async def signal(self, request: web.Request) -> web.StreamResponse:
        """Send a signal whenever the flags must be evaluated again."""
        targeting_key = targeting_key_of(request.query)
        context = Context(targeting_key=targeting_key, checks_lease=request.query.get("checks_lease") == "true")

        def encode(_: Tagged, now_s: float) -> bytes:
            bulk = self._evaluations.bulk(context, now_s)
            return msgspec.json.encode(_Signal(etag=bulk.etag, lastModified=bulk.issued_at_ms // 1000))

        return await self._streams.serve_flag(request, StreamKind.SIGNALS, targeting_key, encode)


async def _context(request: web.Request) -> Context:
    return context_in(await read_body(request, bytes_max=_BODY_BYTES_MAX, within_s=_BODY_WITHIN_S))


def context_in(body: bytes) -> Context:
    """Return the context. Raises `SidecarError` with `body_invalid` if it is not JSON, else `context_invalid`."""
    try:
        asked = _decode(body).context or _Asked()
    except msgspec.ValidationError as error:
        message = f'the body is not {{"context": {{"targetingKey": "…"}}}}: {error}'
        raise SidecarError(ErrorCode.CONTEXT_INVALID, message) from error
    except UNREADABLE as error:
        raise SidecarError(ErrorCode.BODY_INVALID, "the body is not JSON in UTF-8") from error
    if asked.targeting_key is not None and len(asked.targeting_key) > TARGETING_KEY_MAX:
        message = f"targetingKey is longer than {TARGETING_KEY_MAX} characters"
        raise SidecarError(ErrorCode.CONTEXT_INVALID, message)
    return Context(targeting_key=asked.targeting_key or None, checks_lease=asked.checks_lease is True)


def _is_named(named: str | None, etag: str) -> bool:
    """Return whether the entity tag of an event is that of the answer; None: the client has received no event."""
    return named is None or named.removeprefix("W/").strip('"') == etag.strip('"')
