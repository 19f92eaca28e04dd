"""Is the way into Reverb's channels open, and does what goes in come out?"""

from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.panels import BAD, GOOD, ODD, UNKNOWN, Panel, graph, heat_map, stat, states, table, words
from sidecar.dashboards.queries import RANGE, Query, counted, folded, grown, series
from sidecar.dashboards.terms import Shown
from sidecar.rules import reverb
from sidecar.rules.terms import Terms

_AUTHS = "channel_auth_attempts_total"
_TRIPS = "round_trips_total"
_ENTERED = 'outcome!~"ok|confirmed"'
_FAILED = 'outcome!="ok"'
_UP = words({"0": ("down", BAD), "1": ("subscribed", GOOD)})


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="reverb",
        title="Reverb",
        description="Is the way into Reverb's channels open, and does what goes in come out?",
        sections=(
            Section(title="Now", panels=_now()),
            Section(title="Into the channel: why browsers get 403", panels=_auths(shown.rules)),
            Section(title="Through Reverb", panels=_trips(shown.rules)),
            Section(title="Our sockets, and other people's channels", panels=_sockets()),
        ),
        hours=6,
    )


def _now() -> tuple[Panel, ...]:
    answer = words({"0": ("no", BAD), "1": ("yes", GOOD)})
    since = folded("last_probe_timestamp_seconds")
    return (
        stat(
            "Last auth probe went well",
            "Whether the probe user got into its channel the last time. `no` also before the first.",
            Query(expr=folded("last_channel_auth_ok")),
            unit="none",
            steps=((None, BAD), (1, GOOD)),
            meanings=answer,
            alert="ReverbSidecarChannelAuthFailing",
        ),
        stat(
            "Isolation probe allowed",
            "Whether a user may listen to somebody else's channel. It is a matter of security, whatever is served.",
            Query(expr=folded("isolation_probes_allowed")),
            unit="none",
            steps=((None, GOOD), (1, BAD)),
            meanings=words({"0": ("no", GOOD), "1": ("yes", BAD)}),
            alert="ReverbSidecarIsolationBroken",
        ),
        stat(
            "Sheltered",
            "Whether timers are served for a while because Reverb hiccups, with the rung kept.",
            Query(expr=folded("suspended", reason="reverb_unstable")),
            unit="none",
            steps=((None, GOOD), (1, ODD)),
            meanings=words({"0": ("no", GOOD), "1": ("yes", ODD)}),
            alert="ReverbSidecarFlapping",
        ),
        stat(
            "Sockets of ours that are subscribed",
            "On all replicas together. None where Reverb is not probed.",
            Query(expr=f"sum without (instance, pod, observer) ({series('observer_up')})"),
            unit="none",
            steps=((None, BAD), (1, GOOD)),
        ),
        graph(
            "Since the last probe",
            "How long ago a probe of each kind ended, well or not. It grows where nobody watches Reverb.",
            Query(expr=f"(time() - {since}) and {since} > 0", legend="{{probe}}"),
            unit="s",
            width=8,
            height=5,
            alert="ReverbSidecarSuspended",
        ),
    )


def _auths(terms: Terms) -> tuple[Panel, ...]:
    window = reverb.auth_probes_window(terms)
    auth_probes = f"sum without (outcome) ({grown(_AUTHS, _FAILED, window=window, source='probe')})"
    every = f"sum without (outcome) ({grown(_AUTHS, window=window, source='probe')})"
    refused = f"sum without (outcome) ({grown(_AUTHS, _ENTERED, window='1h', source='backend|browser')})"
    asked = f"sum without (outcome) ({grown(_AUTHS, window='1h', source='backend|browser')})"
    return (
        graph(
            "Auth probes by outcome",
            "Each is a browser's whole way to its channel, about once a minute; an outcome names the step that it ended at. "
            "`sidecar doctor` takes the same way and says what to change.",
            Query(expr=f"{grown(_AUTHS, source='probe')} > 0", legend="{{outcome}}"),
            unit="short",
            is_stacked=True,
            colours={"ok": GOOD},
            alert="ReverbSidecarChannelAuthFailing",
        ),
        graph(
            "Share of auth probes that failed",
            f"Of the last {window}. Dashed: from there on the alert fires, if three failed.",
            Query(expr=f"{auth_probes} / ({every} > 0)", legend="failed"),
            unit="percentunit",
            steps=((None, GOOD), (reverb.AUTH_PROBES_FAILED_MAX, BAD)),
            defaults={"max": 1},
            alert="ReverbSidecarChannelAuthFailing",
        ),
        graph(
            "Payers' own ways into their channels, by outcome",
            "What the backend answered to payers who asked for a channel, and what payers' browsers found.",
            Query(expr=f"{grown(_AUTHS, source='backend|browser')} > 0", legend="{{source}}: {{outcome}}"),
            unit="short",
            is_stacked=True,
            alert="ReverbSidecarPayersCannotSubscribe",
        ),
        graph(
            "Share of payers who did not get in",
            "Of the last 1h, by who tells. Dashed: from there on the alert fires, if five did not.",
            Query(expr=f"{refused} / ({asked} > 0)", legend="{{source}}"),
            unit="percentunit",
            steps=((None, GOOD), (reverb.PAYERS_REFUSED_MAX, BAD)),
            defaults={"max": 1},
            alert="ReverbSidecarPayersCannotSubscribe",
        ),
        table(
            "Every outcome that there was, in the time shown",
            "Auth probes, the backend's answers, and what browsers found. The page of outcomes says what each means and what to change.",
            Query(expr=f"sum by (outcome) ({_of('probe')}) > 0", form="table", is_instant=True),
            Query(expr=f"sum by (outcome) ({_of('backend')}) > 0", form="table", is_instant=True),
            Query(expr=f"sum by (outcome) ({_of('browser')}) > 0", form="table", is_instant=True),
            key="outcome",
            columns={"outcome": "Outcome", "Value #A": "Auth probes", "Value #B": "Backend", "Value #C": "Browsers"},
            unit="short",
            defaults={"decimals": 0},
            width=24,
        ),
    )


