"""Every limit and every `for` of every alert, from both sides: just above it fires, just below it does not.

`python -m tests.rules.mutate` changes each of them, and checks that a case here or in `cases` fails.
"""

from collections.abc import Iterator
from typing import Any

from tests.rules.case import (
    ASKED,
    AUTH,
    AUTH_PROBE_403,
    AUTH_PROBE_OK,
    BAD_AUTH_PROBE,
    BEGAN,
    CLOCK,
    COMMITS,
    COVERAGE,
    CREATED,
    DAY,
    FORGED,
    GONE,
    HOUR,
    JOURNAL,
    KEPT,
    LATCHED,
    LEASE,
    MISSED,
    NOT_FALLING,
    ON_TIME,
    PAGE,
    RECOVERING,
    REFUSED,
    REPORTED,
    RESTARTING,
    SILENT,
    SIX_HOURS,
    STUCK,
    SUBSCRIBE,
    SUSPENDED,
    THREE_DAYS,
    TICKET,
    TIMERS,
    TRIP_LOST,
    TRIP_OK,
    TRIPS,
    UNJUDGED,
    UNTIL,
    WEBHOOKS,
    Case,
)
from tests.rules.promtool import Fired

QUARTER = 0.25
HIGH, LOW = "slightly above the limit", "slightly below the limit"
SIGNED = 'browser_reports_total{result="token_signature"}'
UNAVAILABLE = 'webhook_requests_total{result="unavailable"}'
SLOW = ((DAY, TICKET), (THREE_DAYS, TICKET))


def _burns() -> Iterator[Case]:
    """Yield cases with one window above its limit, and the other slightly above or below its own."""
    hours: dict[str, tuple[tuple[str, bool, dict[str, str]], ...]] = {
        "1 h at 14.4 times": (
            (HIGH, True, {ON_TIME: "0+10xN", MISSED: "0+0x55 23+23xN"}),
            (LOW, False, {ON_TIME: "0+10xN", MISSED: "0+0x55 17.5+17.5xN"}),
        ),
        "5 m at 14.4 times": (
            (HIGH, True, {ON_TIME: "0+5x55 283.4+8.4xN", MISSED: "0+5x55 276.6+1.6xN"}),
            (LOW, False, {ON_TIME: "0+5x55 283.7+8.7xN", MISSED: "0+5x55 276.3+1.3xN"}),
        ),
    }
    for window, worlds in hours.items():
        for side, fires, changed in worlds:
            for severity, flag in ((PAGE, {}), (TICKET, TIMERS)):
                also: Fired = ((SIX_HOURS, severity), *SLOW)
                if (
                    severity == PAGE and window == "1 h at 14.4 times"
                ):  # most of the last minutes failed, and push is served
                    also = (*also, (NOT_FALLING, PAGE))
                says = f"{window}, {side}: {severity}"
                yield Case(says=says, changed=changed | flag, **_either(HOUR, severity, fires=fires, also=also))
    sixes: dict[str, tuple[tuple[str, bool, dict[str, str]], ...]] = {
        "6 h at 6 times": (
            (HIGH, True, {ON_TIME: "0+10xN", MISSED: "0+0x30 1.5+1.5xN"}),
            (LOW, False, {ON_TIME: "0+10xN", MISSED: "0+0x30 1.1+1.1xN"}),
        ),
        "30 m at 6 times": (
            (HIGH, True, {ON_TIME: "0+9x30 279.3+9.3xN", MISSED: "0+3x30 90.7+0.7xN"}),
            (LOW, False, {ON_TIME: "0+9x30 279.5+9.5xN", MISSED: "0+3x30 90.5+0.5xN"}),
        ),
    }
    for window, worlds in sixes.items():
        for side, fires, changed in worlds:
            for severity, flag in ((PAGE, {}), (TICKET, TIMERS)):
                says = f"{window}, {side}: {severity}"
                yield Case(says=says, changed=changed | flag, **_either(SIX_HOURS, severity, fires=fires, also=SLOW))


