"""The folded rows about Reverb: the results of probes, and what the backend and browsers report of channel auth."""

from collections.abc import Mapping
from typing import cast

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.reports import Subscription
from sidecar.core.fold.state import State
from sidecar.metrics.rows import Histogram, counter, gauge
from sidecar.parts.metrics import Samples

AUTH_OUTCOMES: dict[str, tuple[str, ...]] = {
    "probe": tuple(AuthProbeOutcome),
    "backend": tuple(UserAuth),
    "browser": tuple(Subscription),
}
"""The sources of channel auth results, with the outcomes that each reports."""


def _channel_auths(state: State) -> Samples:
    tally = state.tally
    counted = {"probe": tally.auth_probes, "backend": tally.user_auths, "browser": tally.subscriptions}
    return [
        ((source, str(outcome)), cast("Mapping[str, int]", counted[source]).get(outcome, 0))
        for source, outcomes in AUTH_OUTCOMES.items()
        for outcome in outcomes
    ]


ROWS = (
    counter(
        "channel_auth_attempts",
        "Channel auths by outcome: auth probes of the probe user, and reports of the backend and of payers' browsers.",
        _channel_auths,
        {
            "source": AUTH_OUTCOMES,
            "outcome": dict.fromkeys(outcome for outcomes in AUTH_OUTCOMES.values() for outcome in outcomes),
        },
        series=[(source, str(outcome)) for source, outcomes in AUTH_OUTCOMES.items() for outcome in outcomes],
    ),
    counter(
        "round_trips",
        "Canaries that were sent through Reverb's API and received on the sidecar's sockets, by outcome.",
        lambda state: state.tally.round_trips,
        {"outcome": RoundTripOutcome},
    ),
    Histogram(
        name="round_trip_seconds",
        help="Time from a canary's request to Reverb's API to its arrival on the last socket, of successful ones.",
        read=lambda state: state.tally.round_trip,
    ),
    counter(
        "isolation_probes",
        "Requests of the probe user for another user's channel, by outcome; allowed is a security alarm.",
        lambda state: state.tally.isolation_probes,
        {"outcome": IsolationOutcome},
    ),
    gauge(
        "isolation_probes_allowed",
        "1 while the last isolation probe was allowed onto another user's channel.",
        lambda state: float(state.probing.isolation is IsolationOutcome.ALLOWED),
    ),
    gauge(
        "last_channel_auth_ok",
        "1 if the last auth probe of the probe user succeeded; 0 also before the first.",
        lambda state: float(state.probing.auth_probe is AuthProbeOutcome.OK),
    ),
    gauge(
        "last_probe_timestamp_seconds",
        "End of the last probe, successful or not, on the journal's clock; 0 before the first.",
        lambda state: {
            "round_trip": state.probing.round_trip_ms / 1000,
            "channel_auth": state.probing.auth_probe_ms / 1000,
        },
        {"probe": ("round_trip", "channel_auth")},
    ),
    counter(
        "payers_dropped",
        "Channel auths, payments and reports that were not evaluated because there were too many users.",
        lambda state: state.tally.dropped_payers,
    ),
)
"""Probes, channel auth, and what follows from them."""
