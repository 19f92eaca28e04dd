"""What a metric is, and what it is read from."""

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from sidecar.core.policy import Mode
from sidecar.core.state import State


class Scope(enum.StrEnum):
    """Whose number it is."""

    FOLDED = "folded"
    PROCESS = "process"


Samples = Iterable[tuple[tuple[str, ...], float]]


def _never() -> int:
    return 0


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics are read from."""

    state: State
    served_mode: Callable[[], Mode]
    """What this replica answers to a user who belongs to every share."""
    lease_remaining_s: Callable[[], float]
    dropped_lines: Callable[[], int]
    refused_connections: Callable[[], dict[str, int]]
    """By listener."""
    webhooks: Counter[str]
    ack_requests: Counter[str]
    ack_entries: Counter[str]
    webhook_results: tuple[str, ...]
    ack_results: tuple[str, ...]
    browser_reports: Counter[str]
    report_results: tuple[str, ...]
    entry_results: tuple[str, ...]
    is_ack_stream_up: Callable[[], bool | None]
    """None: no stream is configured."""
    ack_stream_reconnects: Callable[[], int] = _never
    refused_requests: Callable[[], Iterable[tuple[str, str, str, int]]]
    """(listener, route, reason, count)."""
    lag_s: Callable[[], float]
    observers_up: Callable[[], Mapping[int, bool]]
    """By number; empty where Reverb is not probed."""
    observed: Counter[str]
    open_streams: Callable[[], Mapping[str, int]]
    """By kind."""
    refused_streams: Callable[[], Mapping[str, int]]
    """By reason."""
    dropped_streams: Callable[[], Mapping[str, int]]
    """By reason."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric."""

    name: str
    """Without the prefix, and for a counter without `_total`."""
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily] | type[HistogramMetricFamily]
    help: str
    scope: Scope
    labels: tuple[str, ...] = ()
    read: Callable[[View], Samples]