def _erosion() -> Iterator[Case]:
    for side, fires, changed in (
        (f"1 d at 3 times, {HIGH}", True, {ON_TIME: "0+60xN", MISSED: "0+0x80 10.9+10.9xN"}),
        (f"1 d at 3 times, {LOW}", False, {ON_TIME: "0+60xN", MISSED: "0+0x80 7.7+7.7xN"}),
        (f"2 h at 3 times, {HIGH}", True, {ON_TIME: "0+60xN", MISSED: "0+6x80 482.2+2.2xN"}),
        (f"2 h at 3 times, {LOW}", False, {ON_TIME: "0+60xN", MISSED: "0+6x80 481.5+1.5xN"}),
    ):
        what = _either(DAY, TICKET, fires=fires, also=((THREE_DAYS, TICKET),))
        yield Case(says=side, minutes=600, step_minutes=6, changed=changed, **what)
    for side, fired, changed in (
        (f"3 d at 1 time, {HIGH}", ((SIX_HOURS, PAGE), *SLOW), {MISSED: "0+0x330 7.3+7.3xN"}),
        (f"3 d at 1 time, {LOW}", ((SIX_HOURS, PAGE),), {MISSED: "0+0x330 4.8+4.8xN"}),
        (f"6 h at 1 time, {HIGH}", ((THREE_DAYS, TICKET),), {MISSED: "0+1x330 330.6+0.6xN"}),
        (f"6 h at 1 time, {LOW}", (), {MISSED: "0+1x330 330.41+0.41xN"}),
    ):
        spares = () if (THREE_DAYS, TICKET) in fired else (THREE_DAYS,)
        good = {ON_TIME: "0+50xN"}
        yield Case(says=side, minutes=4320, step_minutes=12, changed=good | changed, fires=fired, spares=spares)


def _counts() -> Iterator[Case]:
    """Yield the minimum count of an alert, and one less."""
    quiet = {ON_TIME: "0+0xN", MISSED: "0+0x54 1+0x1 2+0xN"}
    spared = (HOUR, SIX_HOURS, DAY, THREE_DAYS)
    yield Case(says="two failed payments in a quiet hour fire nothing", changed=quiet, spares=spared)
    yield Case(
        says="two failed payments in a quiet hour fire nothing under timers", changed=quiet | TIMERS, spares=spared
    )
    three = {ON_TIME: "0+0xN", MISSED: "0+0x54 1+0x1 2+0x1 3+0xN"}
    fast = ((HOUR, TICKET), (SIX_HOURS, TICKET), *SLOW)
    yield Case(
        says="three failed payments in a quiet hour are a ticket under timers", changed=three | TIMERS, fires=fast
    )
    for severity, flag in ((PAGE, {}), (TICKET, TIMERS)):
        for count, fires in ((3, True), (2, False)):
            auth_probes = BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+1x40 40+0xN", AUTH_PROBE_403: f"0+0x52 {count}+0xN"}
            says = f"{count} failed auth probes of {count}: {severity}"
            yield Case(says=says, changed=auth_probes | flag, **_either(AUTH, severity, fires=fires))
            trips = {TRIP_OK: "0+12x50 600+0xN", TRIP_LOST: f"0+0x58 {count}+0xN"}
            says = f"{count} lost canaries of {count}: {severity}"
            yield Case(says=says, changed=trips | flag, **_either(TRIPS, severity, fires=fires))
    for count, fires in ((5, True), (4, False)):
        refused = {ASKED: "0+0xN", REFUSED: f"0+0x30 {count}+0xN"}
        yield Case(
            says=f"{count} payers refused of {count}", changed=refused, **_either(SUBSCRIBE, TICKET, fires=fires)
        )
        forged = {SIGNED: f"0+0x50 {count}+0xN"}
        yield Case(says=f"{count} forged reports", changed=forged, **_either(FORGED, TICKET, fires=fires))
    yield Case(
        says="coverage slightly below its limit",
        minutes=90,
        changed={"coverage_ratio": "0.94+0xN"},
        fires=((COVERAGE, TICKET),),
    )
    for count, fires in ((3, True), (2, False)):
        changed = {"coverage_ratio": "0.9+0xN", UNJUDGED: f"{count}+0xN"}
        what = _either(COVERAGE, TICKET, fires=fires)
        yield Case(says=f"{count} unmeasured payments", minutes=90, changed=changed, **what)
        changed = {COMMITS: "0+12x30" + " 0+12x5" * (count - 1) + " 0+12xN"}
        yield Case(says=f"{count} starts in an hour", changed=changed, **_either(RESTARTING, TICKET, fires=fires))
    for age, fires in ((86_399, True), (86_401, False)):
        what = _either(CREATED, TICKET, fires=fires)
        yield Case(says=f"a journal of {age} s", changed={BEGAN: f"{3_600 - age}+0xN"}, **what)
    yield Case(
        says="coverage slightly above its limit", minutes=90, changed={"coverage_ratio": "0.96+0xN"}, spares=(COVERAGE,)
    )
    yield Case(
        says="the rung below the top for over two weeks is a ticket",
        minutes=20_280,
        step_minutes=60,
        changed={"flag_rung": "2+0xN"},
        fires=((STUCK, TICKET),),
    )


