"""Test cases for the alert rules: the alerts and series that they refer to.

By default push is served on the top rung, and two payments a minute are on time.
"""

import msgspec

from tests.rules.promtool import Fired, World

BURNING, ERODING = "ReverbSidecarDeliveryBurning", "ReverbSidecarDeliveryEroding"
NOT_FALLING, REPORTED = "ReverbSidecarBurningWithoutFalling", "ReverbSidecarReachDegraded"
ISOLATION, AUTH = "ReverbSidecarIsolationBroken", "ReverbSidecarChannelAuthFailing"
TRIPS, SUBSCRIBE = "ReverbSidecarRoundTripsFailing", "ReverbSidecarPayersCannotSubscribe"
LEASE, CLOCK = "ReverbSidecarLeaseNotHonoured", "ReverbSidecarClockWrong"
SUSPENDED, COVERAGE = "ReverbSidecarSuspended", "ReverbSidecarCoverageLow"
WEBHOOKS = "ReverbSidecarWebhooksRefused"
SILENT, LOST = "ReverbSidecarAckStreamSilent", "ReverbSidecarAcksLost"
FLAPPING, STUCK = "ReverbSidecarFlapping", "ReverbSidecarStuck"
FORGED, JOURNAL = "ReverbSidecarForgedReports", "ReverbSidecarJournalUnavailable"
LOGS, GONE = "ReverbSidecarLogLinesDropped", "ReverbSidecarTargetGone"
NOTIFICATIONS, RESTARTING = "ReverbSidecarNotificationsLost", "ReverbSidecarRestarting"
CREATED = "ReverbSidecarJournalCreated"
PAGE, TICKET = "page", "ticket"
HOUR, SIX_HOURS, DAY, THREE_DAYS = f"{BURNING} 1h", f"{BURNING} 6h", f"{ERODING} 1d", f"{ERODING} 3d"

