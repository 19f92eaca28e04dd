"""Alerts about Reverb and channel authorization, from probes, the backend and payers' browsers."""

from collections.abc import Iterator
from typing import Final

from sidecar.rules.alert import COUNT, Alert, Severity, while_push_is_served
from sidecar.rules.recordings import folded
from sidecar.rules.terms import Terms, span

AUTH_PROBES_FAILED_MAX: Final = 0.5
"""Share of auth probes that may fail."""
TRIPS_FAILED_MAX: Final = 0.1
"""Share of canaries that may be lost."""
PAYERS_REFUSED_MAX: Final = 0.2
"""Share of payers' channel authorizations that may fail."""


def auth_probes_window(terms: Terms) -> str:
    """Return the window for auth probes: ten of them, at least ten minutes."""
    return span(max(600.0, 10 * terms.auth_every_s))


def trips_window(terms: Terms) -> str:
    """Return the window for canaries: twelve of them, at least five minutes."""
    return span(max(300.0, 12 * terms.round_trip_every_s))


def alerts(terms: Terms) -> Iterator[Alert]:
    """Yield the alerts about Reverb."""
    job = terms.within
    yield Alert(
        name="ReverbSidecarIsolationBroken",
        severity=Severity.PAGE,
        expr=f"{folded('isolation_probes_allowed')}{{{job}}} == 1",
        summary="A user can subscribe to another user's private channel.",
        description="The isolation probe requested the channel of another user and was allowed. "
        "Any user can listen to the payments of every payer. Push still works, so the flag does not fall.",
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
        summary="Browsers cannot subscribe to their private channels.",
        affected="More than half of the last auth probes failed, and push is served: "
        "a payer who opens a page now may not receive any broadcast.",
        unaffected="More than half of the last auth probes failed.",
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
        summary="Reverb does not deliver events in time.",
        affected="More than one canary in ten was lost in Reverb, and push is served: "
        "payers wait if their broadcast takes the same path.",
        unaffected="More than one canary in ten was lost in Reverb.",
    )
    refused = f'sum without (outcome) (increase({auths}{{{job}, source!="probe", outcome!~"ok|confirmed"}}[1h]))'
    asked = f'sum without (outcome) (increase({auths}{{{job}, source!="probe"}}[1h]))'
    yield Alert(
        name="ReverbSidecarPayersCannotSubscribe",
        severity=Severity.TICKET,
        expr=f"{refused} >= 4.9\nand {refused} / ({asked} > 0) > {PAYERS_REFUSED_MAX}",
        summary="Payers' browsers cannot subscribe to their channels.",
        description=f"{COUNT} times in the last 1h the {{{{ $labels.source }}}} reported that a payer could not subscribe to "
        "their channel, more than one time in five. Those payers depend on timers. If there are too many of them, the flag "
        "falls by itself.",
    )


def _failing(bad: str, every: str, *, window: str, labels: str, ratio: float) -> str:
    count = f"sum without ({labels}) (increase({bad}[{window}]))"
    total = f"sum without ({labels}) (increase({every}[{window}]))"
    return f"{count} >= 2.9\nand {count} / ({total} > 0) > {ratio}"