def _of(source: str) -> str:
    return grown(_AUTHS, window=RANGE, source=source)


def _trips(terms: Terms) -> tuple[Panel, ...]:
    window = reverb.trips_window(terms)
    lost = f"sum without (outcome) ({grown(_TRIPS, _FAILED, window=window)})"
    every = f"sum without (outcome) ({grown(_TRIPS, window=window)})"
    buckets = f"sum by (le) ({grown('round_trip_seconds_bucket')})"
    return (
        graph(
            "Canaries by outcome",
            "Events through Reverb's API and back over our sockets, every few seconds.",
            Query(expr=grown(_TRIPS), legend="{{outcome}}"),
            unit="short",
            is_stacked=True,
            colours={"ok": GOOD},
            width=8,
            alert="ReverbSidecarRoundTripsFailing",
        ),
        graph(
            "Share of canaries that did not come back",
            f"Of the last {window}. Dashed: from there on the alert fires, if three were lost.",
            Query(expr=f"{lost} / ({every} > 0)", legend="lost"),
            unit="percentunit",
            steps=((None, GOOD), (reverb.TRIPS_FAILED_MAX, BAD)),
            width=8,
            alert="ReverbSidecarRoundTripsFailing",
        ),
        heat_map(
            "How long canaries took",
            "From Reverb's API to the last of our sockets, of those that came back on all.",
            Query(expr=buckets, legend="{{le}}", form="heatmap"),
            width=8,
        ),
        graph(
            "Typical and slow canaries",
            "Half, and 99 per cent, took no longer; drawn within the bucket that they lie in.",
            Query(expr=f"histogram_quantile(0.5, {buckets})", legend="50%"),
            Query(expr=f"histogram_quantile(0.99, {buckets})", legend="99%"),
            unit="s",
        ),
        graph(
            "Shelters",
            "Times that timers were served for a while because Reverb hiccuped. The third within a day is a fall.",
            Query(expr=grown("suspensions_total", reason="reverb_unstable"), legend="began"),
            Query(expr=folded("suspended", reason="reverb_unstable"), legend="suspended"),
            unit="short",
            alert="ReverbSidecarFlapping",
        ),
    )


def _sockets() -> tuple[Panel, ...]:
    return (
        states(
            "Our sockets",
            "Whether each is subscribed to the observers' channel. They are dialled anew in turn, so that a deaf node shows.",
            Query(expr=series("observer_up"), legend="{{instance}} socket {{observer}}"),
            meanings=_UP,
            width=24,
            height=7,
        ),
        graph(
            "Broadcasts that arrived",
            "`deaf`: on some of our sockets, and never on the others. `dropped`: we could not keep it.",
            Query(expr=counted("observed_broadcasts_total"), legend="{{result}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        graph(
            "Requests for somebody else's channel",
            "Of the probe user, every ten minutes. `refused` is right; `allowed` is a matter of security.",
            Query(expr=grown("isolation_probes_total"), legend="{{outcome}}"),
            unit="short",
            is_stacked=True,
            colours={"refused": GOOD, "allowed": BAD, "unknown": UNKNOWN},
            width=8,
            alert="ReverbSidecarIsolationBroken",
        ),
        graph(
            "Requests to watch a user's own channel",
            "From pages of an app that cannot be changed, by what became of them.",
            Query(expr=counted("watch_requests_total"), legend="{{result}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
    )
