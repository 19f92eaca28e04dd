"""Recording rules: folded metrics, once for all replicas, and payments by window.

Outcomes are counted when they are decided, at the deadline. The count therefore includes payments without any broadcast,
which a histogram of latencies would leave out.
"""

from typing import Final

import msgspec

from sidecar.rules.terms import Terms

FOLDED: Final = (
    "payment_outcomes_total",
    "unmeasured_payments_total",
    "coverage_ratio",
    "coverage_payments",
    "channel_auth_attempts_total",
    "round_trips_total",
    "last_channel_auth_ok",
    "isolation_probes_allowed",
    "flag_rung",
    "flag_transitions_total",
    "gate_satisfied",
    "alarm_latched",
    "suspended",
    "suspensions_total",
    "reach_reporters",
    "acks_lost_total",
    "journal_records_total",
)
"""Metrics of the journal: every replica exports the same value, possibly a little later."""

WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
"""Long and short windows of the burn rates."""

PUSH_SERVED: Final = "job:reverb_sidecar_push_served:max"


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One recording rule."""

    record: str
    expr: str


def folded(metric: str) -> str:
    """Return the recorded name of a folded metric, read once for all replicas."""
    return f"job:reverb_sidecar_{metric}:max"


def failed(window: str) -> str:
    """Return the recorded name of the payments that were late or missed in a window."""
    return f"job:reverb_sidecar_failed_payments:increase{window}"


def judged(window: str) -> str:
    """Return the recorded name of the payments that were judged in a window."""
    return f"job:reverb_sidecar_judged_payments:increase{window}"


def failed_ratio(window: str) -> str:
    """Return the recorded name of the failed share of judged payments; absent (and not 0) if none was judged."""
    return f"job:reverb_sidecar_failed_per_judged_payments:ratio_increase{window}"


def recordings(terms: Terms) -> tuple[Recording, ...]:
    """Return the recording rules in order of dependency."""
    job = terms.within
    outcomes = folded("payment_outcomes_total")
    rows = [
        *((folded(name), f"max without (instance, pod) (reverb_sidecar_{name}{{{job}}})") for name in FOLDED),
        (
            PUSH_SERVED,
            f'max without (instance, pod, mode) (reverb_sidecar_flag_mode{{{job}, mode!="timer_polling"}})',
        ),
    ]
    for window in WINDOWS:
        rows += [
            (
                failed(window),
                f'sum without (outcome) (increase({outcomes}{{{job}, outcome=~"late|missed"}}[{window}]))',
            ),
            (
                judged(window),
                f'sum without (outcome) (increase({outcomes}{{{job}, outcome=~"on_time|late|missed"}}[{window}]))',
            ),
            (failed_ratio(window), f"{failed(window)}{{{job}}} / ({judged(window)}{{{job}}} > 0)"),
        ]
    return tuple(Recording(record=record, expr=expr) for record, expr in rows)
