"""The scenarios of payers, one row each: the served mode, the fault, and the expected result."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

import msgspec

from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import ClearedBy, Flow, Subscription
from tests.payers.caching_proxy import CachingProxy
from tests.payers.holding_proxy import HoldingProxy
from tests.payers.leaps import ASLEEP, SET_BACK, TEN_MINUTES, Leap
from tests.payers.reverb import OTHER
from tests.payers.stage import Stage
from tests.payers.tabs import FreezableTab
from tests.waiting import HANGS_AFTER_S

TIMERS, NET, ONLY = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY
CONFIRMED, REFUSED, SILENT, OFFLINE = Subscription
PAGE, REDIRECT = Flow
FIRST, PUSH, SUBSCRIBE, TIMER, SAFETY_NET, RETURN, MOVED, LEASE, LAST = ClearedBy

Play = Callable[[Stage], Awaitable[None]]


async def pay(it: Stage) -> None:
    """Pay without a fault."""
    await it.open()
    await it.pay()


async def _come_back(it: Stage) -> None:
    """Pay at Stripe; the return page finds the booking not paid and subscribes; then the booking is paid."""
    it.payer.paid_at = asyncio.Event()
    await it.open()
    it.payer.refetched.clear()
    await it.pay()
    await it.until(lambda: it.tab.evaluate("window.seen?.joined"), "the return page joins the channel")
    await it.pace.sleep(0.5)
    it.payer.paid_at.set()


async def come_back(it: Stage) -> None:
    """Return from Stripe's redirect, with the payment's id in the URL."""
    await _come_back(it)


async def come_back_nameless(it: Stage) -> None:
    """Return to a page without the payment's id in the URL: it must be stored."""
    it.payer.names_payment = False
    await _come_back(it)


async def push_before_flag(it: Stage) -> None:
    """Return to a page that is subscribed and gets the push before the flag's answer."""
    proxy = it.backend.proxies[it.payer.name] = HoldingProxy(it.sidecar.public)
    proxy.is_open.set()
    it.payer.flag_url = f"{it.backend.origin}/proxy/{it.payer.name}/flags/payment-refresh"
    it.payer.paid_at = asyncio.Event()
    await it.open()
    proxy.is_open.clear()
    await it.pay()
    await it.until(lambda: it.tab.evaluate("window.seen?.joined"), "the return page joins the channel")
    it.payer.paid_at.set()
    async with asyncio.timeout(HANGS_AFTER_S):
        await it.payer.broadcast.wait()
    await it.pace.sleep(0.3)
    assert proxy.held == 1
    proxy.is_open.set()


async def pay_late(it: Stage) -> None:
    """Delay the webhook beyond the last timer."""
    it.payer.paid_after_s = 7.0
    await pay(it)


async def pay_at_once(it: Stage) -> None:
    """Process the webhook before Stripe confirms the payment to the page."""
    it.payer.paid_after_s = None
    it.payer.tells_page_s = 0.3
    await pay(it)


async def lose_late(it: Stage) -> None:
    """Delay the webhook beyond the last timer, and lose the push."""
    it.payer.paid_after_s = 7.0
    await lose(it)


async def lose(it: Stage) -> None:
    """Lose the broadcast for every socket, after the API's 200."""
    it.lose_push()
    await pay(it)


async def broadcast_before(it: Stage) -> None:
    """Commit and broadcast after the return page's first refetch, and before its subscription."""
    it.payer.paid_at = asyncio.Event()
    await it.open()
    it.app.faults.is_frozen = True
    it.payer.refetched.clear()
    await it.pay()
    async with asyncio.timeout(HANGS_AFTER_S):
        await it.payer.refetched.wait()
        it.payer.paid_at.set()
        await it.payer.broadcast.wait()
    it.app.faults.is_frozen = False


async def reconnect_late(it: Stage) -> None:
    """Cut the connection after the last timer; broadcast once the page has noticed, before it reconnects."""
    it.payer.paid_at = asyncio.Event()
    await pay(it)
    await it.pace.sleep(5.2)
    it.app.faults.is_frozen = True
    await it.reverb.cut(it.payer.user_id)
    await it.until(lambda: it.has_refetched(2), "the page notifications that it was cut off")
    it.payer.paid_at.set()
    async with asyncio.timeout(HANGS_AFTER_S):
        await it.payer.broadcast.wait()
    it.app.faults.is_frozen = False


