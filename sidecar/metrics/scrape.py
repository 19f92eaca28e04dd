"""`GET /metrics`: the exposition over HTTP, in the format that the scraper accepts.

The problem: an exposition costs milliseconds of the event loop, and anybody who reaches the listener can ask for it.

What we do: it is made once, and shared until it is a second old.
"""

import gzip
import re
from collections.abc import Callable, Iterable

from aiohttp import hdrs, web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from sidecar import clock
from sidecar.metrics.encoding import encode
from sidecar.parts.part import Part
from sidecar.parts.routes import METRICS, OPERATOR, get

FRESH_S = 1.0
_OPENMETRICS = "application/openmetrics-text"
_LEVEL = 1
"""Of the compression: the higher ones cost more time than they save on a network between neighbours."""


class Scrape(Part):
    """Answers scrapes."""

    def __init__(
        self,
        collect: Callable[[], Iterable[Metric]],
        admit: Callable[[web.Request], None] = lambda _: None,
        *,
        fresh_s: float | None = None,
    ) -> None:
        self._collect = collect
        self._admit = admit
        self._fresh_s = FRESH_S if fresh_s is None else fresh_s
        self._made: dict[tuple[bool, bool], tuple[float, bytes]] = {}
        """Whether it is OpenMetrics, and whether it is compressed → when it was made, and the exposition."""

    @get("/metrics", on=(OPERATOR, METRICS))
    async def scrape(self, request: web.Request) -> web.Response:
        """Answer in the accepted format, by default in the text format. Raises `SidecarError` as `admit` does."""
        self._admit(request)
        _, content_type = choose_encoder(",".join(request.headers.getall(hdrs.ACCEPT, [])))
        is_open = content_type.startswith(_OPENMETRICS)
        is_compressed = _accepts_gzip(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, [])))
        headers = {
            hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST if is_open else CONTENT_TYPE_PLAIN_0_0_4,
            hdrs.VARY: f"{hdrs.ACCEPT}, {hdrs.ACCEPT_ENCODING}",
        }
        if is_compressed:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=self._exposition(is_open=is_open, is_compressed=is_compressed), headers=headers)

    def _exposition(self, *, is_open: bool, is_compressed: bool) -> bytes:
        now_s = clock.monotonic_s()
        made_s, body = self._made.get((is_open, is_compressed), (-self._fresh_s, b""))
        if now_s - made_s >= self._fresh_s:
            if is_compressed:
                plain = self._exposition(is_open=is_open, is_compressed=False)
                made_s, body = self._made[is_open, False][0], gzip.compress(plain, _LEVEL)
            else:
                made_s, body = now_s, encode(self._collect(), is_open=is_open)
            self._made[is_open, is_compressed] = made_s, body
        return body


def _accepts_gzip(header: str) -> bool:
    """Return whether `Accept-Encoding` names gzip with a weight above 0 (RFC 9110, section 12.5.3)."""
    for each in header.lower().split(","):
        coding, *parameters = (part.strip() for part in each.split(";"))
        if coding == "gzip":
            weights = [part.removeprefix("q=") for part in parameters if part.startswith("q=")]
            return not weights or re.fullmatch(r"0(\.0*)?", weights[0]) is None
    return False
