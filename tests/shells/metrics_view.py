"""What metrics are read from, without a sidecar around it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from sidecar import clock
from sidecar.composition import SETS
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.serving import Reason, Served
from sidecar.core.fold.state import State
from sidecar.http.rate_limits import Refusal
from sidecar.logs import LineCounts
from sidecar.metrics import Exposition, View, encode
from sidecar.ports import Backlog


def view_of(state: State, **fields: Any) -> View:
    """Return a view of a state, of a process where all that can be there is there and nothing has happened."""
    view = View(
        sets=SETS,
        state=state,
        has_caught_up=lambda: True,
        served=lambda: Served(mode=Mode.TIMER_POLLING, reason=Reason.STARTING),
        lease_remaining_s=lambda: 0.0,
        lines=LineCounts(),
        backlog=Backlog,
        journal_now_ms=clock.wall_ms,
        task_failures=Counter(),
        refused_connections=lambda: dict.fromkeys(SETS.routes, 0),
        webhooks=Counter(),
        ack_requests=Counter(),
        ack_entries=Counter(),
        browser_reports=Counter(),
        is_ack_stream_up=lambda: True,
        refused_requests=lambda: [
            (listener, path, reason.value, 0)
            for listener, paths in SETS.routes.items()
            for path in paths
            for reason in Refusal
        ],
        lag_s=lambda: 0.0,
        observers_up=lambda: dict.fromkeys(range(SETS.observers_max), True),
        observed=Counter(),
        open_streams=lambda: dict.fromkeys(SETS.stream_kinds, 0),
        refused_streams=lambda: dict.fromkeys(SETS.stream_refusals, 0),
        outside_clocks=lambda: [(reference, bound, 0.0) for reference, bound in SETS.clock_bounds],
        dropped_streams=lambda: dict.fromkeys(SETS.stream_drops, 0),
        notifications=Counter(),
        notification_attempts=Counter(),
        waiting_notifications=lambda: 0,
    )
    return msgspec.structs.replace(view, **fields)


class Collected(Collector):
    """What was collected before."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return it again."""
        return self._families


class Scrape:
    """One scrape, to be asked for its series."""

    def __init__(self, view: View) -> None:
        text = encode(Exposition(view).collect(), is_open=False).decode()
        self.values: Mapping[tuple[str, tuple[tuple[str, str], ...]], float] = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """Return the value of a series, whose name is given without the prefix."""
        return self.values[f"reverb_sidecar_{name}", tuple(sorted(labels.items()))]

    def ones(self, name: str, label: str) -> list[str]:
        """Return for which values of a label a state set is 1."""
        full = f"reverb_sidecar_{name}"
        return [dict(labels)[label] for (found, labels), value in self.values.items() if found == full and value == 1]