async def reconnect(it: Stage) -> None:
    """Cut the connection while the payment is pending; broadcast before the page reconnects."""
    it.payer.paid_at = asyncio.Event()
    await pay(it)
    await it.payer.refetched.wait()
    await it.reverb.cut(it.payer.user_id)
    it.payer.paid_at.set()


async def refuse(it: Stage) -> None:
    """Answer channel auth with 403."""
    it.app.faults.refuses = frozenset({it.payer.user_id})
    await it.open(joins=False)
    await it.until(lambda: it.tab.evaluate("window.seen.refused"), "the page receives the refusal")
    await it.pay()


async def refuse_back(it: Stage) -> None:
    """Return from Stripe to a page that receives its refusal while the payment is pending."""
    it.app.faults.refuses = frozenset({it.payer.user_id})
    it.app.faults.is_frozen = True
    it.payer.paid_at = asyncio.Event()
    await it.open(joins=False)
    it.payer.refetched.clear()
    await it.pay()
    await it.payer.refetched.wait()
    await it.until(it.has_flag, "the return page has the flag's answer")
    it.app.faults.is_frozen = False
    await it.until(lambda: it.has_refetched(2), "the page moves away from push")
    it.payer.paid_at.set()


async def missign(it: Stage) -> None:
    """Sign channel auth with another secret: 200, and no subscription."""
    it.app.faults.signs_as = OTHER
    await it.open(joins=False)
    await it.pay()


async def forbid(it: Stage) -> None:
    """Answer channel auth without CORS headers."""
    it.app.faults.has_cors = False
    await it.open(joins=False)
    await it.until(lambda: it.tab.evaluate("window.seen.refused"), "the page receives the refusal")
    await it.pay()


async def be_offline(it: Stage) -> None:
    """Make Reverb unreachable."""
    it.payer.echo["wsPort"] = 9
    await it.open(joins=False)
    await it.pay()


async def read_stale(it: Stage) -> None:
    """Push while the read replica is 600 ms behind."""
    it.payer.stale_s = 0.6
    await pay(it)


async def read_very_stale(it: Stage) -> None:
    """Push while the read replica is three seconds behind: longer than one retry covers."""
    it.payer.stale_s = 3.0
    await pay(it)


async def flip(it: Stage) -> None:
    """Roll the flag back while the payment is pending, and lose its push."""
    it.lose_push()
    await pay(it)
    await it.pace.sleep(1)
    await it.roll_back()


async def kill(it: Stage) -> None:
    """Kill the sidecar while the payment is pending, and lose its push."""
    it.lose_push()
    await pay(it)
    await it.pace.sleep(1)
    it.sidecar.kill()


async def kill_alone(it: Stage) -> None:
    """Kill the sidecar while the payment is pending; push does not need it."""
    it.payer.paid_after_s = 3.0
    await pay(it)
    it.sidecar.kill()


async def _through_cache(it: Stage, proxy: CachingProxy) -> None:
    it.lose_push()
    it.backend.proxies[it.payer.name] = proxy
    it.payer.flag_url = f"{it.backend.origin}/proxy/{it.payer.name}/flags/payment-refresh"
    await pay(it)
    await it.reported()
    assert proxy.hits > 0


async def cache_an_hour(it: Stage) -> None:
    """Answer from a cache that is almost an hour old, and lose the push."""
    proxy = CachingProxy(it.sidecar.public)
    await proxy.warm(it.session, "/flags/payment-refresh", age_s=3400)
    await _through_cache(it, proxy)


async def cache_from_now_on(it: Stage) -> None:
    """Repeat the page's first answer from a cache as if it were new, and lose the push."""
    await _through_cache(it, CachingProxy(it.sidecar.public, tells_age=False))


async def set_back(it: Stage) -> None:
    """Set the clock back by an hour while such a cache answers."""
    await it.tab.leaps(SET_BACK)
    it.lose_push()
    it.backend.proxies[it.payer.name] = CachingProxy(it.sidecar.public, tells_age=False)
    it.payer.flag_url = f"{it.backend.origin}/proxy/{it.payer.name}/flags/payment-refresh"
    await pay(it)
    await it.tab.evaluate("window.leapIn(1000)")


async def _freeze(it: Stage, leap: Leap) -> None:
    assert isinstance(it.tab, FreezableTab)
    await it.tab.leaps(leap)
    it.payer.paid_at = asyncio.Event()
    await pay(it)
    await it.payer.refetched.wait()
    await it.until(lambda: it.tab.evaluate("window.seen.tokens"), "the page has its token: no report without one")
    await it.tab.freeze()
    await it.reverb.cut(it.payer.user_id)
    it.payer.paid_at.set()
    await it.payer.broadcast.wait()
    await it.pace.sleep(2)
    assert len(it.payer.found) == 1, "a frozen page asks for nothing"
    await it.tab.thaw()


