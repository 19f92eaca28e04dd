"""What a folded metric is: a row that reads the state."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from sidecar.core.facts.policy import Policy
from sidecar.core.fold.state import Latency, State
from sidecar.core.statistics.indicators import INDICATORS, Indicator, IndicatorRow
from sidecar.parts.metrics import Key, Samples

Value = float | Mapping[Any, float] | Samples | None
"""One number; counts by label value (of several labels joined by `/`; a missing one is 0); samples; or nothing."""
INDICATOR_NAMES = tuple(row.name for row in INDICATORS)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A counter or a gauge."""

    name: str
    """Without the prefix, and for a counter without `_total`."""
    help: str
    is_counter: bool
    labels: tuple[str, ...]
    series: tuple[Key, ...]
    read: Callable[[State], Value]
    is_progress: bool
    """Whether it shows how far the journal has been read; it is exposed while that goes on."""

    def samples(self, state: State) -> Samples:
        """Return the present values."""
        value = self.read(state)
        if value is None:
            return ()
        if isinstance(value, Mapping):
            return [(key, value.get("/".join(key), 0)) for key in self.series]
        return [((), value)] if isinstance(value, float | int) else value


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram, with a bucket at every objective."""

    name: str
    help: str
    read: Callable[[State], Latency]
    has_exemplars: bool = False
    """Whether its buckets name their last payments."""


Labels = Mapping[str, Iterable[str]]


def counter(
    name: str,
    help_text: str,
    read: Callable[[State], Value],
    labels: Labels | None = None,
    *,
    series: Iterable[Key] | None = None,
    is_progress: bool = False,
) -> Row:
    """Return the row of a counter; without `series` it has all combinations of its labels."""
    return _row(name, help_text, read, labels, series, is_counter=True, is_progress=is_progress)


def gauge(
    name: str,
    help_text: str,
    read: Callable[[State], Value],
    labels: Labels | None = None,
    *,
    is_progress: bool = False,
) -> Row:
    """Return the row of a gauge."""
    return _row(name, help_text, read, labels, None, is_counter=False, is_progress=is_progress)


def by_policy(read: Callable[[State, Policy], Value]) -> Callable[[State], Value]:
    """Read what depends on the policy in force; nothing before the first."""
    return lambda state: None if state.policy is None else read(state, state.policy)


def of_indicators(name: str, help_text: str, read: Callable[[Policy, Indicator, IndicatorRow], float]) -> Row:
    """Return the row of a gauge with one number per indicator; none before the first policy."""

    def samples(state: State, policy: Policy) -> Samples:
        return [((row.name,), read(policy, state.indicators[row.name], row)) for row in INDICATORS]

    return gauge(name, help_text, by_policy(samples), {"indicator": INDICATOR_NAMES})


def state_set(values: Iterable[str], present: str | None) -> dict[str, float]:
    """Return 1 for the present one of several states, and 0 for the others."""
    return {str(value): float(value == present) for value in values}


def _row(
    name: str,
    help_text: str,
    read: Callable[[State], Value],
    labels: Labels | None,
    series: Iterable[Key] | None,
    *,
    is_counter: bool,
    is_progress: bool,
) -> Row:
    values = [tuple(str(value) for value in each) for each in (labels or {}).values()]
    return Row(
        name=name,
        help=help_text,
        is_counter=is_counter,
        labels=tuple(labels or ()),
        series=tuple(itertools.product(*values) if series is None else series),
        read=read,
        is_progress=is_progress,
    )
