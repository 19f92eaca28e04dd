"""Watches whether webhooks are only refused for their signature: the secret is probably that of another endpoint.

This suspends nothing, because anybody can send a bad signature. While good ones arrive, bad ones mean nothing.
"""

from collections.abc import Callable

from sidecar.core.decision.gates import duration
from sidecar.core.facts.calendar import stamp
from sidecar.core.fold.state import State
from sidecar.parts.metrics import gauge
from sidecar.parts.part import Part

_FORGOTTEN_AFTER_MS = 24 * 3_600_000
"""A single forged request in a quiet week is no fault of the secret; Stripe retries within this time."""


class WebhookSignatures(Part):
    """The webhooks that this process verified and refused; what was accepted by any replica is in the state."""

    def __init__(self, state: State, now_ms: Callable[[], int]) -> None:
        self._state = state
        self._now_ms = now_ms
        self._verified_ms = 0
        self._refused_ms = 0
        self._refused_count = 0
        """Since the last one that was accepted."""

    def verified(self) -> None:
        """Record that a webhook had a valid signature."""
        self._verified_ms = self._now_ms()
        self._refused_count = 0

    def refused(self) -> None:
        """Record that a webhook was refused for its signature."""
        if self._state.webhooks.accepted_ms >= self._refused_ms:
            self._refused_count = 0
        self._refused_ms = self._now_ms()
        self._refused_count += 1

    @gauge("webhooks_only_refused", "1 while webhooks are refused for their signature and none is accepted.")
    def is_only_refused(self) -> float:
        """Return 1 while only refused ones arrive, and the silence of accepted ones is unusual."""
        return float(bool(self.warning()))

    def warning(self) -> str:
        """Return what is wrong, and what to do, in sentences; empty: nothing is."""
        state, now_ms = self._state, self._now_ms()
        accepted_ms = max(state.webhooks.accepted_ms, self._verified_ms)
        if state.policy is None or not self._refused_count or self._refused_ms <= accepted_ms:
            return ""
        from_ms = state.webhooks.silent_from_ms(state.history.since_ms, self._verified_ms)
        unusual_ms = from_ms - (accepted_ms or state.history.since_ms)
        if now_ms < from_ms or now_ms - self._refused_ms >= max(unusual_ms, _FORGOTTEN_AFTER_MS):
            return ""
        last = f"since {stamp(accepted_ms)}, {duration(now_ms - accepted_ms)} ago" if accepted_ms else "ever"
        return (
            "Stripe's webhooks are refused for their signature, and none was accepted "
            f"{last}; this process refused {self._refused_count}. No payment is judged meanwhile. Compare "
            "STRIPE_WEBHOOK_SECRET with the endpoint's secret in Stripe; also check this machine's clock, and if a "
            "proxy alters requests. Anybody can send a bad signature, so push is not suspended."
        )