async def freeze(it: Stage) -> None:
    """Hide and freeze the page, so that it misses the push, and show it again ten minutes later."""
    await _freeze(it, TEN_MINUTES)


async def sleep(it: Stage) -> None:
    """Do the same on a machine that sleeps: its monotonic clock stands still meanwhile."""
    await _freeze(it, ASLEEP)


async def suspend(it: Stage) -> None:
    """Sleep for ten minutes with the page in front, so that it gets no event; lose the push."""
    it.lose_push()
    await it.tab.leaps(ASLEEP)
    await pay(it)
    await it.tab.evaluate("window.leapIn(1000)")


async def leave(it: Stage) -> None:
    """Leave the page a second after the push."""
    await pay(it)
    await it.clears()
    await it.pace.sleep(1)
    await it.leave()


class Scenario(msgspec.Struct, frozen=True):
    """A row: the served mode, the flow and the events; and the expected result."""

    key: str
    what: str
    held: Mode
    flow: Flow
    play: Play
    follows: Mode
    """The mode that the page follows at the beginning, as it reports."""
    found: str
    """The expected result of each refetch: `-` not paid, `+` paid."""
    by: frozenset[ClearedBy]
    cleared_s: tuple[float, float]
    """"Pay now" goes away from so many seconds after the payment on, and before so many."""
    subscription: Subscription
    is_pushed: bool
    """The page receives the push."""
    own_sidecar: bool = False
    records: bool = False
    """Reports go to the backend's recorder, because the sidecar is gone."""
    freezes: bool = False
    """It needs a separate browser."""
    is_cut_short: bool = False
    """The page is left before the 30 s are over."""


def by(*causes: ClearedBy) -> frozenset[ClearedBy]:
    """Return what may have cleared the alert."""
    return frozenset(causes)