JOB = 'job="reverb-sidecar"'


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One set of series, and the alerts that must fire at the end."""

    says: str
    minutes: int = 60
    step_minutes: float = 1
    """Interval of scrapes and rules; shorter windows are empty. A quarter is the minimum."""
    replicas: int = 1
    environment: str = ""
    """Label of the targets; empty: no label."""
    changed: dict[str, str] = {}
    """By metric with labels; `N` stands for the number of values, `_` removes a series."""
    fires: Fired = ()
    spares: tuple[str, ...] = ()
    """Alerts that must not fire although their metrics changed."""

    @property
    def world(self) -> World:
        """Series of all replicas."""
        values = {**well(self.step_minutes), **self.changed}
        count = str(int(self.minutes / self.step_minutes) + 1)
        series = {}
        for number in range(self.replicas):
            target = f'{JOB}, instance="sidecar-{number}:8701", pod="sidecar-{number}"'
            if self.environment:
                target += f', environment="{self.environment}"'
            for name, value in values.items():
                if value != "_":
                    full = name.replace("}", f", {target}}}") if "{" in name else f"{name}{{{target}}}"
                    series[full if full.startswith("up") else f"reverb_sidecar_{full}"] = value.replace("N", count)
        return World(minutes=self.minutes, step_minutes=self.step_minutes, series=series)


def well(step_minutes: float) -> dict[str, str]:
    """Return the series of a healthy sidecar that serves push on the top rung."""
    seconds, trips = int(60 * step_minutes), int(12 * step_minutes)
    return {
        "up": "1+0xN",
        'payment_outcomes_total{outcome="on_time"}': f"0+{2 * step_minutes}xN",
        'payment_outcomes_total{outcome="late"}': "0+0xN",
        'payment_outcomes_total{outcome="missed"}': "0+0xN",
        'payment_outcomes_total{outcome="unmeasured"}': "0+0xN",
        'unmeasured_payments_total{reason="clock_jumped"}': "0+0xN",
        "coverage_ratio": "0.99+0xN",
        'coverage_payments{judged="false"}': "4+0xN",
        'channel_auth_attempts_total{source="probe", outcome="ok"}': f"0+{step_minutes}xN",
        'channel_auth_attempts_total{source="probe", outcome="http_403"}': "0+0xN",
        'channel_auth_attempts_total{source="backend", outcome="ok"}': f"0+{2 * step_minutes}xN",
        'channel_auth_attempts_total{source="backend", outcome="refused"}': "0+0xN",
        'channel_auth_attempts_total{source="browser", outcome="confirmed"}': f"0+{2 * step_minutes}xN",
        'channel_auth_attempts_total{source="browser", outcome="silent"}': "0+0xN",
        "last_channel_auth_ok": "1+0xN",
        'round_trips_total{outcome="ok"}': f"0+{trips}xN",
        'round_trips_total{outcome="lost"}': "0+0xN",
        "isolation_probes_allowed": "0+0xN",
        "flag_rung": "3+0xN",
        'flag_mode{mode="timer_polling"}': "0+0xN",
        'flag_mode{mode="push_with_safety_net"}': "0+0xN",
        'flag_mode{mode="push_only"}': "1+0xN",
        'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="alarm"}': "0+0xN",
        'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="rollback"}': "0+0xN",
        "flag_valid_until_timestamp_seconds": f"25+{seconds}xN",
        'suspended{reason="recovering"}': "0+0xN",
        'suspended{reason="cut_off"}': "0+0xN",
        'suspended{reason="reverb_unstable"}': "0+0xN",
        'suspensions_total{reason="recovering"}': "0+0xN",
        'suspensions_total{reason="reverb_unstable"}': "0+0xN",
        'flag_reason{reason="current_rung"}': "1+0xN",
        'flag_reason{reason="no_lease"}': "0+0xN",
        'clock_ahead_of_reference_seconds{reference="stripe", bound="most"}': "0.2+0xN",
        'clock_ahead_of_reference_seconds{reference="app", bound="least"}': "-0.9+0xN",
        'clock_ahead_of_reference_seconds{reference="app", bound="most"}': "0.3+0xN",
        'alarm_latched{indicator="payments"}': "0+0xN",
        'alarm_latched{indicator="round_trips"}': "0+0xN",
        "reach_reporters": "0+0xN",
        "acks_lost_total": "0+0xN",
        "journal_records_total": f"100+{seconds}xN",
        "journal_commits_total": f"0+{trips}xN",
        "journal_created_timestamp_seconds": "-90000+0xN",
        "ack_stream_up": "1+0xN",
        'browser_reports_total{result="token_signature"}': "0+0xN",
        'browser_reports_total{result="token_expired"}': "0+0xN",
        'webhook_requests_total{result="unavailable"}': "0+0xN",
        "webhooks_only_refused": "0+0xN",
        "log_lines_dropped_total": "0+0xN",
        'notifications_total{target="slack", result="delivered"}': "0+0xN",
        'notifications_total{target="slack", result="claimed"}': "0+0xN",
        'notifications_total{target="slack", result="given_up"}': "0+0xN",
        'notifications_total{target="slack", result="dropped"}': "0+0xN",
    }


TIMERS = {'flag_mode{mode="timer_polling"}': "1+0xN", 'flag_mode{mode="push_only"}': "0+0xN", "flag_rung": "0+0xN"}
KEPT = TIMERS | {"flag_rung": "3+0xN"}
BACK = {'flag_mode{mode="timer_polling"}': "1+0x50 0+0xN", 'flag_mode{mode="push_only"}': "0+0x50 1+0xN"}
BACK_NOW = {'flag_mode{mode="timer_polling"}': "1+0x56 0+0xN", 'flag_mode{mode="push_only"}': "0+0x56 1+0xN"}
MISSED = 'payment_outcomes_total{outcome="missed"}'
ON_TIME = 'payment_outcomes_total{outcome="on_time"}'
OUTAGE = {ON_TIME: "0+2x50 100+0xN", MISSED: "0+0x50 2+2xN"}
LATCHED = 'alarm_latched{indicator="payments"}'
AUTH_PROBE_OK, AUTH_PROBE_403 = (
    f'channel_auth_attempts_total{{source="probe", outcome="{how}"}}' for how in ("ok", "http_403")
)
TRIP_OK, TRIP_LOST = (f'round_trips_total{{outcome="{how}"}}' for how in ("ok", "lost"))
BAD_AUTH_PROBE = {"last_channel_auth_ok": "0+0xN"}
NO_AUTH_PROBE = BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+1x50 50+0xN", AUTH_PROBE_403: "0+0x50 1+1xN"}
NO_TRIP = {TRIP_OK: "0+12x50 600+0xN", TRIP_LOST: "0+0x50 12+12xN"}
FELL = 'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="alarm"}'
ROLLED_BACK = 'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="rollback"}'
RECOVERING, UNSTABLE = (f'suspended{{reason="{why}"}}' for why in ("recovering", "reverb_unstable"))
UNSTABLE_COUNT = 'suspensions_total{reason="reverb_unstable"}'
CURRENT_RUNG, NO_LEASE = 'flag_reason{reason="current_rung"}', 'flag_reason{reason="no_lease"}'
AHEAD = 'clock_ahead_of_reference_seconds{reference="app", bound="least"}'
BEHIND = 'clock_ahead_of_reference_seconds{reference="stripe", bound="most"}'
COMMITS = "journal_commits_total"
BEGAN = "journal_created_timestamp_seconds"
UNJUDGED = 'coverage_payments{judged="false"}'
UNTIL = "flag_valid_until_timestamp_seconds"
ASKED, REFUSED = (f'channel_auth_attempts_total{{source="backend", outcome="{how}"}}' for how in ("ok", "refused"))
FEW = {ON_TIME: "0+0x29 1+0xN"}
"""A quiet hour with one payment, on time."""
