"""The rows of the table that are about Reverb: what the probes and the backend say of it."""

from typing import cast

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.reports import Subscription
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.metrics import reading
from sidecar.metrics.view import Histogram, Row, Samples, Scope, View

OBSERVED = ("delivered", "deaf", "dropped")
"""What became of a broadcast that arrived on our sockets; `deaf`: on some, and never on the others."""
WATCHED = ("watched", "refused", "full", "not_joined")
"""What became of a request to watch a user's channel."""

AUTH_OUTCOMES: dict[str, tuple[str, ...]] = {
    "probe": tuple(AuthProbeOutcome),
    "backend": tuple(UserAuth),
    "browser": tuple(Subscription),
}
"""Who tells of a channel auth, and what each can tell."""


def _attempts(view: View) -> Samples:
    tally = view.state.tally
    told = {"probe": tally.auth_probes, "backend": tally.user_auths, "browser": tally.subscriptions}
    return [
        ((source, str(outcome)), cast("dict[str, int]", told[source]).get(outcome, 0))
        for source, outcomes in AUTH_OUTCOMES.items()
        for outcome in outcomes
    ]


ROWS = (
    Row(
        name="channel_auth_attempts",
        kind=CounterMetricFamily,
        help="Channel auths by outcome: auth probes of the probe user, and what the backend and payers' browsers tell.",
        scope=Scope.FOLDED,
        labels={
            "source": tuple(AUTH_OUTCOMES),
            "outcome": tuple({each: None for by in AUTH_OUTCOMES.values() for each in by}),
        },
        series_max=lambda _: sum(len(outcomes) for outcomes in AUTH_OUTCOMES.values()),
        read=_attempts,
    ),
    Row(
        name="round_trips",
        kind=CounterMetricFamily,
        help="Canaries through Reverb's API and back over our sockets, by outcome.",
        scope=Scope.FOLDED,
        labels={"outcome": tuple(RoundTripOutcome)},
        read=reading.counts(RoundTripOutcome, lambda state: cast("dict[str, int]", state.tally.round_trips)),
    ),
    Histogram(
        name="round_trip_seconds",
        help="From a canary's way into Reverb's API to its arrival on the last of our sockets, of clean ones.",
        scope=Scope.FOLDED,
        read=lambda state: state.tally.round_trip,
    ),
    Row(
        name="isolation_probes",
        kind=CounterMetricFamily,
        help="Requests of the probe user for a channel that is not its own, by outcome; allowed is a security alarm.",
        scope=Scope.FOLDED,
        labels={"outcome": tuple(IsolationOutcome)},
        read=reading.counts(IsolationOutcome, lambda state: cast("dict[str, int]", state.tally.isolation_probes)),
    ),
    Row(
        name="isolation_probes_allowed",
        kind=GaugeMetricFamily,
        help="1 while the last word on isolation probes is that they are let in.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: float(view.state.probing.isolation is IsolationOutcome.ALLOWED)),
    ),
    Row(
        name="last_channel_auth_ok",
        kind=GaugeMetricFamily,
        help="1 if the last auth probe of the probe user went well; 0 also before the first.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: float(view.state.probing.auth_probe is AuthProbeOutcome.OK)),
    ),
    Row(
        name="last_probe_timestamp_seconds",
        kind=GaugeMetricFamily,
        help="When a probe last ended, well or not, by the journal's clock; 0 before the first.",
        scope=Scope.FOLDED,
        labels={"probe": ("round_trip", "channel_auth")},
        read=lambda view: [
            (("round_trip",), view.state.probing.round_trip_ms / 1000),
            (("channel_auth",), view.state.probing.auth_probe_ms / 1000),
        ],
    ),
    Row(
        name="suspensions",
        kind=CounterMetricFamily,
        help="Suspensions of push that began, by reason.",
        scope=Scope.FOLDED,
        labels={"reason": tuple(SuspensionReason)},
        read=reading.counts(SuspensionReason, lambda state: cast("dict[str, int]", state.tally.suspensions)),
    ),
    Row(
        name="payers_dropped",
        kind=CounterMetricFamily,
        help="Channel auths, payments and reports of which nothing was learned, because there were too many users.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: view.state.tally.dropped_payers),
    ),
    Row(
        name="observer_up",
        kind=GaugeMetricFamily,
        help="1 while this socket of ours is subscribed.",
        scope=Scope.PROCESS,
        labels={"observer": lambda sets: tuple(str(number) for number in range(sets.observers_max))},
        read=lambda view: [((str(number),), float(is_up)) for number, is_up in view.observers_up().items()],
    ),
    Row(
        name="observed_broadcasts",
        kind=CounterMetricFamily,
        help="Broadcasts that arrived on our sockets, by what became of them.",
        scope=Scope.PROCESS,
        labels={"result": OBSERVED},
        read=lambda view: [((result,), view.observed[result]) for result in OBSERVED],
    ),
    Row(
        name="watch_requests",
        kind=CounterMetricFamily,
        help="Requests to watch a user's own channel, by what became of them.",
        scope=Scope.PROCESS,
        labels={"result": WATCHED},
        read=lambda view: [((result,), view.observed[result]) for result in WATCHED],
    ),
)
