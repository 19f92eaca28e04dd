"""What happens, and what must fire then. Worlds begin well: push is served on the top rung, and two payments a minute are on time."""

import msgspec

from tests.rules.promtool import Fired, World

BURNING, ERODING = "ReverbSidecarDeliveryBurning", "ReverbSidecarDeliveryEroding"
NOT_FALLING, ACCUSED = "ReverbSidecarBurningWithoutFalling", "ReverbSidecarReachAccused"
STRANGER, AUTH = "ReverbSidecarStrangerLetIn", "ReverbSidecarChannelAuthFailing"
TRIPS, SUBSCRIBE = "ReverbSidecarRoundTripsFailing", "ReverbSidecarPayersCannotSubscribe"
LEASE, CLOCK = "ReverbSidecarLeaseNotHonoured", "ReverbSidecarClockWrong"
BLIND, COVERAGE = "ReverbSidecarBlind", "ReverbSidecarCoverageLow"
SILENT, LOST = "ReverbSidecarAckStreamSilent", "ReverbSidecarAcksLost"
FLAPPING, STUCK = "ReverbSidecarFlapping", "ReverbSidecarStuck"
FORGED, JOURNAL = "ReverbSidecarForgedReports", "ReverbSidecarJournalUnavailable"
LOGS, GONE = "ReverbSidecarLogLinesDropped", "ReverbSidecarTargetGone"
NOTICES = "ReverbSidecarNoticesLost"
PAGE, TICKET = "page", "ticket"
HOUR, SIX_HOURS, DAY, THREE_DAYS = f"{BURNING} 1h", f"{BURNING} 6h", f"{ERODING} 1d", f"{ERODING} 3d"