def _ratios() -> Iterator[Case]:
    for severity, flag in ((PAGE, {}), (TICKET, TIMERS)):
        for side, bad, fires in ((HIGH, 0.56, True), (LOW, 0.44, False)):
            auth_probes = BAD_AUTH_PROBE | {AUTH_PROBE_OK: f"0+{1 - bad:g}xN", AUTH_PROBE_403: f"0+{bad}xN"}
            yield Case(
                says=f"half of the auth probes, {side}: {severity}",
                changed=auth_probes | flag,
                **_either(AUTH, severity, fires=fires),
            )
        for side, bad, fires in ((HIGH, 1.44, True), (LOW, 0.96, False)):
            trips = {TRIP_OK: f"0+{12 - bad:g}xN", TRIP_LOST: f"0+{bad}xN"}
            yield Case(
                says=f"a tenth of the canaries, {side}: {severity}",
                changed=trips | flag,
                **_either(TRIPS, severity, fires=fires),
            )
    for side, bad, fires in ((HIGH, 0.48, True), (LOW, 0.34, False)):
        refused = {ASKED: f"0+{2 - bad:g}xN", REFUSED: f"0+{bad}xN"}
        yield Case(says=f"a fifth of the payers, {side}", changed=refused, **_either(SUBSCRIBE, TICKET, fires=fires))
    for side, ahead_s, fires in ((HIGH, 43, True), (LOW, 37, False)):
        yield Case(
            says=f"ahead of Prometheus, {side}",
            changed={UNTIL: f"{ahead_s}+60xN"},
            **_either(CLOCK, TICKET, fires=fires),
        )
    for side, late_s, fires in ((HIGH, 6, True), (LOW, 4, False)):
        yield Case(
            says=f"behind Prometheus with a renewed lease, {side}",
            changed={UNTIL: f"-{late_s}+60xN"},
            **_either(CLOCK, TICKET, fires=fires),
        )
    yield from _leases()


def _leases() -> Iterator[Case]:
    """Yield leases with an end that is constant or advances slowly, at steps of a quarter of a minute."""
    for late_s, fires in ((66, True), (64, False), (81, True), (51, False)):  # 5 s, and then for 1m
        yield Case(
            says=f"a lease that expired {late_s} s ago",
            step_minutes=QUARTER,
            changed={UNTIL: f"{3600 - late_s}+0xN"},
            **_either(LEASE, PAGE, fires=fires),
        )
    for moved_s, alert, severity, fires in (
        (8.5, LEASE, PAGE, True),
        (12, LEASE, PAGE, False),
        (70, CLOCK, TICKET, True),
        (50, CLOCK, TICKET, False),
    ):
        yield Case(
            says=f"the end of a lease advanced by {moved_s} s in two minutes: {alert}",
            step_minutes=QUARTER,
            changed={UNTIL: f"0+{moved_s / 8}xN"},
            **_either(alert, severity, fires=fires),
        )


