"""Metrics as bytes, in Prometheus' text format and in OpenMetrics 1.0, byte for byte as the client library writes them.

The problem: a scrape is answered on the event loop, and the library looks at every character of every label each time,
which for OpenMetrics, what Prometheus asks for, costs several times all else that a scrape does.

What we do: our labels come from closed sets, so each is escaped once and remembered.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import functools
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import hdrs, web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

_LABELS_MAX = 4096
"""More than there are; see `docs/metrics.md`."""
_OPENMETRICS = "application/openmetrics-text"


def encode(families: Iterable[Metric], *, is_open: bool) -> bytes:
    """Return an exposition, in OpenMetrics or in the text format."""
    parts = []
    for family in families:
        is_suffixed = family.type == "counter" and not is_open
        name = f"{family.name}_total" if is_suffixed else family.name
        words = _escaped(family.documentation) if is_open else _escaped(family.documentation).replace('\\"', '"')
        parts.append(f"# HELP {name} {words}\n# TYPE {name} {family.type}\n")
        for sample in family.samples:
            labels = ",".join([_label(*label) for label in sorted(sample.labels.items())])
            braced = f"{{{labels}}}" if labels else ""
            value = floatToGoString(sample.value)  # type: ignore[no-untyped-call]  # the library's
            shown = _exemplar(sample.exemplar) if is_open and sample.exemplar is not None else ""
            parts.append(f"{sample.name}{braced} {value}{shown}\n")
    if is_open:
        parts.append("# EOF\n")
    return "".join(parts).encode()


def scraped(collect: Callable[[], Iterable[Metric]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler that answers in the format that is asked for; the text format where nothing is."""

    async def scrape(request: web.Request) -> web.Response:
        _, content_type = choose_encoder(",".join(request.headers.getall(hdrs.ACCEPT, [])))
        is_open = content_type.startswith(_OPENMETRICS)
        response = web.Response(
            body=encode(collect(), is_open=is_open),
            headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST if is_open else CONTENT_TYPE_PLAIN_0_0_4},
        )
        response.enable_compression()
        return response

    return scrape


def _exemplar(exemplar: Exemplar) -> str:
    labels = ",".join([f'{name}="{_escaped(value)}"' for name, value in sorted(exemplar.labels.items())])
    value = floatToGoString(exemplar.value)  # type: ignore[no-untyped-call]  # the library's
    return f" # {{{labels}}} {value} {exemplar.timestamp}"


@functools.lru_cache(maxsize=_LABELS_MAX)
def _label(name: str, value: str) -> str:
    return f'{name}="{_escaped(value)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
