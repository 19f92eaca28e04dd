"""Which payment was that? For each bucket of the latency, the last payment that fell into it, by an opaque reference.

The same reference stands in that payment's log line, so a point of a heat map leads to all that is known of it.
Prometheus keeps nothing that names a payment: the reference is a keyed hash, told only where OpenMetrics is asked for.
"""

from collections.abc import Callable, Mapping

from prometheus_client.samples import Exemplar

from sidecar.core.facts.observations import Record
from sidecar.core.fold.conclusions import Conclusion, PaymentSettled
from sidecar.core.fold.judging import bucket_of, latency_edges_ms
from sidecar.core.fold.state import State

LABEL = "payment_ref"
"""Also the name of the field in the log."""


class Exemplars:
    """Listens to what the fold concludes, and keeps one payment per bucket."""

    def __init__(self, state: State, ref: Callable[[str], str]) -> None:
        self._state, self._ref = state, ref
        self._edges_ms: list[int] = []
        self._last: dict[int, Exemplar] = {}

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Keep the payments whose latency was counted."""
        policy = self._state.policy
        for each in conclusions:
            if policy is None or not isinstance(each, PaymentSettled) or each.unmeasured is not None:
                continue
            latency_ms = each.stages_ms.get(policy.stage)
            if latency_ms is None:
                continue
            edges_ms = latency_edges_ms(policy)
            if edges_ms != self._edges_ms:
                self._edges_ms, self._last = edges_ms, {}
            latency_ms = max(0, latency_ms)
            self._last[bucket_of(edges_ms, latency_ms)] = Exemplar(
                {LABEL: self._ref(each.payment_intent)}, latency_ms / 1000, record.at_ms / 1000
            )

    def last(self, edges_ms: list[int]) -> Mapping[int, Exemplar]:
        """Return the last payment of each bucket, by the bucket's number; none where the edges are others by now."""
        return self._last if edges_ms == self._edges_ms else {}
