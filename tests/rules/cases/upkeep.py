"""Cases about the sidecar itself, and the alerts that must fire."""

from tests.rules.case import (
    AHEAD,
    BEGAN,
    BEHIND,
    CLOCK,
    COMMITS,
    COVERAGE,
    CREATED,
    CURRENT_RUNG,
    FELL,
    FLAPPING,
    FORGED,
    GONE,
    JOURNAL,
    KEPT,
    LEASE,
    LOGS,
    LOST,
    NO_LEASE,
    NOTIFICATIONS,
    PAGE,
    RECOVERING,
    RESTARTING,
    ROLLED_BACK,
    SILENT,
    STUCK,
    SUSPENDED,
    TICKET,
    TIMERS,
    UNJUDGED,
    UNSTABLE_COUNT,
    UNTIL,
    WEBHOOKS,
    Case,
    well,
)

CASES = (
    Case(
        says="a climb within the two weeks is not stuck",
        minutes=20_280,
        step_minutes=60,
        changed={"flag_rung": "1+0x100 2+0xN"},
        spares=(STUCK,),
    ),
    Case(says="push after the lease expired is a page", changed={UNTIL: "25+60x50 3025+0xN"}, fires=((LEASE, PAGE),)),
    Case(
        says="push without records is a page for the lease and a ticket for the journal",
        changed={"journal_records_total": "100+60x30 1900+0xN"},
        fires=((JOURNAL, TICKET), (LEASE, PAGE)),
    ),
    Case(
        says="an expired lease under timers fires nothing",
        changed={UNTIL: "25+60x50 3025+0xN"} | TIMERS,
        spares=(LEASE,),
    ),
    Case(
        says="replicas with expired leases are one page",
        replicas=3,
        changed={UNTIL: "25+60x50 3025+0xN"},
        fires=((LEASE, PAGE),),
    ),
    Case(
        says="a clock jump is a ticket",
        changed={'unmeasured_payments_total{reason="clock_jumped"}': "0+0x50 2+0xN"},
        fires=((CLOCK, TICKET),),
    ),
    Case(says="a clock ahead of Prometheus is a ticket", changed={UNTIL: "90+60xN"}, fires=((CLOCK, TICKET),)),
    Case(
        says="a clock behind Prometheus, with renewed leases, is a ticket and not a page",
        changed={UNTIL: "-50+60xN"},
        fires=((CLOCK, TICKET),),
        spares=(LEASE,),
    ),
    Case(
        says="an expired lease under timers is no clock error",
        changed={UNTIL: "25+60x50 3025+0xN"} | TIMERS,
        spares=(LEASE, CLOCK),
    ),
    Case(says="a clock three seconds ahead fires nothing", changed={UNTIL: "33+60xN"}, spares=(CLOCK,)),
    Case(says="a clock ahead of the app is a ticket", changed={AHEAD: "7+0xN"}, fires=((CLOCK, TICKET),)),
    Case(says="a clock behind Stripe is a ticket", changed={BEHIND: "-7+0xN"}, fires=((CLOCK, TICKET),)),
    Case(
        says="slow webhooks are no clock error",
        changed={BEHIND: "40+0xN"},
        spares=(CLOCK,),
    ),
    Case(
        says="a clock four seconds from the app and Stripe fires nothing",
        changed={AHEAD: "4+0xN", BEHIND: "-4+0xN"},
        spares=(CLOCK,),
    ),
    Case(
        says="clocks without a reference fire nothing", changed={AHEAD: "nan+0xN", BEHIND: "nan+0xN"}, spares=(CLOCK,)
    ),
    Case(
        says="a suspension of a quarter of an hour is a ticket, whatever its reasons",
        changed={RECOVERING: "1+0x50 0+0xN", 'suspended{reason="cut_off"}': "0+0x50 1+0xN"} | TIMERS,
        fires=((SUSPENDED, TICKET),),
    ),
    Case(
        says="a suspension on the top rung is a ticket",
        changed=KEPT | {RECOVERING: "1+0xN"},
        fires=((SUSPENDED, TICKET),),
    ),
    Case(
        says="no replica with a lease is a ticket",
        replicas=3,
        changed=KEPT | {NO_LEASE: "1+0xN", CURRENT_RUNG: "0+0xN"},
        fires=((SUSPENDED, TICKET),),
    ),
    Case(
        says="a suspension of ten minutes fires nothing",
        changed={RECOVERING: "0+0x50 1+0xN"} | TIMERS,
        spares=(SUSPENDED,),
    ),
    Case(
        says="low coverage is a ticket", minutes=90, changed={"coverage_ratio": "0.9+0xN"}, fires=((COVERAGE, TICKET),)
    ),
    Case(
        says="low coverage for half an hour fires nothing",
        minutes=30,
        changed={"coverage_ratio": "0.9+0xN"},
        spares=(COVERAGE,),
    ),
    Case(
        says="low coverage because of two payments fires nothing",
        minutes=90,
        changed={"coverage_ratio": "0.8+0xN", UNJUDGED: "2+0xN"},
        spares=(COVERAGE,),
    ),
    Case(
        says="without payments coverage fires nothing", minutes=90, changed={"coverage_ratio": "_"}, spares=(COVERAGE,)
    ),
    Case(
        says="an unreachable ack stream is a ticket",
        changed={"ack_stream_up": "1+0x50 0+0xN"},
        fires=((SILENT, TICKET),),
    ),
    Case(says="without an ack stream nothing fires", changed={"ack_stream_up": "_"}, spares=(SILENT,)),
    Case(
        says="webhooks that one of two replicas only refuses are a ticket",
        replicas=2,
        changed={"webhooks_only_refused": "0+0x50 1+0xN"},
        fires=((WEBHOOKS, TICKET),),
    ),
    Case(
        says="bad signatures beside good ones fire nothing",
        changed={'webhook_requests_total{result="signature_wrong"}': "0+500xN"},
        spares=(WEBHOOKS,),
    ),
    Case(says="lost acks are a ticket", changed={"acks_lost_total": "0+0x50 3+0xN"}, fires=((LOST, TICKET),)),
    Case(
        says="acks lost two hours ago fire nothing",
        minutes=120,
        changed={"acks_lost_total": "0+0x30 3+0xN"},
        spares=(LOST,),
    ),
    Case(
        says="two falls in a week are a ticket",
        minutes=2880,
        step_minutes=30,
        changed={FELL: "0+0x20 1+0x60 2+0xN"},
        fires=((FLAPPING, TICKET),),
    ),
    Case(
        says="two suspensions for an unstable Reverb in a day are a ticket",
        changed={UNSTABLE_COUNT: "0+0x20 1+0x20 2+0xN"},
        fires=((FLAPPING, TICKET),),
    ),
    Case(
        says="suspensions for other reasons do not count as flapping",
        changed={'suspensions_total{reason="recovering"}': "0+0x20 1+0x10 2+0x10 3+0xN"},
        spares=(FLAPPING,),
    ),
    Case(
        says="one fall, one suspension and two rollbacks by an operator are not flapping",
        changed={FELL: "0+0x20 1+0xN", ROLLED_BACK: "0+0x20 1+0x10 2+0xN", UNSTABLE_COUNT: "0+0x20 1+0xN"},
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
        says="the top rung for over two weeks fires nothing",
        minutes=20_280,
        step_minutes=60,
        spares=(STUCK,),
    ),
    Case(
        says="a new Prometheus without history does not report it as stuck",
        changed={"flag_rung": "1+0xN"},
        spares=(STUCK,),
    ),
    Case(
        says="forged reports are a ticket",
        changed={'browser_reports_total{result="token_signature"}': "0+0x50 2+2xN"},
        fires=((FORGED, TICKET),),
    ),
    Case(
        says="expired tokens are not forged",
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
        says="webhooks that cannot be stored are a ticket",
        changed={'webhook_requests_total{result="unavailable"}': "0+0x55 1+1xN"},
        fires=((JOURNAL, TICKET),),
    ),
    Case(
        says="a new journal fires nothing",
        changed={"journal_records_total": "5000+60x50 0+60xN"},
        spares=(JOURNAL,),
    ),
    Case(
        says="a journal that replaces an older one is a ticket",
        changed={BEGAN: "-90000+0x30 1800+0xN"},
        fires=((CREATED, TICKET),),
    ),
    Case(
        says="a replica that has not begun yet fires nothing",
        replicas=2,
        changed={BEGAN: "-90000+0xN"},
        spares=(CREATED,),
    ),
    Case(
        says="dropped log lines are a ticket",
        changed={"log_lines_dropped_total": "0+0x50 7+0xN"},
        fires=((LOGS, TICKET),),
    ),
    Case(
        says="log lines dropped an hour ago fire nothing",
        changed={"log_lines_dropped_total": "0+0x10 7+0xN"},
        spares=(LOGS,),
    ),
    Case(
        says="a notification that is given up is a ticket",
        changed={'notifications_total{target="slack", result="given_up"}': "0+0x50 1+0xN"},
        fires=((NOTIFICATIONS, TICKET),),
    ),
    Case(
        says="a dropped notification is a ticket",
        changed={'notifications_total{target="slack", result="dropped"}': "0+0x50 1+0xN"},
        fires=((NOTIFICATIONS, TICKET),),
    ),
    Case(
        says="notifications that are delivered or claimed by another replica fire nothing",
        changed={
            'notifications_total{target="slack", result="delivered"}': "0+1xN",
            'notifications_total{target="slack", result="claimed"}': "0+1xN",
        },
        spares=(NOTIFICATIONS,),
    ),
    Case(says="a target that is down is a ticket", changed={"up": "1+0x50 0+0xN"}, fires=((GONE, TICKET),)),
    Case(
        says="no target at all is a ticket",
        changed=dict.fromkeys(well(1), "_"),
        fires=((GONE, TICKET),),
    ),
    Case(
        says="a sidecar that restarts every few minutes is a ticket",
        changed={COMMITS: "0+12x30 0+12x5 0+12x5 0+12xN"},
        fires=((RESTARTING, TICKET),),
    ),
    Case(
        says="a release and its rollback fire nothing",
        changed={COMMITS: "0+12x30 0+12x5 0+12xN"},
        spares=(RESTARTING,),
    ),
    Case(
        says="a rolling release fires nothing",
        replicas=3,
        changed={COMMITS: "0+12x30 0+12xN"},
        spares=(RESTARTING,),
    ),
    Case(
        says="a target that is down for two minutes fires nothing", changed={"up": "1+0x50 0+0x2 1+0xN"}, spares=(GONE,)
    ),
)