JOB = 'job="reverb-sidecar"'


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One world, and what must fire at its end."""

    says: str
    minutes: int = 60
    step_minutes: float = 1
    """Of the scrapes and of the rules; windows that are no longer than it are empty. A quarter is the shortest."""
    replicas: int = 1
    changed: dict[str, str] = {}
    """By metric with labels; `N` stands for the number of values, `_` takes a series away."""
    fires: Fired = ()
    spares: tuple[str, ...] = ()
    """Alerts that are shown to stay silent although something of theirs happened."""

    @property
    def world(self) -> World:
        """The series of every replica."""
        values = {**well(self.step_minutes), **self.changed}
        count = str(int(self.minutes / self.step_minutes) + 1)
        series = {}
        for number in range(self.replicas):
            target = f'{JOB}, instance="sidecar-{number}:8701", pod="sidecar-{number}"'
            for name, value in values.items():
                if value != "_":
                    full = name.replace("}", f", {target}}}") if "{" in name else f"{name}{{{target}}}"
                    series[full if full.startswith("up") else f"reverb_sidecar_{full}"] = value.replace("N", count)
        return World(minutes=self.minutes, step_minutes=self.step_minutes, series=series)


def well(step_minutes: float) -> dict[str, str]:
    """Return a sidecar that is well and serves push on the top rung."""
    seconds, trips = int(60 * step_minutes), int(12 * step_minutes)
    return {
        "up": "1+0xN",
        'payment_outcomes_total{outcome="on_time"}': f"0+{2 * step_minutes}xN",
        'payment_outcomes_total{outcome="late"}': "0+0xN",
        'payment_outcomes_total{outcome="missed"}': "0+0xN",
        'payment_outcomes_total{outcome="unmeasured"}': "0+0xN",
        'unmeasured_payments_total{reason="clock_jumped"}': "0+0xN",
        "coverage_ratio": "0.99+0xN",
        'channel_auth_attempts_total{source="probe", outcome="ok"}': f"0+{step_minutes}xN",
        'channel_auth_attempts_total{source="probe", outcome="http_403"}': "0+0xN",
        'channel_auth_attempts_total{source="backend", outcome="ok"}': f"0+{2 * step_minutes}xN",
        'channel_auth_attempts_total{source="backend", outcome="refused"}': "0+0xN",
        'channel_auth_attempts_total{source="browser", outcome="confirmed"}': f"0+{2 * step_minutes}xN",
        'channel_auth_attempts_total{source="browser", outcome="silent"}': "0+0xN",
        "last_channel_auth_ok": "1+0xN",
        'round_trips_total{outcome="ok"}': f"0+{trips}xN",
        'round_trips_total{outcome="lost"}': "0+0xN",
        "strangers_let_in": "0+0xN",
        "flag_rung": "3+0xN",
        'flag_mode{mode="timer_polling"}': "0+0xN",
        'flag_mode{mode="push_with_safety_net"}': "0+0xN",
        'flag_mode{mode="push_only"}': "1+0xN",
        'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="alarm"}': "0+0xN",
        'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="rollback"}': "0+0xN",
        "flag_valid_until_timestamp_seconds": f"25+{seconds}xN",
        'resting{reason="recovering"}': "0+0xN",
        'resting{reason="cut_off"}': "0+0xN",
        'flag_reason{reason="held"}': "1+0xN",
        'flag_reason{reason="no_lease"}': "0+0xN",
        'clock_ahead_of_reference_seconds{reference="stripe", bound="most"}': "0.2+0xN",
        'clock_ahead_of_reference_seconds{reference="app", bound="least"}': "-0.9+0xN",
        'clock_ahead_of_reference_seconds{reference="app", bound="most"}': "0.3+0xN",
        'alarm_latched{stream="payments"}': "0+0xN",
        'alarm_latched{stream="round_trips"}': "0+0xN",
        "sheltered": "0+0xN",
        "shelters_total": "0+0xN",
        "reach_accusers": "0+0xN",
        "acks_lost_total": "0+0xN",
        "journal_records_total": f"100+{seconds}xN",
        "ack_stream_up": "1+0xN",
        'browser_reports_total{result="token_signature"}': "0+0xN",
        'browser_reports_total{result="token_expired"}': "0+0xN",
        'webhook_requests_total{result="unavailable"}': "0+0xN",
        "log_lines_dropped_total": "0+0xN",
        'notices_total{target="slack", result="told"}': "0+0xN",
        'notices_total{target="slack", result="claimed"}': "0+0xN",
        'notices_total{target="slack", result="given_up"}': "0+0xN",
        'notices_total{target="slack", result="dropped"}': "0+0xN",
    }


TIMERS = {'flag_mode{mode="timer_polling"}': "1+0xN", 'flag_mode{mode="push_only"}': "0+0xN", "flag_rung": "0+0xN"}
KEPT = TIMERS | {"flag_rung": "3+0xN"}
BACK = {'flag_mode{mode="timer_polling"}': "1+0x50 0+0xN", 'flag_mode{mode="push_only"}': "0+0x50 1+0xN"}
BACK_NOW = {'flag_mode{mode="timer_polling"}': "1+0x56 0+0xN", 'flag_mode{mode="push_only"}': "0+0x56 1+0xN"}
MISSED = 'payment_outcomes_total{outcome="missed"}'
ON_TIME = 'payment_outcomes_total{outcome="on_time"}'
OUTAGE = {ON_TIME: "0+2x50 100+0xN", MISSED: "0+0x50 2+2xN"}
LATCHED = 'alarm_latched{stream="payments"}'
WALK_OK, WALK_403 = (f'channel_auth_attempts_total{{source="probe", outcome="{how}"}}' for how in ("ok", "http_403"))
TRIP_OK, TRIP_LOST = (f'round_trips_total{{outcome="{how}"}}' for how in ("ok", "lost"))
BAD_WALK = {"last_channel_auth_ok": "0+0xN"}
NO_WALK = BAD_WALK | {WALK_OK: "0+1x50 50+0xN", WALK_403: "0+0x50 1+1xN"}
NO_TRIP = {TRIP_OK: "0+12x50 600+0xN", TRIP_LOST: "0+0x50 12+12xN"}
FELL = 'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="alarm"}'
ROLLED_BACK = 'flag_transitions_total{from_mode="push_only", to_mode="timer_polling", cause="rollback"}'
REST, NO_LEASE = 'resting{reason="recovering"}', 'flag_reason{reason="no_lease"}'
AHEAD = 'clock_ahead_of_reference_seconds{reference="app", bound="least"}'
BEHIND = 'clock_ahead_of_reference_seconds{reference="stripe", bound="most"}'
UNTIL = "flag_valid_until_timestamp_seconds"
ASKED, REFUSED = (f'channel_auth_attempts_total{{source="backend", outcome="{how}"}}' for how in ("ok", "refused"))
FEW = {ON_TIME: "0+0x29 1+0xN"}
"""A quiet hour: one payment on time."""

CASES = (
    Case(says="while all is well nothing fires"),
    Case(says="without any payment nothing fires", changed={ON_TIME: "0+0xN"}, spares=(BURNING, ERODING)),
    Case(
        says="an outage under push is a page",
        changed=OUTAGE,
        fires=((HOUR, PAGE), (SIX_HOURS, PAGE), (DAY, TICKET), (THREE_DAYS, TICKET), (NOT_FALLING, PAGE)),
    ),
    Case(
        says="the same outage with timers served is a ticket",
        changed=OUTAGE | TIMERS,
        fires=((HOUR, TICKET), (SIX_HOURS, TICKET), (DAY, TICKET), (THREE_DAYS, TICKET)),
        spares=(NOT_FALLING,),
    ),
    Case(
        says="an outage that is over pages no more",
        minutes=100,
        changed={ON_TIME: "0+2x50 102+0x5 102+2xN", MISSED: "0+0x50 4+4x5 24+0xN"},
        fires=((DAY, TICKET), (THREE_DAYS, TICKET)),
        spares=(BURNING, NOT_FALLING),
    ),
    Case(
        says="one bad payment in a quiet hour pages nobody",
        changed=FEW | {MISSED: "0+0x57 1+0xN"},
        spares=(BURNING, ERODING),
    ),
    Case(
        says="three replicas that tell of one bad payment page nobody",
        replicas=3,
        changed=FEW | {MISSED: "0+0x57 1+0xN"},
        spares=(BURNING, ERODING),
    ),
    Case(
        says="three bad payments in a quiet hour are a page",
        changed=FEW | {MISSED: "0+0x54 1+0x1 2+0x1 3+0xN"},
        fires=((HOUR, PAGE), (SIX_HOURS, PAGE), (DAY, TICKET), (THREE_DAYS, TICKET)),
    ),
    Case(
        says="a few bad payments within minutes of a busy hour page nobody",
        changed={ON_TIME: "0+10xN", MISSED: "0+0x55 3+3xN"},
        fires=((THREE_DAYS, TICKET),),
        spares=(BURNING,),
    ),
    Case(
        says="ten per cent of an hour are a page of the slower kind",
        changed={ON_TIME: "0+9xN", MISSED: "0+1xN"},
        fires=((SIX_HOURS, PAGE), (DAY, TICKET), (THREE_DAYS, TICKET)),
    ),
    Case(
        says="ten per cent of an hour are a ticket under timers",
        changed={ON_TIME: "0+9xN", MISSED: "0+1xN"} | TIMERS,
        fires=((SIX_HOURS, TICKET), (DAY, TICKET), (THREE_DAYS, TICKET)),
    ),
    Case(
        says="four per cent of an hour are a ticket",
        changed={ON_TIME: "0+24xN", MISSED: "0+1xN"},
        fires=((DAY, TICKET), (THREE_DAYS, TICKET)),
        spares=(BURNING,),
    ),
    Case(
        says="a bad half hour of a good day is none",
        minutes=600,
        step_minutes=6,
        changed={ON_TIME: "0+60xN", MISSED: "0+0x95 8+8xN"},
        spares=(BURNING, ERODING),
    ),
    Case(
        says="two bad hours of the morning are over in the evening",
        minutes=600,
        step_minutes=6,
        changed={ON_TIME: "0+12xN", MISSED: "0+12x20 240+0xN"},
        spares=(BURNING, ERODING),
    ),
    Case(
        says="two per cent for three days are a ticket",
        minutes=4320,
        step_minutes=12,
        changed={ON_TIME: "0+49xN", MISSED: "0+1xN"},
        fires=((THREE_DAYS, TICKET),),
        spares=(BURNING,),
    ),
    Case(
        says="half a per cent for three days is within the budget",
        minutes=4320,
        step_minutes=12,
        changed={ON_TIME: "0+199xN", MISSED: "0+1xN"},
        spares=(ERODING,),
    ),
    Case(
        says="an alarm that push does not answer is a page",
        changed={LATCHED: "0+0x50 1+0xN"},
        fires=((NOT_FALLING, PAGE),),
    ),
    Case(
        says="an alarm that timers answer is none",
        changed={LATCHED: "0+0x50 1+0xN"} | KEPT,
        spares=(NOT_FALLING, BLIND),
    ),
    Case(says="an alarm has a minute to be answered", changed={LATCHED: "0+0x58 1+0xN"}, spares=(NOT_FALLING,)),
    Case(says="three accusers are a ticket", changed={"reach_accusers": "3+0xN"}, fires=((ACCUSED, TICKET),)),
    Case(says="two accusers are none", changed={"reach_accusers": "2+0xN"}, spares=(ACCUSED,)),
    Case(
        says="a stranger let in is a page at once",
        changed={"strangers_let_in": "0+0x59 1+0xN"},
        fires=((STRANGER, PAGE),),
    ),
    Case(
        says="a stranger let in is a page under timers too",
        changed={"strangers_let_in": "0+0x59 1+0xN"} | TIMERS,
        fires=((STRANGER, PAGE),),
    ),
    Case(says="a stranger refused again is none", changed={"strangers_let_in": "1+0x50 0+0xN"}, spares=(STRANGER,)),
    Case(says="a closed way to the channel is a page under push", changed=NO_WALK, fires=((AUTH, PAGE),)),
    Case(
        says="a closed way to the channel is a ticket under timers", changed=NO_WALK | TIMERS, fires=((AUTH, TICKET),)
    ),
    Case(says="two failed walks are none", changed=BAD_WALK | {WALK_403: "0+0x50 1+0x2 2+0xN"}, spares=(AUTH,)),
    Case(
        says="a way that is open again is none",
        changed=NO_WALK | {"last_channel_auth_ok": "0+0x59 1+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="canaries that come back again are none",
        changed={TRIP_OK: "0+12x50 600+0x5 612+12xN", TRIP_LOST: "0+0x50 12+12x5 72+0xN"},
        spares=(TRIPS,),
    ),
    Case(
        says="what failed while timers were served wakes nobody when push comes back",
        changed=BACK | {ON_TIME: "0+2x20 40+0x28 40+2xN", MISSED: "0+0x20 2+2x28 58+0xN"},
        fires=((SIX_HOURS, TICKET), (DAY, TICKET), (THREE_DAYS, TICKET)),
        spares=(NOT_FALLING,),
    ),
    Case(
        says="nor do failures of the last minutes before it came back",
        changed=BACK_NOW | {ON_TIME: "0+2x50 100+0xN", MISSED: "0+0x50 2+2xN"},
        fires=((HOUR, TICKET), (SIX_HOURS, TICKET), (DAY, TICKET), (THREE_DAYS, TICKET)),
        spares=(NOT_FALLING,),
    ),
    Case(says="lost canaries are a page under push", changed=NO_TRIP, fires=((TRIPS, PAGE),)),
    Case(
        says="lost canaries are a ticket in a shelter",
        changed=NO_TRIP | KEPT | {"sheltered": "1+0xN"},
        fires=((TRIPS, TICKET),),
        spares=(BLIND,),
    ),
    Case(says="four lost canaries of sixty are none", changed={TRIP_LOST: "0+0x58 4+0xN"}, spares=(TRIPS,)),
    Case(
        says="two failed walks of two are none",
        changed=BAD_WALK | {WALK_OK: "0+1x40 40+0xN", WALK_403: "0+0x55 1+0x2 2+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="four failed walks of five are a page",
        changed=BAD_WALK | {WALK_OK: "0+0.1xN", WALK_403: "0+0.4xN"},
        fires=((AUTH, PAGE),),
    ),
    Case(
        says="two failed walks in five are none",
        changed=BAD_WALK | {WALK_OK: "0+0.6xN", WALK_403: "0+0.4xN"},
        spares=(AUTH,),
    ),
    Case(
        says="two failed walks in five are none under timers",
        changed=BAD_WALK | {WALK_OK: "0+0.6xN", WALK_403: "0+0.4xN"} | TIMERS,
        spares=(AUTH,),
    ),
    Case(
        says="two lost canaries of two are none",
        changed={TRIP_OK: "0+12x50 600+0xN", TRIP_LOST: "0+0x58 2+0xN"},
        spares=(TRIPS,),
    ),
    Case(
        says="five lost canaries of five are a page",
        changed={TRIP_OK: "0+12x50 600+0xN", TRIP_LOST: "0+0x58 5+0xN"},
        fires=((TRIPS, PAGE),),
    ),
    Case(
        says="one lost canary in five is a page",
        changed={TRIP_OK: "0+9.6xN", TRIP_LOST: "0+2.4xN"},
        fires=((TRIPS, PAGE),),
    ),
    Case(
        says="one lost canary in thirty is none under timers",
        changed={TRIP_OK: "0+11.6xN", TRIP_LOST: "0+0.8xN"} | TIMERS,
        spares=(TRIPS,),
    ),
    Case(
        says="three payers who are refused in a quiet hour are none",
        changed={ASKED: "0+0xN", REFUSED: "0+0x50 3+0xN"},
        spares=(SUBSCRIBE,),
    ),
    Case(
        says="eight payers who are refused in a quiet hour are a ticket",
        changed={ASKED: "0+0xN", REFUSED: "0+0x50 8+0xN"},
        fires=((SUBSCRIBE, TICKET),),
    ),
    Case(says="one payer in eleven who is refused is none", changed={REFUSED: "0+0.2xN"}, spares=(SUBSCRIBE,)),
    Case(
        says="a rung that was climbed within the two weeks is not stuck",
        minutes=20_280,
        step_minutes=60,
        changed={"flag_rung": "1+0x100 2+0xN"},
        spares=(STUCK,),
    ),
    Case(
        says="payers who are refused are a ticket",
        changed={'channel_auth_attempts_total{source="backend", outcome="refused"}': "0+1xN"},
        fires=((SUBSCRIBE, TICKET),),
    ),
    Case(
        says="one payer in twenty who hears nothing is none",
        changed={'channel_auth_attempts_total{source="browser", outcome="silent"}': "0+0.1xN"},
        spares=(SUBSCRIBE,),
    ),
    Case(says="push beyond the lease is a page", changed={UNTIL: "25+60x50 3025+0xN"}, fires=((LEASE, PAGE),)),
    Case(
        says="push without records is a page, and the journal a ticket",
        changed={"journal_records_total": "100+60x30 1900+0xN"},
        fires=((JOURNAL, TICKET), (LEASE, PAGE)),
    ),
    Case(
        says="a lease that lapsed under timers is none",
        changed={UNTIL: "25+60x50 3025+0xN"} | TIMERS,
        spares=(LEASE,),
    ),
    Case(
        says="one replica of three beyond its lease would be seen",
        replicas=3,
        changed={UNTIL: "25+60x50 3025+0xN"},
        fires=((LEASE, PAGE),),
    ),
    Case(
        says="a clock that jumped is a ticket",
        changed={'unmeasured_payments_total{reason="clock_jumped"}': "0+0x50 2+0xN"},
        fires=((CLOCK, TICKET),),
    ),
    Case(says="a clock ahead of Prometheus' is a ticket", changed={UNTIL: "90+60xN"}, fires=((CLOCK, TICKET),)),
    Case(says="a clock three seconds ahead is none", changed={UNTIL: "33+60xN"}, spares=(CLOCK,)),
    Case(says="a clock that is ahead of the app's is a ticket", changed={AHEAD: "7+0xN"}, fires=((CLOCK, TICKET),)),
    Case(says="a clock that is behind Stripe's is a ticket", changed={BEHIND: "-7+0xN"}, fires=((CLOCK, TICKET),)),
    Case(
        says="webhooks that are long on their way say nothing of the clock",
        changed={BEHIND: "40+0xN"},
        spares=(CLOCK,),
    ),
    Case(
        says="a clock four seconds from the app's and Stripe's is none",
        changed={AHEAD: "4+0xN", BEHIND: "-4+0xN"},
        spares=(CLOCK,),
    ),
    Case(says="clocks that nobody tells of are none", changed={AHEAD: "nan+0xN", BEHIND: "nan+0xN"}, spares=(CLOCK,)),
    Case(
        says="resting is a ticket, whatever for",
        changed={REST: "1+0x50 0+0xN", 'resting{reason="cut_off"}': "0+0x50 1+0xN"} | TIMERS,
        fires=((BLIND, TICKET),),
    ),
    Case(says="resting on the top rung is a ticket too", changed=KEPT | {REST: "1+0xN"}, fires=((BLIND, TICKET),)),
    Case(
        says="replicas that all have no lease are a ticket",
        replicas=3,
        changed=KEPT | {NO_LEASE: "1+0xN", 'flag_reason{reason="held"}': "0+0xN"},
        fires=((BLIND, TICKET),),
    ),
    Case(
        says="ten minutes of rest are none",
        changed={REST: "0+0x50 1+0xN"} | TIMERS,
        spares=(BLIND,),
    ),
    Case(
        says="low coverage is a ticket", minutes=90, changed={"coverage_ratio": "0.9+0xN"}, fires=((COVERAGE, TICKET),)
    ),
    Case(
        says="low coverage for half an hour is none",
        minutes=30,
        changed={"coverage_ratio": "0.9+0xN"},
        spares=(COVERAGE,),
    ),
    Case(says="no payment yet is no coverage", minutes=90, changed={"coverage_ratio": "_"}, spares=(COVERAGE,)),
    Case(says="a silent ack stream is a ticket", changed={"ack_stream_up": "1+0x50 0+0xN"}, fires=((SILENT, TICKET),)),
    Case(says="an ack stream that is not configured is none", changed={"ack_stream_up": "_"}, spares=(SILENT,)),
    Case(says="lost acks are a ticket", changed={"acks_lost_total": "0+0x50 3+0xN"}, fires=((LOST, TICKET),)),
    Case(says="acks lost long ago are none", minutes=120, changed={"acks_lost_total": "0+0x30 3+0xN"}, spares=(LOST,)),
    Case(
        says="two falls in a week are a ticket",
        minutes=2880,
        step_minutes=30,
        changed={FELL: "0+0x20 1+0x60 2+0xN"},
        fires=((FLAPPING, TICKET),),
    ),
    Case(
        says="two shelters in a day are a ticket",
        changed={"shelters_total": "0+0x20 1+0x20 2+0xN"},
        fires=((FLAPPING, TICKET),),
    ),
    Case(
        says="one fall, one shelter and two rollbacks by a person are none",
        changed={FELL: "0+0x20 1+0xN", ROLLED_BACK: "0+0x20 1+0x10 2+0xN", "shelters_total": "0+0x20 1+0xN"},
        spares=(FLAPPING,),
    ),
    Case(
        says="the same rung for over two weeks is a ticket",
        minutes=20_280,
        step_minutes=60,
        changed={"flag_rung": "1+0xN"},
        fires=((STUCK, TICKET),),
    ),
    Case(
        says="the top rung for over two weeks is the goal",
        minutes=20_280,
        step_minutes=60,
        spares=(STUCK,),
    ),
    Case(says="a young Prometheus does not call it stuck", changed={"flag_rung": "1+0xN"}, spares=(STUCK,)),
    Case(
        says="forged reports are a ticket",
        changed={'browser_reports_total{result="token_signature"}': "0+0x50 2+2xN"},
        fires=((FORGED, TICKET),),
    ),
    Case(
        says="tokens that expired are no forgery",
        changed={'browser_reports_total{result="token_expired"}': "0+0x50 2+2xN"},
        spares=(FORGED,),
    ),
    Case(
        says="a journal without records is a ticket under timers",
        changed={"journal_records_total": "100+60x30 1900+0xN"} | TIMERS,
        fires=((JOURNAL, TICKET),),
        spares=(LEASE,),
    ),
    Case(
        says="webhooks that could not be kept are a ticket",
        changed={'webhook_requests_total{result="unavailable"}': "0+0x55 1+1xN"},
        fires=((JOURNAL, TICKET),),
    ),
    Case(
        says="a journal that began anew is none",
        changed={"journal_records_total": "5000+60x50 0+60xN"},
        spares=(JOURNAL,),
    ),
    Case(
        says="dropped log lines are a ticket",
        changed={"log_lines_dropped_total": "0+0x50 7+0xN"},
        fires=((LOGS, TICKET),),
    ),
    Case(
        says="log lines dropped an hour ago are none",
        changed={"log_lines_dropped_total": "0+0x10 7+0xN"},
        spares=(LOGS,),
    ),
    Case(
        says="a notice that was given up is a ticket",
        changed={'notices_total{target="slack", result="given_up"}': "0+0x50 1+0xN"},
        fires=((NOTICES, TICKET),),
    ),
    Case(
        says="a notice that was dropped is a ticket",
        changed={'notices_total{target="slack", result="dropped"}': "0+0x50 1+0xN"},
        fires=((NOTICES, TICKET),),
    ),
    Case(
        says="notices that arrived, or that another replica told, are none",
        changed={
            'notices_total{target="slack", result="told"}': "0+1xN",
            'notices_total{target="slack", result="claimed"}': "0+1xN",
        },
        spares=(NOTICES,),
    ),
    Case(says="a target that is down is a ticket", changed={"up": "1+0x50 0+0xN"}, fires=((GONE, TICKET),)),
    Case(
        says="no target at all is a ticket",
        changed=dict.fromkeys(well(1), "_"),
        fires=((GONE, TICKET),),
    ),
    Case(says="a target that is away for a restart is none", changed={"up": "1+0x50 0+0x2 1+0xN"}, spares=(GONE,)),
)
