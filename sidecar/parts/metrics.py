"""Declarations of process metrics, on the class whose objects count them.

The problem: a metric that is registered in one place and fed in another can be registered and never fed.

What we do: a counter is an attribute of the class that counts. Each object has its own counts, with every series at 0
from the start, so several sidecars can run in one process. The declaration is data on the class, so the catalogue needs
no running process. A number that is already kept elsewhere is read by a decorated method, when Prometheus scrapes.

    class Acks(Part):
        requests = Counter("ack_requests", "Requests to the ack endpoint by result.", {"result": AckResult})

        @gauge("waiting_acks", "Acks that wait.")
        def waiting(self) -> float: ...

        async def receive(self, request): ...; self.requests.inc(AckResult.ACCEPTED)
"""

import enum
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar, overload

PREFIX = "reverb_sidecar_"


class Scope(enum.StrEnum):
    """Which processes report the same number."""

    FOLDED = "folded"
    """All replicas: it is read from the journal."""
    PROCESS = "process"
    """This process alone."""


Key = tuple[str, ...]
"""The values of a series' labels, in the order in which the metric declares the labels."""
Samples = Iterable[tuple[Key, float]]
Series = Callable[[Sequence[type]], Iterable[Key]]
"""Returns the series of a metric from all classes that declare routes and metrics."""


class Declared:
    """The declaration of one metric of a process."""

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Mapping[str, Iterable[str]] | None = None,
        *,
        is_counter: bool,
        series: Series | None = None,
    ) -> None:
        self.name = name
        """Without the prefix, and for a counter without `_total`."""
        self.help = help_text
        self.is_counter = is_counter
        self.labels = tuple(labels or ())
        combinations = tuple(itertools.product(*(tuple(map(str, values)) for values in (labels or {}).values())))
        self.series: Series = series or (lambda _: combinations)
        """By default all combinations of labels."""

    def samples(self, part: object) -> Samples:
        """Return the present values of one object."""
        raise NotImplementedError


class Counts:
    """The counts of one object."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._counts = dict.fromkeys(keys, 0)

    def inc(self, *labels: str, by: int = 1) -> None:
        """Count one more. Raises `KeyError` for labels that are not declared."""
        self._counts[labels] += by

    @contextmanager
    def on(self, error: type[Exception], *labels: str) -> Iterator[None]:
        """Count one more if the block raises this error."""
        try:
            yield
        except error:
            self.inc(*labels)
            raise

    def __repr__(self) -> str:
        return repr({labels: count for labels, count in self._counts.items() if count})

    def __getitem__(self, labels: str | Key) -> int:
        return self._counts[(labels,) if isinstance(labels, str) else labels]

    def items(self) -> Iterable[tuple[Key, int]]:
        """Return the counts by labels."""
        return self._counts.items()

    def total(self) -> int:
        """Return the sum of all counts."""
        return sum(self._counts.values())


class Counter(Declared):
    """A counter: an attribute of a class, and in each of its objects the counts of that object.

    Several classes may share one declaration; what is exposed is the sum.
    """

    def __init__(self, name: str, help_text: str, labels: Mapping[str, Iterable[str]] | None = None) -> None:
        super().__init__(name, help_text, labels, is_counter=True)
        self._attribute = ""

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._attribute = attribute

    @overload
    def __get__(self, part: None, owner: type) -> Self: ...
    @overload
    def __get__(self, part: object, owner: type) -> Counts: ...
    def __get__(self, part: object | None, owner: type) -> "Self | Counts":
        """Return the counts of an object, which are kept in it from then on; of a class, the declaration."""
        if part is None:
            return self
        counts: Counts = vars(part).setdefault(self._attribute, Counts(self.series((owner,))))
        return counts

    def samples(self, part: object) -> Samples:
        """Return the present counts of one object."""
        counts: Counts = getattr(part, self._attribute)
        return counts.items()


Value = float | Mapping[str, float] | Mapping[Key, float]
"""One number, or one per label value, or one per series."""
Method = TypeVar("Method", bound=Callable[[Any], Value])


class _Read(Declared):
    """A metric that a method returns when Prometheus scrapes."""

    method: Callable[[Any], Value]

    def samples(self, part: object) -> Samples:
        """Return what the method of this object returns."""
        value = self.method(part)
        if isinstance(value, Mapping):
            return [((key,) if isinstance(key, str) else key, each) for key, each in value.items()]
        return [((), value)]


def gauge(
    name: str, help_text: str, labels: Mapping[str, Iterable[str]] | None = None, *, series: Series | None = None
) -> Callable[[Method], Method]:
    """Return a decorator: the method returns the present value of a gauge, or of all of its series."""
    return _read(_Read(name, help_text, labels, is_counter=False, series=series))


def counted(
    name: str, help_text: str, labels: Mapping[str, Iterable[str]] | None = None, *, series: Series | None = None
) -> Callable[[Method], Method]:
    """Return a decorator: the method returns a counter that is kept elsewhere, for example by a thread."""
    return _read(_Read(name, help_text, labels, is_counter=True, series=series))


def _read(declared: _Read) -> Callable[[Method], Method]:
    def decorate(method: Method) -> Method:
        declared.method = method
        vars(method).setdefault("metrics", []).append(declared)
        return method

    return decorate


def declared_by(kind: type) -> Iterator[Declared]:
    """Yield the metrics that a class declares, its parents' first."""
    for each in reversed(kind.__mro__):
        for attribute in vars(each).values():
            if isinstance(attribute, Counter):
                yield attribute
            else:
                yield from getattr(attribute, "__dict__", {}).get("metrics", ())


def declarations(kinds: Iterable[type]) -> tuple[Declared, ...]:
    """Return the metrics that these classes declare, each once."""
    return tuple(dict.fromkeys(each for kind in kinds for each in declared_by(kind)))
