"""`GET /metrics`: the exposition over HTTP, in the format that the scraper accepts."""

from collections.abc import Callable, Iterable

from aiohttp import hdrs, web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from sidecar.metrics.encoding import encode
from sidecar.parts.part import Part
from sidecar.parts.routes import METRICS, OPERATOR, get

_OPENMETRICS = "application/openmetrics-text"


class Scrape(Part):
    """Answers scrapes."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    @get("/metrics", on=(OPERATOR, METRICS))
    async def scrape(self, request: web.Request) -> web.Response:
        """Answer in the format that is accepted; in the text format by default."""
        _, content_type = choose_encoder(",".join(request.headers.getall(hdrs.ACCEPT, [])))
        is_open = content_type.startswith(_OPENMETRICS)
        response = web.Response(
            body=encode(self._collect(), is_open=is_open),
            headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST if is_open else CONTENT_TYPE_PLAIN_0_0_4},
        )
        response.enable_compression()
        return response
