"""Metrics as bytes, in Prometheus' text format and in OpenMetrics 1.0, byte for byte as the client library writes them.

The problem: a scrape is answered on the event loop, and the library validates every character of every label each
time. For OpenMetrics, which Prometheus requests, that costs several times the rest of a scrape.

What we do: labels come from closed sets, so each is escaped once and cached.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import functools
from collections.abc import Iterable

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

_LABELS_MAX = 4096
"""More than there are; see `docs/metrics.md`."""


def encode(families: Iterable[Metric], *, is_open: bool) -> bytes:
    """Return an exposition, in OpenMetrics or in the text format."""
    parts = []
    for family in families:
        is_suffixed = family.type == "counter" and not is_open
        name = f"{family.name}_total" if is_suffixed else family.name
        text = _escaped(family.documentation) if is_open else _escaped(family.documentation).replace('\\"', '"')
        parts.append(f"# HELP {name} {text}\n# TYPE {name} {family.type}\n")
        for sample in family.samples:
            labels = ",".join([_label(*label) for label in sorted(sample.labels.items())])
            braced = f"{{{labels}}}" if labels else ""
            value = floatToGoString(sample.value)  # type: ignore[no-untyped-call]  # the library's
            shown = _exemplar(sample.exemplar) if is_open and sample.exemplar is not None else ""
            parts.append(f"{sample.name}{braced} {value}{shown}\n")
    if is_open:
        parts.append("# EOF\n")
    return "".join(parts).encode()


def _exemplar(exemplar: Exemplar) -> str:
    labels = ",".join([f'{name}="{_escaped(value)}"' for name, value in sorted(exemplar.labels.items())])
    value = floatToGoString(exemplar.value)  # type: ignore[no-untyped-call]  # the library's
    return f" # {{{labels}}} {value} {exemplar.timestamp}"


@functools.lru_cache(maxsize=_LABELS_MAX)
def _label(name: str, value: str) -> str:
    return f'{name}="{_escaped(value)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
