"""The rows of the table that are about Reverb: what the probes and the backend say of it."""

from typing import cast

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from sidecar.core.browsers import Subscription
from sidecar.core.walks import RoundTripOutcome, StrangerVerdict, UserAuth, WalkOutcome
from sidecar.metrics import reading
from sidecar.metrics.view import Row, Samples, Scope, View

OBSERVED = ("delivered", "deaf", "dropped")
"""What became of a broadcast that arrived on our sockets; `deaf`: on some, and never on the others."""
WATCHED = ("watched", "refused", "full", "not_joined")
"""What became of a request to watch a user's channel."""


def _attempts(view: View) -> Samples:
    walks = cast("dict[str, int]", view.state.tally.walks)
    reported = cast("dict[str, int]", view.state.tally.user_auths)
    told = cast("dict[str, int]", view.state.tally.subscriptions)
    return [
        *((("probe", outcome.value), float(walks.get(outcome, 0))) for outcome in WalkOutcome),
        *((("backend", result.value), float(reported.get(result, 0))) for result in UserAuth),
        *((("browser", ended.value), float(told.get(ended, 0))) for ended in Subscription),
    ]


ROWS = (
    Row(
        name="channel_auth_attempts",
        kind=CounterMetricFamily,
        help="Channel auths by outcome: walks of the probe user, and what the backend and payers' browsers tell.",
        scope=Scope.FOLDED,
        labels=("source", "outcome"),
        read=_attempts,
    ),
    Row(
        name="round_trips",
        kind=CounterMetricFamily,
        help="Canaries through Reverb's API and back over our sockets, by outcome.",
        scope=Scope.FOLDED,
        labels=("outcome",),
        read=reading.counts(RoundTripOutcome, lambda state: cast("dict[str, int]", state.tally.round_trips)),
    ),
    Row(
        name="stranger_probes",
        kind=CounterMetricFamily,
        help="Requests of the probe user for a channel that is not its own, by verdict; let_in is a security alarm.",
        scope=Scope.FOLDED,
        labels=("verdict",),
        read=reading.counts(StrangerVerdict, lambda state: cast("dict[str, int]", state.tally.strangers)),
    ),
    Row(
        name="strangers_let_in",
        kind=GaugeMetricFamily,
        help="1 while the last word on strangers is that they are let in.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: float(view.state.probing.stranger is StrangerVerdict.LET_IN)),
    ),
    Row(
        name="last_channel_auth_ok",
        kind=GaugeMetricFamily,
        help="1 if the last walk of the probe user went well; 0 also before the first.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: float(view.state.probing.walk is WalkOutcome.OK)),
    ),
    Row(
        name="sheltered",
        kind=GaugeMetricFamily,
        help="1 while timers are served because Reverb hiccups, with the rung kept.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: float(view.state.flag.shelter is not None)),
    ),
    Row(
        name="shelters",
        kind=CounterMetricFamily,
        help="Shelters since the journal began.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: view.state.tally.shelters),
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
        labels=("observer",),
        read=lambda view: [((str(number),), float(is_up)) for number, is_up in view.observers_up().items()],
    ),
    Row(
        name="observed_broadcasts",
        kind=CounterMetricFamily,
        help="Broadcasts that arrived on our sockets, by what became of them.",
        scope=Scope.PROCESS,
        labels=("result",),
        read=lambda view: [((result,), view.observed[result]) for result in OBSERVED],
    ),
    Row(
        name="watch_requests",
        kind=CounterMetricFamily,
        help="Requests to watch a user's own channel, by what became of them.",
        scope=Scope.PROCESS,
        labels=("result",),
        read=lambda view: [((result,), view.observed[result]) for result in WATCHED],
    ),
)
