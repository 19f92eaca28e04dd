"""Alerts about Reverb and the way into its channels, as the probes and the payers' browsers find it."""

from collections.abc import Iterator
from typing import Final

from sidecar.rules.alert import Alert, Severity, while_push_is_served
from sidecar.rules.recordings import folded
from sidecar.rules.terms import Terms, span

AUTH_PROBES_FAILED_MAX: Final = 0.5
"""The share of the probe user's auth probes that may fail."""
TRIPS_FAILED_MAX: Final = 0.1
"""The share of canaries that may not come back."""
PAYERS_REFUSED_MAX: Final = 0.2
"""The share of payers' ways into their channels that may fail."""


def auth_probes_window(terms: Terms) -> str:
    """Return over how long auth probes are counted: ten of them, and no less than ten minutes."""
    return span(max(600.0, 10 * terms.auth_every_s))


def trips_window(terms: Terms) -> str:
    """Return over how long canaries are counted: twelve of them, and no less than five minutes."""
    return span(max(300.0, 12 * terms.round_trip_every_s))


def alerts(terms: Terms) -> Iterator[Alert]:
    """Yield the alerts about Reverb."""
    job = terms.within
    yield Alert(
        name="ReverbSidecarIsolationBroken",
        severity=Severity.PAGE,
        expr=f"{folded('isolation_probes_allowed')}{{{job}}} == 1",
        summary="A user may listen to another user's private channel.",
        description="The probe user asked for a channel that is not its own, and was let in. "
        "Any user may listen to the payments of every payer. Push still works, so the flag does not fall.",
        labels={"category": "security"},
    )
    auths = folded("channel_auth_attempts_total")
    yield from while_push_is_served(
        terms,
        name="ReverbSidecarChannelAuthFailing",
        expr=_failing(
            f'{auths}{{{job}, source="probe", outcome!="ok"}}',
            f'{auths}{{{job}, source="probe"}}',
            window=auth_probes_window(terms),
            labels="source, outcome",
            ratio=AUTH_PROBES_FAILED_MAX,
        )
        + f"\nand {folded('last_channel_auth_ok')}{{{job}}} == 0",
        window=auth_probes_window(terms),
        summary="A browser's way to its private channel is closed.",
        affected="More than half of the probe user's last auth probes to its channel failed, and push is served: "
        "every payer who opens a page now may hear nothing.",
        unaffected="More than half of the probe user's last auth probes to its channel failed.",
    )
    trips, recently = folded("round_trips_total"), span(max(120.0, 6 * terms.round_trip_every_s))
    yield from while_push_is_served(
        terms,
        name="ReverbSidecarRoundTripsFailing",
        expr=_failing(
            f'{trips}{{{job}, outcome!="ok"}}',
            f"{trips}{{{job}}}",
            window=trips_window(terms),
            labels="outcome",
            ratio=TRIPS_FAILED_MAX,
        )
        + f'\nand sum without (outcome) (increase({trips}{{{job}, outcome!="ok"}}[{recently}])) > 0',
        window=trips_window(terms),
        lasting="1m",
        summary="What goes into Reverb does not come out on time.",
        affected="More than one canary in ten did not come back through Reverb, and push is served: "
        "payers whose news takes that way wait.",
        unaffected="More than one canary in ten did not come back through Reverb.",
    )
    refused = f'sum without (outcome) (increase({auths}{{{job}, source!="probe", outcome!~"ok|confirmed"}}[1h]))'
    asked = f'sum without (outcome) (increase({auths}{{{job}, source!="probe"}}[1h]))'
    yield Alert(
        name="ReverbSidecarPayersCannotSubscribe",
        severity=Severity.TICKET,
        expr=f"{refused} >= 4.9\nand {refused} / ({asked} > 0) > {PAYERS_REFUSED_MAX}",
        summary="Payers' own browsers do not get into their channels.",
        description='{{ $value | printf "%.0f" }} times in the last 1h the {{ $labels.source }} told that a payer did not get into '
        "their channel, more than one time in five. Those payers are helped by timers only; "
        "the flag falls by itself where too many are.",
    )


def _failing(bad: str, every: str, *, window: str, labels: str, ratio: float) -> str:
    count = f"sum without ({labels}) (increase({bad}[{window}]))"
    total = f"sum without ({labels}) (increase({every}[{window}]))"
    return f"{count} >= 2.9\nand {count} / ({total} > 0) > {ratio}"
