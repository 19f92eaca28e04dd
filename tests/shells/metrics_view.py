"""The exposition of a sidecar that does not run: all that can be configured is there, and the state is the test's."""

import asyncio
import functools
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from sidecar.composition import Sidecar, kinds_of
from sidecar.core.fold.state import State
from sidecar.journal.memory import MemoryJournal
from sidecar.logs import LineCounts
from sidecar.metrics import Exposition, encode
from tests.shells.everything import ALL_SECRETS, EVERYTHING


@functools.cache
def idle_parts() -> tuple[object, ...]:
    """Return all that has metrics in a sidecar with all that can be configured, where nothing has happened."""

    async def built() -> tuple[object, ...]:
        sidecar = Sidecar(EVERYTHING, ALL_SECRETS, MemoryJournal(), lines=LineCounts())
        sidecar.listeners()
        return tuple(sidecar.counting())

    return asyncio.run(built())


def exposition_of(state: State, *parts: object, **options: Any) -> Exposition:
    """Return the exposition of a state, and of these parts; without any, of `idle_parts`."""
    return Exposition(state, kinds_of(), lambda: parts or idle_parts(), **options)


class Collected(Collector):
    """What was collected before."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return it again."""
        return self._families


class Scrape:
    """One scrape, to be asked for its series."""

    def __init__(self, exposition: Exposition) -> None:
        text = encode(exposition.collect(), is_open=False).decode()
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
