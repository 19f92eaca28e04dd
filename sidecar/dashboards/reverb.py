"""The dashboard *Reverb*: channel authorization, canaries, suspensions and sockets."""

from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.panels import (
    BAD,
    GOOD,
    UNKNOWN,
    Panel,
    count_table,
    counts,
    graph,
    heat_map,
    stat,
    states,
    words,
)
from sidecar.dashboards.queries import RANGE, Query, counted, folded, grown, series
from sidecar.dashboards.terms import Shown
from sidecar.rules import reverb
from sidecar.rules.terms import Terms
from sidecar.wording import SUSPENSIONS

_AUTHS = "channel_auth_attempts_total"
_TRIPS = "round_trips_total"
_FAILED = 'outcome!="ok"'
_REFUSED = 'outcome!~"ok|confirmed"'
_BUCKETS = f"sum by (le) ({grown('round_trip_seconds_bucket')})"


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="reverb",
        title="Reverb",
        description="Can browsers subscribe to their channels, and does Reverb deliver events?",
        sections=(
            Section(title="Status", panels=_status()),
            Section(title="Channel authorization", panels=(*_probes(shown.rules), *_payers())),
            Section(title="Canaries and suspensions", panels=(*_trips(shown.rules), *_times())),
            Section(title="Sockets and other users' channels", panels=_sockets()),
        ),
        hours=6,
    )


def _status() -> tuple[Panel, ...]:
    since = folded("last_probe_timestamp_seconds")
    return (
        stat(
            "Last auth probe succeeded",
            "Whether the probe user could subscribe to its channel. Also `no` before the first probe.",
            Query(expr=folded("last_channel_auth_ok")),
            unit="none",
            steps=((None, BAD), (1, GOOD)),
            meanings=words({"0": ("no", BAD), "1": ("yes", GOOD)}),
            alert="ReverbSidecarChannelAuthFailing",
        ),
        stat(
            "Isolation probe allowed",
            "Whether a user can subscribe to another user's channel: a security incident in any mode.",
            Query(expr=folded("isolation_probes_allowed")),
            unit="none",
            steps=((None, GOOD), (1, BAD)),
            meanings=words({"0": ("no", GOOD), "1": ("yes", BAD)}),
            alert="ReverbSidecarIsolationBroken",
        ),
        stat(
            "Subscribed observer sockets",
            "On all replicas together. None if Reverb is not probed.",
            Query(expr=f"sum without (instance, pod, observer) ({series('observer_up')})"),
            unit="none",
            steps=((None, BAD), (1, GOOD)),
        ),
        graph(
            "Time since the last probe",
            "By kind of probe, whatever its outcome. It rises while no probe ends.",
            Query(expr=f"(time() - {since}) and {since} > 0", legend="{{probe}}"),
            unit="s",
            height=5,
            alert="ReverbSidecarSuspended",
            width=12,
        ),
    )


def _probes(terms: Terms) -> tuple[Panel, ...]:
    window = reverb.auth_probes_window(terms)
    failed = f"sum without (outcome) ({grown(_AUTHS, _FAILED, window=window, source='probe')})"
    every = f"sum without (outcome) ({grown(_AUTHS, window=window, source='probe')})"
    return (
        counts(
            "Auth probes by outcome",
            "Each auth probe takes all steps of a browser to its channel, about once a minute; the outcome names the step at which it "
            "ended. `sidecar doctor` takes the same steps and prints what to change.",
            Query(expr=f"{grown(_AUTHS, source='probe')} > 0", legend="{{outcome}}"),
            colours={"ok": GOOD},
            alert="ReverbSidecarChannelAuthFailing",
            width=12,
        ),
        graph(
            "Failed share of auth probes",
            f"Of the last {window}. Dashed: the limit of the alert, which also requires three failed probes.",
            Query(expr=f"{failed} / ({every} > 0)", legend="failed"),
            unit="percentunit",
            steps=((None, GOOD), (reverb.AUTH_PROBES_FAILED_MAX, BAD)),
            defaults={"max": 1},
            alert="ReverbSidecarChannelAuthFailing",
            width=12,
        ),
    )


