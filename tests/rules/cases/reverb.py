"""What happens to Reverb and on the way into its channels, and what must fire then."""

from tests.rules.case import (
    ASKED,
    AUTH,
    AUTH_PROBE_403,
    AUTH_PROBE_OK,
    BAD_AUTH_PROBE,
    BLIND,
    ISOLATION,
    KEPT,
    NO_AUTH_PROBE,
    NO_TRIP,
    PAGE,
    REFUSED,
    SUBSCRIBE,
    TICKET,
    TIMERS,
    TRIP_LOST,
    TRIP_OK,
    TRIPS,
    Case,
)

CASES = (
    Case(
        says="a isolation let in is a page at once",
        changed={"isolation_probes_allowed": "0+0x59 1+0xN"},
        fires=((ISOLATION, PAGE),),
    ),
    Case(
        says="a isolation let in is a page under timers too",
        changed={"isolation_probes_allowed": "0+0x59 1+0xN"} | TIMERS,
        fires=((ISOLATION, PAGE),),
    ),
    Case(
        says="a isolation refused again is none",
        changed={"isolation_probes_allowed": "1+0x50 0+0xN"},
        spares=(ISOLATION,),
    ),
    Case(says="a closed way to the channel is a page under push", changed=NO_AUTH_PROBE, fires=((AUTH, PAGE),)),
    Case(
        says="a closed way to the channel is a ticket under timers",
        changed=NO_AUTH_PROBE | TIMERS,
        fires=((AUTH, TICKET),),
    ),
    Case(
        says="two failed auth probes are none",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_403: "0+0x50 1+0x2 2+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="a way that is open again is none",
        changed=NO_AUTH_PROBE | {"last_channel_auth_ok": "0+0x59 1+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="canaries that come back again are none",
        changed={TRIP_OK: "0+12x50 600+0x5 612+12xN", TRIP_LOST: "0+0x50 12+12x5 72+0xN"},
        spares=(TRIPS,),
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
        says="two failed auth probes of two are none",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+1x40 40+0xN", AUTH_PROBE_403: "0+0x55 1+0x2 2+0xN"},
        spares=(AUTH,),
    ),
    Case(
        says="four failed auth probes of five are a page",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+0.1xN", AUTH_PROBE_403: "0+0.4xN"},
        fires=((AUTH, PAGE),),
    ),
    Case(
        says="two failed auth probes in five are none",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+0.6xN", AUTH_PROBE_403: "0+0.4xN"},
        spares=(AUTH,),
    ),
    Case(
        says="two failed auth probes in five are none under timers",
        changed=BAD_AUTH_PROBE | {AUTH_PROBE_OK: "0+0.6xN", AUTH_PROBE_403: "0+0.4xN"} | TIMERS,
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
        says="payers who are refused are a ticket",
        changed={'channel_auth_attempts_total{source="backend", outcome="refused"}': "0+1xN"},
        fires=((SUBSCRIBE, TICKET),),
    ),
    Case(
        says="one payer in twenty who hears nothing is none",
        changed={'channel_auth_attempts_total{source="browser", outcome="silent"}': "0+0.1xN"},
        spares=(SUBSCRIBE,),
    ),
)