# fmt: off
SCENARIOS = (
    # key                    what happens                                            held    flow      play                follows  finds   cleared by        within s         subscription  pushed
    Scenario("timers",       "pay, with timers",                                     TIMERS, PAGE,     pay,                TIMERS,  "-++",  by(TIMER),        (1.9, 4.5),      CONFIRMED,    True),
    Scenario("timers_late",  "pay, with timers; the webhook takes 7 s",              TIMERS, PAGE,     pay_late,           TIMERS,  "---+", by(PUSH),         (6.9, 9.5),      CONFIRMED,    True),
    Scenario("timers_lost",  "pay, with timers; the webhook takes 7 s, push lost",   TIMERS, PAGE,     lose_late,          TIMERS,  "---+", by(LAST),         (29.9, 35.0),    CONFIRMED,    False),
    Scenario("net",          "pay → push, with a safety net",                        NET,    PAGE,     pay,                NET,     "-+",   by(PUSH),         (0.4, 4.0),      CONFIRMED,    True),
    Scenario("push",         "pay → push",                                           ONLY,   PAGE,     pay,                ONLY,    "-+",   by(PUSH),         (0.4, 4.0),      CONFIRMED,    True),
    Scenario("at_once",      "pay; the booking is paid before the page asks",        ONLY,   PAGE,     pay_at_once,        ONLY,    "+",    by(FIRST),        (0.0, 1.9),      CONFIRMED,    False),
    Scenario("redirect",     "redirect and back → push",                             ONLY,   REDIRECT, come_back,          ONLY,    "--+",  by(PUSH),         (0.4, 6.0),      CONFIRMED,    True),
    Scenario("remembered",   "redirect and back, payment not in the URL → push",     ONLY,   REDIRECT, come_back_nameless, ONLY,    "--+",  by(PUSH),         (0.4, 6.0),      CONFIRMED,    True),
    Scenario("before",       "redirect: broadcast before the subscription",          ONLY,   REDIRECT, broadcast_before,   ONLY,    "-+",   by(SUBSCRIBE),    (0.0, 4.0),      CONFIRMED,    False),
    Scenario("before_flag",  "redirect: push before the flag's answer",              ONLY,   REDIRECT, push_before_flag,   ONLY,    "-+",   by(PUSH),         (0.0, 4.0),      CONFIRMED,    True),
    Scenario("reconnect",    "reconnect during the wait",                            ONLY,   PAGE,     reconnect,          ONLY,    "-+",   by(MOVED),        (0.9, 5.0),      CONFIRMED,    False),
    Scenario("rejoin",       "reconnect; broadcast just before it rejoins",          ONLY,   PAGE,     reconnect_late,     ONLY,    "--+",  by(SUBSCRIBE),    (6.0, 12.0),     CONFIRMED,    False),
    Scenario("lost_net",     "push lost, with a safety net",                         NET,    PAGE,     lose,               NET,     "-+",   by(SAFETY_NET),   (4.9, 8.0),      CONFIRMED,    False),
    Scenario("lost",         "push lost",                                            ONLY,   PAGE,     lose,               ONLY,    "-+",   by(LAST),         (29.9, 35.0),    CONFIRMED,    False),
    Scenario("refused",      "auth 403",                                             ONLY,   PAGE,     refuse,             TIMERS,  "-++",  by(TIMER),        (1.9, 4.5),      REFUSED,      False),
    Scenario("refused_back", "redirect, auth 403",                                   ONLY,   REDIRECT, refuse_back,        ONLY,    "--+",  by(TIMER),        (1.9, 4.5),      REFUSED,      False),
    Scenario("no_cors",      "auth without CORS",                                    ONLY,   PAGE,     forbid,             TIMERS,  "-++",  by(TIMER),        (1.9, 4.5),      REFUSED,      False),
    Scenario("silent",       "auth signed with a wrong secret: silence",             ONLY,   PAGE,     missign,            ONLY,    "-+",   by(MOVED),        (2.9, 4.9),      SILENT,       False),
    Scenario("offline",      "Reverb cannot be reached",                             ONLY,   PAGE,     be_offline,         ONLY,    "-+",   by(MOVED),        (2.9, 4.9),      OFFLINE,      False),
    Scenario("stale",        "push, but a stale read",                               ONLY,   PAGE,     read_stale,         ONLY,    "--+",  by(PUSH),         (1.4, 4.5),      CONFIRMED,    True),
    Scenario("very_stale",   "push, but stale reads for 3 s, with a safety net",     NET,    PAGE,     read_very_stale,    NET,     "---+", by(SAFETY_NET),   (4.9, 8.0),      CONFIRMED,    True),
    Scenario("flip",         "flag flips while pending, push lost",                  ONLY,   PAGE,     flip,               ONLY,    "-+",   by(MOVED),        (1.0, 10.0),     CONFIRMED,    False, own_sidecar=True),
    Scenario("frozen",       "hidden, frozen for ten minutes; push missed",          ONLY,   PAGE,     freeze,             ONLY,    "-+",   by(RETURN),       (600.0, inf),    CONFIRMED,    False, freezes=True),
    Scenario("asleep",       "hidden, frozen, asleep for ten minutes; push missed",  ONLY,   PAGE,     sleep,              ONLY,    "-+",   by(RETURN),       (1.9, inf),      CONFIRMED,    False, freezes=True),
    Scenario("suspended",    "asleep for ten minutes, in front; push lost",          ONLY,   PAGE,     suspend,            ONLY,    "-+",   by(RETURN),       (0.9, 10.0),     CONFIRMED,    False),
    Scenario("killed",       "sidecar killed, push works",                           ONLY,   PAGE,     kill_alone,         ONLY,    "-+",   by(PUSH),         (2.9, 6.0),      CONFIRMED,    True,  own_sidecar=True, records=True),
    Scenario("killed_lost",  "sidecar killed, push lost",                            ONLY,   PAGE,     kill,               ONLY,    "-+",   by(LEASE),        (8.0, 18.0),     CONFIRMED,    False, own_sidecar=True, records=True),
    Scenario("cache_hour",   "a cache serves an hour-old flag, push lost",           ONLY,   PAGE,     cache_an_hour,      TIMERS,  "-++",  by(TIMER),        (1.9, 4.5),      CONFIRMED,    False),
    Scenario("cache_on",     "a cache serves the first flag without Age, push lost", ONLY,   PAGE,     cache_from_now_on,  ONLY,    "-+",   by(LEASE),        (6.0, 18.0),     CONFIRMED,    False),
    Scenario("set_back",     "that cache, and the clock set back; push lost",        ONLY,   PAGE,     set_back,           ONLY,    "-+",   by(LEASE),        (6.0, 18.0),     CONFIRMED,    False),
    Scenario("left",         "pay → push, and the page is closed",                   ONLY,   PAGE,     leave,              ONLY,    "-+",   by(PUSH),         (0.4, 4.0),      CONFIRMED,    True,  is_cut_short=True),
)
# fmt: on
"""Every row ends with the booking paid in the page; the times are of the page's own clock."""