def _payers() -> tuple[Panel, ...]:
    refused = f"sum without (outcome) ({grown(_AUTHS, _REFUSED, window='1h', source='backend|browser')})"
    asked = f"sum without (outcome) ({grown(_AUTHS, window='1h', source='backend|browser')})"
    return (
        counts(
            "Payers' channel authorizations by outcome",
            "The backend's answers to payers, and the results in payers' browsers.",
            Query(expr=f"{grown(_AUTHS, source='backend|browser')} > 0", legend="{{source}}: {{outcome}}"),
            alert="ReverbSidecarPayersCannotSubscribe",
            width=12,
        ),
        graph(
            "Failed share of payers' authorizations",
            "Of the last 1h, by source. Dashed: the limit of the alert, which also requires five failures.",
            Query(expr=f"{refused} / ({asked} > 0)", legend="{{source}}"),
            unit="percentunit",
            steps=((None, GOOD), (reverb.PAYERS_REFUSED_MAX, BAD)),
            defaults={"max": 1},
            alert="ReverbSidecarPayersCannotSubscribe",
            width=12,
        ),
        count_table(
            "Authorization outcomes in the selected time range",
            "Auth probes, the backend's answers, and the results in browsers. docs/outcomes.md describes each outcome and what to "
            "change.",
            "outcome",
            "Outcome",
            {
                name: f"sum by (outcome) ({grown(_AUTHS, window=RANGE, source=source)}) > 0"
                for name, source in {"Auth probes": "probe", "Backend": "backend", "Browsers": "browser"}.items()
            },
            width=24,
        ),
    )


def _trips(terms: Terms) -> tuple[Panel, ...]:
    window = reverb.trips_window(terms)
    lost = f"sum without (outcome) ({grown(_TRIPS, _FAILED, window=window)})"
    every = f"sum without (outcome) ({grown(_TRIPS, window=window)})"
    return (
        counts(
            "Canaries by outcome",
            "Events sent to Reverb's API every few seconds and received on the observer sockets.",
            Query(expr=grown(_TRIPS), legend="{{outcome}}"),
            colours={"ok": GOOD},
            alert="ReverbSidecarRoundTripsFailing",
        ),
        graph(
            "Lost share of canaries",
            f"Of the last {window}. Dashed: the limit of the alert, which also requires three lost canaries.",
            Query(expr=f"{lost} / ({every} > 0)", legend="lost"),
            unit="percentunit",
            steps=((None, GOOD), (reverb.TRIPS_FAILED_MAX, BAD)),
            alert="ReverbSidecarRoundTripsFailing",
        ),
        heat_map(
            "Round-trip time of canaries",
            "From Reverb's API to the last observer socket, for canaries that were received on all sockets.",
            Query(expr=_BUCKETS, legend="{{le}}", form="heatmap"),
        ),
    )


def _times() -> tuple[Panel, ...]:
    return (
        graph(
            "Round-trip percentiles of canaries",
            "50th and 99th percentile, interpolated within their buckets.",
            Query(expr=f"histogram_quantile(0.5, {_BUCKETS})", legend="50%"),
            Query(expr=f"histogram_quantile(0.99, {_BUCKETS})", legend="99%"),
            unit="s",
            width=12,
        ),
        counts(
            "Suspensions by reason",
            "Suspensions that began. The third for `reverb_unstable` within a day is a fall; the other reasons do not count.",
            Query(expr=grown("suspensions_total"), legend="{{reason}}"),
            wording=SUSPENSIONS,
            alert="ReverbSidecarFlapping",
            width=12,
        ),
    )


def _sockets() -> tuple[Panel, ...]:
    return (
        states(
            "Observer sockets",
            "Whether each socket is subscribed to the observers' channel. Sockets reconnect in turn, so that a deaf node is detected.",
            Query(expr=series("observer_up"), legend="{{instance}} socket {{observer}}"),
            meanings=words({"0": ("down", BAD), "1": ("subscribed", GOOD)}),
            width=24,
            height=7,
        ),
        counts(
            "Observed broadcasts by result",
            "`deaf`: received on some observer sockets only. `dropped`: received and not stored.",
            Query(expr=counted("observed_broadcasts_total"), legend="{{result}}"),
        ),
        counts(
            "Isolation probes by outcome",
            "Every ten minutes the probe user requests another user's channel. `refused` is correct; `allowed` is a security incident.",
            Query(expr=grown("isolation_probes_total"), legend="{{outcome}}"),
            colours={"refused": GOOD, "allowed": BAD, "unknown": UNKNOWN},
            alert="ReverbSidecarIsolationBroken",
        ),
        counts(
            "Watch requests by result",
            "Requests to observe a user's own channel, from pages of an app that cannot be changed.",
            Query(expr=counted("watch_requests_total"), legend="{{result}}"),
        ),
    )
