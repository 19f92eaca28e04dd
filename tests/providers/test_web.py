"""`@openfeature/ofrep-web-provider` and the React SDK in Chromium: what each ends on when things change, and break."""

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import Response

from sidecar.http.rate_limits import LIMITS
from tests.e2e.processes import until
from tests.providers import PUSH, TIMERS, VALID_S, leased, mode, tab, world
from tests.shells.flag_proxy import Proxy, proxy

U1 = {"targetingKey": "u1"}
CHECKED = {"targetingKey": "u1", "checksLease": True}


def is_mode(wanted: str) -> Any:
    """Return what says whether the object flag has this mode."""
    return lambda got: mode(got) == wanted


async def test_the_web_provider_follows_a_climb_and_a_fall_by_itself(tmp_path: Path) -> None:
    """Without polling, by signals alone; the plain string stays at timers until the context promises to look."""
    async with world(tmp_path) as it, tab(tmp_path) as page:
        assert await page.begin(it.sidecar.public + "/", U1) is None, "a base URL may end in a slash"
        got = await page.ask()
        assert (mode(got), got["whole"]["reason"], got["status"]) == (TIMERS, "STATIC", "READY")
        assert got["whole"]["flagMetadata"]["environment"] == "end-to-end"
        await it.climb()
        got = await page.until(is_mode(PUSH), "the page knows of the climb")
        assert (got["whole"]["reason"], got["whole"]["variant"], leased(got)) == ("STATIC", PUSH, PUSH)
        assert (got["plain"]["value"], got["plain"]["flagMetadata"]["why"]) == (TIMERS, "lease_unchecked")
        at_once = await page.page.evaluate("context => window.assign(context).then(window.ask)", CHECKED)
        assert at_once["plain"]["reason"] == "CACHED", "its cache knows the user, and not the rest of the context"
        got = await page.until(lambda got: got["plain"]["value"] == PUSH, "it has evaluated anew")
        assert got["plain"]["reason"] == "TARGETING_MATCH"
        assert await page.reported("PROVIDER_CONFIGURATION_CHANGED")
        await it.roll_back()
        await it.serves(TIMERS)
        got = await page.until(is_mode(TIMERS), "the page knows of the fall")
        assert got["plain"]["value"] == TIMERS
        assert not await page.reported("PROVIDER_STALE")


async def test_a_push_that_the_web_provider_holds_never_runs_out_while_the_sidecar_is_well(tmp_path: Path) -> None:
    """A lease and a half long, looked at every 10 ms: it is renewed by signals, through tags that move in steps."""
    async with world(tmp_path) as it, tab(tmp_path) as page:
        await it.climb()
        assert await page.begin(it.sidecar.public, U1) is None
        watched = await page.page.evaluate("span_ms => window.watch(span_ms)", 3 * VALID_S * 1000)
        assert watched["pushes"] > 100
        assert watched["oldest_ms"] < VALID_S * 1000 * 0.8
        assert leased(await page.ask()) == PUSH


async def test_a_stream_that_was_cut_tells_what_was_missed_when_it_is_back(tmp_path: Path) -> None:
    """The provider fetches nothing when it has connected again: the first event of each stream makes it."""
    async with world(tmp_path) as it, tab(tmp_path) as page:
        await it.climb()
        assert await page.begin(it.relay.url, U1) is None
        await until(
            lambda: page.reported("PROVIDER_CONFIGURATION_CHANGED"), "its stream is open, and has renewed a push"
        )
        assert it.relay.cut() >= 1
        await it.roll_back()
        await it.serves(TIMERS)
        assert mode(await page.ask()) == PUSH, "it does not know yet"
        got = await page.until(is_mode(TIMERS), "the page knows what it missed")
        assert got["status"] == "STALE", "the provider never takes that back by itself"
        assert await page.reported("PROVIDER_STALE")


async def test_when_the_sidecar_dies_the_web_provider_holds_push_for_ever_and_its_lease_does_not(
    tmp_path: Path,
) -> None:
    """The value says push with the best of reasons; only `issued_at` tells. Back again, it needs nobody's help."""
    async with world(tmp_path) as it, tab(tmp_path) as page:
        await it.climb()
        assert await page.begin(it.sidecar.public, CHECKED) is None
        await page.until(lambda got: leased(got) == PUSH, "push is held")
        it.sidecar.kill()
        got = await page.until(lambda got: leased(got) == TIMERS, "its lease has run out")
        assert (mode(got), got["whole"]["reason"], got["status"]) == (PUSH, "STATIC", "STALE")
        assert got["plain"]["value"] == PUSH, "who promised to look must look"
        it.sidecar.start()
        await it.sidecar.ready(it.session)
        await it.serves(PUSH)
        got = await page.until(lambda got: leased(got) == PUSH, "it is renewed")
        assert got["status"] == "STALE"
        await it.roll_back()
        await page.until(is_mode(TIMERS), "and it follows as before")


