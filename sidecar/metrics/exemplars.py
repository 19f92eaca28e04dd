"""Exemplars: for each bucket of the latency, the last payment in it, by an opaque reference.

The payment's log line has the same reference, so a point of a heat map leads to the payment's log. The reference is a
keyed hash, exposed only in OpenMetrics: Prometheus stores nothing that identifies a payment.
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
    """Keep the last payment of each latency bucket."""

    def __init__(self, state: State, ref: Callable[[str], str]) -> None:
        self._state, self._ref = state, ref
        self._edges_ms: list[int] = []
        self._last: dict[int, Exemplar] = {}

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Keep the payments with a counted latency."""
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
        """Return the last payment by bucket number; none if the edges have changed since."""
        return self._last if edges_ms == self._edges_ms else {}
