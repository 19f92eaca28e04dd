"""Cases about Reverb and channel authorization, and the alerts that must fire."""

from tests.rules.case import (
    ASKED,
    AUTH,
    AUTH_PROBE_403,
    AUTH_PROBE_OK,
    BAD_AUTH_PROBE,
    ISOLATION,
    KEPT,
    NO_AUTH_PROBE,
    NO_TRIP,
    PAGE,
    REFUSED,
    SUBSCRIBE,
    SUSPENDED,
    TICKET,
    TIMERS,
    TRIP_LOST,
    TRIP_OK,
    TRIPS,
    UNSTABLE,
    Case,
)

CASES = (
    Case(
        says="an allowed isolation probe is a page at once",
        changed={"isolation_probes_allowed": "0+0x59 1+0xN"},
        fires=((ISOLATION, PAGE),),
    ),
    Case(
        says="an allowed isolation probe is a page under timers",
        changed={"isolation_probes_allowed": "0+0x59 1+0xN"} | TIMERS,
        fires=((ISOLATION, PAGE),),
    ),
    Case(
        says="an isolation probe that is refused again fires nothing",
        changed={"isolation_probes_allowed": "1+0x50 0+0xN"},
        spares=(ISOLATION,),
    ),
    Case(says="failing auth probes are a page under push", changed=NO_AUTH_PROBE, fires=((AUTH, PAGE),)),
    Case(
        says="failing auth probes are a ticket under timers",
        changed=NO_AUTH_PROBE | TIMERS,
        fires=((AUTH, TICKET),),
    ),
    Case(
        says="two failed auth probes fire nothing",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_403: "0+0x50 1+0x2 2+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="a successful auth probe after failures fires nothing",
        changed=NO_AUTH_PROBE | {"last_channel_auth_ok": "0+0x59 1+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="canaries that return after a loss fire nothing",
        changed={TRIP_OK: "0+12x50 600+0x5 612+12xN", TRIP_LOST: "0+0x50 12+12x5 72+0xN"},
        spares=(TRIPS,),
    ),
    Case(says="lost canaries are a page under push", changed=NO_TRIP, fires=((TRIPS, PAGE),)),
    Case(
        says="lost canaries are a ticket while push is suspended",
        changed=NO_TRIP | KEPT | {UNSTABLE: "1+0xN"},
        fires=((TRIPS, TICKET),),
        spares=(SUSPENDED,),
    ),
    Case(says="four lost canaries of sixty fire nothing", changed={TRIP_LOST: "0+0x58 4+0xN"}, spares=(TRIPS,)),
    Case(
        says="two failed auth probes of two fire nothing",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+1x40 40+0xN", AUTH_PROBE_403: "0+0x55 1+0x2 2+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="four failed auth probes of five are a page",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+0.1xN", AUTH_PROBE_403: "0+0.4xN"},
        fires=((AUTH, PAGE),),
    ),
    Case(
        says="two failed auth probes in five fire nothing",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+0.6xN", AUTH_PROBE_403: "0+0.4xN"},
        spares=(AUTH,),
    ),
    Case(
        says="two failed auth probes in five fire nothing under timers",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+0.6xN", AUTH_PROBE_403: "0+0.4xN"} | TIMERS,
        spares=(AUTH,),
    ),
    Case(
        says="two lost canaries of two fire nothing",
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
        says="one lost canary in thirty fires nothing under timers",
        changed={TRIP_OK: "0+11.6xN", TRIP_LOST: "0+0.8xN"} | TIMERS,
        spares=(TRIPS,),
    ),
    Case(
        says="three refused payers in a quiet hour fire nothing",
        changed={ASKED: "0+0xN", REFUSED: "0+0x50 3+0xN"},
        spares=(SUBSCRIBE,),
    ),
    Case(
        says="eight refused payers in a quiet hour are a ticket",
        changed={ASKED: "0+0xN", REFUSED: "0+0x50 8+0xN"},
        fires=((SUBSCRIBE, TICKET),),
    ),
    Case(says="one refused payer in eleven fires nothing", changed={REFUSED: "0+0.2xN"}, spares=(SUBSCRIBE,)),
    Case(
        says="refused payers are a ticket",
        changed={'channel_auth_attempts_total{source="backend", outcome="refused"}': "0+1xN"},
        fires=((SUBSCRIBE, TICKET),),
    ),
    Case(
        says="one payer in twenty without a subscription fires nothing",
        changed={'channel_auth_attempts_total{source="browser", outcome="silent"}': "0+0.1xN"},
        spares=(SUBSCRIBE,),
    ),
)