async def test_a_cold_start_without_a_sidecar_stays_on_the_codes_default(tmp_path: Path) -> None:
    """Nothing tries again, even when the sidecar is back: so the default must be timers. A new context does."""
    async with world(tmp_path) as it, tab(tmp_path) as page:
        await it.climb()
        it.sidecar.kill()
        assert await page.begin(it.sidecar.public, U1)
        got = await page.ask()
        assert (mode(got), got["whole"]["reason"], got["status"]) == (TIMERS, "ERROR", "ERROR")
        it.sidecar.start()
        await it.sidecar.ready(it.session)
        await it.serves(PUSH)
        watched = await page.page.evaluate("span_ms => window.watch(span_ms)", 3000)
        assert watched["pushes"] == 0
        await page.page.evaluate("context => window.assign(context)", {"targetingKey": "u2"})
        await page.until(is_mode(PUSH), "a new context fetches")


async def test_a_warm_start_without_a_sidecar_holds_what_was_stored_and_says_so(tmp_path: Path) -> None:
    """A push of yesterday with the reason CACHED; and without a cache the code's default."""
    async with world(tmp_path) as it, tab(tmp_path) as page:
        await it.climb()
        assert await page.begin(it.sidecar.public, U1) is None
        await page.until(is_mode(PUSH), "push is held, and stored")
        it.sidecar.kill()
        await page.page.reload()
        assert await page.begin(it.sidecar.public, U1) is None
        got = await page.ask()
        assert (mode(got), got["whole"]["reason"], leased(got)) == (PUSH, "CACHED", TIMERS)
        await page.page.reload()
        assert await page.begin(it.sidecar.public, U1, cacheMode="disabled")
        assert mode(await page.ask()) == TIMERS


async def test_where_there_is_no_permit_for_a_stream_the_web_provider_asks_once_and_is_quiet(tmp_path: Path) -> None:
    """It would ask again every second for one that is refused: each of its connects takes its own patience back."""
    async with proxy(streams_max=0) as it, tab(tmp_path) as page:
        asked: list[str] = []
        page.page.on("request", lambda request: asked.append(f"{request.method} {request.url.removeprefix(it.url)}"))
        assert await page.begin(it.url, U1) is None
        assert leased(await page.ask()) == PUSH
        await page.page.evaluate("span_ms => window.watch(span_ms)", 3500)
        assert [each for each in asked if not each.startswith("OPTIONS")] == ["POST /ofrep/v1/evaluate/flags"]


async def test_a_signal_makes_the_web_provider_ask_whatever_retry_after_said(tmp_path: Path) -> None:
    """Only polling and a new context respect it: so a sidecar that is short of time must not rely on it."""
    narrow = {name: msgspec.structs.replace(limit, per_s=2) for name, limit in LIMITS.items() if "evaluate" in name}
    async with proxy(lease_ms=1200, limits={**LIMITS, **narrow}) as it, tab(tmp_path) as page:
        asked: list[tuple[int, float]] = []

        def note(answer: Response) -> None:
            if answer.request.method == "POST":
                asked.append((answer.status, time.monotonic()))

        page.page.on("response", note)
        beating = asyncio.create_task(beat(it))
        assert await page.begin(it.url, U1) is None

        async def is_back_too_early() -> bool:
            pairs = itertools.pairwise(asked)
            return any(before == 429 and after_s - at_s < 0.8 for (before, at_s), (_, after_s) in pairs)

        await until(is_back_too_early, "it asks again within the second that it was asked to wait")
        got = await page.ask()
        assert mode(got) == PUSH, "it keeps what it held"
        beating.cancel()


async def beat(it: Proxy) -> None:
    """Keep the lease running."""
    while True:
        it.beat()
        await asyncio.sleep(0.1)


async def test_reacts_dashboard_is_drawn_anew_with_every_change(tmp_path: Path) -> None:
    """A hook follows a climb, a renewal and a fall; and after a death it shows push, as the provider does."""
    async with world(tmp_path) as it, tab(tmp_path) as page:
        assert await page.begin(it.sidecar.public, CHECKED) is None
        await page.page.evaluate("() => window.render()")
        shown = page.page.locator("#mode")
        await shown.filter(has_text=TIMERS).wait_for()
        await it.climb()
        await shown.filter(has_text=PUSH).wait_for()
        assert await shown.get_attribute("data-plain") == PUSH
        issued = await shown.get_attribute("data-issued")
        await page.page.wait_for_function(
            "issued => document.querySelector('#mode').dataset.issued > issued", arg=issued
        )
        it.sidecar.kill()
        await page.until(lambda got: leased(got) == TIMERS, "its lease has run out")
        assert await shown.inner_text() == PUSH
        it.sidecar.start()
        await it.sidecar.ready(it.session)
        await it.roll_back()
        await shown.filter(has_text=TIMERS).wait_for()