def _failing_while_served() -> Iterator[Case]:
    """Yield failures of the last five minutes before the alarm, by count and by share."""
    fast = ((HOUR, PAGE), (SIX_HOURS, PAGE), *SLOW)
    for says, good, bad, fires in (
        ("five failed payments of five", 0, 5, True),
        ("four failed payments of four", 0, 4, False),
        ("eight failed payments of fourteen", 6, 8, True),
        ("eight failed payments of eighteen", 10, 8, False),
    ):
        changed = {ON_TIME: f"0+0x225 {good}+0xN", MISSED: f"0+0x225 {bad}+0xN"}
        yield Case(
            says=f"{says} while push is served",
            step_minutes=QUARTER,
            changed=changed,
            **_either(NOT_FALLING, PAGE, fires=fires, also=fast),
        )


def _patience() -> Iterator[Case]:
    """Yield conditions that last slightly longer or shorter than the `for` of an alert."""
    for alert, severity, wait, metric, before, since, flag in (
        (NOT_FALLING, PAGE, 2, LATCHED, "0+0", "1+0", {}),
        (REPORTED, TICKET, 5, "reach_reporters", "0+0", "3+0", {}),
        (SILENT, TICKET, 2, "ack_stream_up", "1+0", "0+0", {}),
        (WEBHOOKS, TICKET, 5, "webhooks_only_refused", "0+0", "1+0", {}),
        (SUSPENDED, TICKET, 15, RECOVERING, "0+0", "1+0", KEPT),
        (GONE, TICKET, 5, "up", "1+0", "0+0", {}),
        (COVERAGE, TICKET, 60, "coverage_ratio", "0.99+0", "0.9+0", {}),
        (JOURNAL, TICKET, 2, UNAVAILABLE, "0+0", "1+1", {}),
    ):
        for lasted, fires in ((wait * 1.25, True), (wait * 0.75, False)):
            minutes, step = (60, QUARTER) if wait < 5 else (120, 1)
            steps = int((minutes - lasted) / step) - 1
            changed = {metric: f"{before}x{steps} {since}xN"} | flag
            says = f"{alert} after {lasted:g} of {wait} minutes"
            yield Case(
                says=says, minutes=minutes, step_minutes=step, changed=changed, **_either(alert, severity, fires=fires)
            )
    for severity, flag in ((PAGE, {}), (TICKET, TIMERS)):
        for quarters, fires in ((6, True), (3, False)):
            whole = 239 - quarters
            changed = {TRIP_OK: f"0+3x{whole} {3 * whole}+0xN", TRIP_LOST: f"0+0x{whole} 9+3xN"} | flag
            yield Case(
                says=f"lost canaries for {quarters} quarters: {severity}",
                step_minutes=QUARTER,
                changed=changed,
                **_either(TRIPS, severity, fires=fires),
            )
    for quarters, fires in ((5, True), (3, False)):
        whole = 239 - quarters
        changed = {UNTIL: f"25+15x{whole} {15 * (whole + 1) + 60}+15xN"}
        yield Case(
            says=f"{CLOCK} after {quarters} quarters",
            step_minutes=QUARTER,
            changed=changed,
            **_either(CLOCK, TICKET, fires=fires),
        )
    for more, fires in ((70, True), (50, False)):
        changed = {"flag_rung": "1+0xN"}
        yield Case(
            says=f"{STUCK} after two weeks and {more} minutes",
            minutes=20_160 + more,
            step_minutes=10,
            changed=changed,
            **_either(STUCK, TICKET, fires=fires),
        )


def _either(alert: str, severity: str, *, fires: bool, also: Fired = ()) -> dict[str, Any]:
    """Return the expectation of a case: the alert fires, or does not; `also` fires in both cases."""
    return {"fires": ((alert, severity), *also)} if fires else {"fires": also, "spares": (alert,)}


LIMITS = (*_burns(), *_erosion(), *_counts(), *_ratios(), *_failing_while_served(), *_patience())
