"""What a route takes at once and per second, and what is shed first when the event loop is short of time."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from sidecar.config import Address
from sidecar.core.fold.state import State
from sidecar.http.health import Health
from sidecar.http.lag import Lag
from sidecar.http.rate_limits import INSIDE, LIMITS, Limit, RateLimiter, Refusal
from sidecar.http.server import Listener
from sidecar.journal.sqlite.journal import WAITING_MAX
from tests.e2e.processes import until
from tests.hands import hands
from tests.shells.running import running
from tests.shells.test_proxy import say


def test_a_route_takes_its_rate_with_a_second_of_patience_and_fills_up_again() -> None:
    """A burst of one second's worth, then one for each tenth of a second at ten per second."""
    now_s = [100.0]
    rate_limiter = RateLimiter(Limit(in_flight_max=99, per_s=10), lambda: 0.0, lambda: now_s[0])
    assert [rate_limiter.enter() for _ in range(11)] == [None] * 10 + [Refusal.RATE]
    now_s[0] += 0.0999
    assert rate_limiter.enter() is Refusal.RATE
    now_s[0] += 0.0002
    assert [rate_limiter.enter(), rate_limiter.enter()] == [None, Refusal.RATE]
    now_s[0] += 3600
    assert [rate_limiter.enter() for _ in range(11)] == [None] * 10 + [Refusal.RATE], "no more than a second's worth"
    assert rate_limiter.refused == {Refusal.RATE: 4, Refusal.IN_FLIGHT: 0, Refusal.LAG: 0}


def test_a_route_takes_so_many_at_once_and_frees_a_permit_when_one_leaves() -> None:
    """A request whose body is still coming counts."""
    rate_limiter = RateLimiter(Limit(in_flight_max=2, per_s=1000), lambda: 0.0)
    assert [rate_limiter.enter() for _ in range(3)] == [None, None, Refusal.IN_FLIGHT]
    rate_limiter.leave()
    assert [rate_limiter.enter(), rate_limiter.enter()] == [None, Refusal.IN_FLIGHT]


GIVING_WAY = [
    # lag     flag           acks           webhooks
    (0.000,   None,          None,          None),
    (0.199,   None,          None,          None),
    (0.200,   Refusal.LAG,   None,          None),
    (0.499,   Refusal.LAG,   None,          None),
    (0.500,   Refusal.LAG,   Refusal.LAG,   None),
    (60.00,   Refusal.LAG,   Refusal.LAG,   None),
]  # fmt: skip


@pytest.mark.parametrize(("lag_s", "flag", "acks", "webhooks"), GIVING_WAY)
def test_reads_are_shed_before_acks_and_webhooks_never(
    lag_s: float, flag: Refusal | None, acks: Refusal | None, webhooks: Refusal | None
) -> None:
    """Who gets no flag follows the timers; a lost ack counts against push; a lost webhook is lost."""
    entered = [
        RateLimiter(LIMITS[path], lambda: lag_s).enter() for path in ("/flags/{key}", "/acks", "/stripe/webhook")
    ]
    assert entered == [flag, acks, webhooks]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_flood_of_health_checks_refuses_none_and_no_lag_sheds_one(path: str) -> None:
    """Anybody reaches them: with a limit, two connections would take the load balancer's own checks."""
    rate_limiter = RateLimiter(LIMITS[path], lambda: 3600.0, lambda: 100.0)
    assert {rate_limiter.enter("10.0.0.1") for _ in range(20_000)} == {None}
    assert rate_limiter.enter("10.0.0.2") is None


def test_no_flood_of_webhooks_and_acks_can_refuse_a_decision() -> None:
    """What they have in flight together leaves most of the space before the journal's disk."""
    assert LIMITS["/stripe/webhook"].in_flight_max + LIMITS["/acks"].in_flight_max < WAITING_MAX / 2


def test_one_pause_is_no_overload_and_five_in_a_row_are() -> None:
    """The lag is the least of the last five looks."""
    lag = Lag()
    lag.look(3.0)
    assert lag.seconds() == 0.0
    for late_s in (0.3, 0.4, 0.5, 0.6):
        lag.look(late_s)
    assert lag.seconds() == 0.3
    lag.look(0.0)
    assert lag.seconds() == 0.0


async def test_a_refused_request_gets_a_retry_after_and_other_routes_go_on() -> None:
    """429 for the rate and 503 for the rest, with a message, without reading the body; another path has its own quota."""

    async def slow(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def quick(_: web.Request) -> web.Response:
        return web.Response(text="here")

    listener = Listener(
        "public", Address(host="127.0.0.1", port=0), [web.post("/slow", slow), web.get("/quick", quick)]
    )
    url = listener.bind()
    await listener.start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        waiting = [asyncio.ensure_future(session.post(f"{url}/slow")) for _ in range(INSIDE.in_flight_max)]

        async def is_full() -> bool:
            return listener.in_flight("/slow") == INSIDE.in_flight_max

        await until(is_full, "all are in")
        async with session.post(f"{url}/slow", data=b"x" * 100) as response:
            answer = await response.json()
            assert (response.status, answer["code"]) == (503, "overloaded")
            assert (response.headers["Retry-After"], response.headers["Server"]) == ("5", "reverb-sidecar")
        statuses = []
        with hands():  # no time passes, in which there would be quota again
            for _ in range(INSIDE.per_s + 20):
                async with session.get(f"{url}/quick") as response:
                    statuses.append(response.status)
                    if response.status == 429:
                        assert (await response.json())["code"] == "rate_exceeded"
                        assert response.headers["Retry-After"] == "1"
        assert statuses == [200] * INSIDE.per_s + [429] * 20
        for each in waiting:
            each.cancel()
    refused = listener.refused_requests()
    assert refused["public", "/slow", Refusal.IN_FLIGHT] == 1
    assert refused["public", "/quick", Refusal.RATE] == 20
    await listener.stop()


async def test_every_route_of_the_public_has_a_limit_of_its_own() -> None:
    """A path that is missing from the table would share nothing, but be held as narrow as the operators' paths."""
    async with running() as sidecar:
        for path in ("/stripe/webhook", "/acks", "/flags/payment-refresh"):
            async with sidecar.session.delete(sidecar.urls.public + path) as response:
                answer = await response.json()
                assert (response.status, answer["code"]) == (405, "method_not_allowed")
                assert response.headers["Allow"]
        async with sidecar.session.get(sidecar.urls.public + "/flags/none") as response:
            assert response.status == 404
            assert response.headers["Access-Control-Allow-Origin"] == "*", "a script may read that it is unknown"
        async with sidecar.session.get(sidecar.urls.public + "/nowhere") as response:
            assert (response.status, (await response.json())["code"]) == (404, "not_found")


async def health_listener(head_within_s: float) -> tuple[Listener, str]:
    """Return a listener that has little patience, and its URL."""
    health = Health(State(), "", lambda: 0.0)
    address = Address(host="127.0.0.1", port=0)
    listener = Listener("public", address, health.routes(), head_within_s=head_within_s)
    url = listener.bind()
    await listener.start()
    return listener, url


@pytest.mark.both_loops
@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: "], ids=["silence", "half a head"])
async def test_a_head_that_does_not_end_is_not_waited_for(head: bytes) -> None:
    """A connection costs a descriptor: who begins and does not end must not keep it."""
    listener, url = await health_listener(0.3)
    assert await say(url, head) == b""
    await listener.stop()


@pytest.mark.both_loops
async def test_a_head_that_comes_in_pieces_in_time_is_served() -> None:
    """And a connection that was served may rest for longer than a head may take."""
    listener, url = await health_listener(0.4)
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for _ in range(2):
        for piece in (b"GET /healthz HT", b"TP/1.1\r\nHost: x\r\n", b"\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.05)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await reader.readexactly(len(b'{"ok": true}'))
        await asyncio.sleep(0.6)
    writer.close()
    await listener.stop()


@pytest.mark.both_loops
async def test_a_body_that_arrives_late_does_not_count_as_a_head() -> None:
    """The timeout of a head ends with the head: a body has a timeout of its own."""

    async def slow(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    listener = Listener("public", Address(host="127.0.0.1", port=0), [web.post("/slow", slow)], head_within_s=0.2)
    host, _, port = listener.bind().removeprefix("http://").partition(":")
    await listener.start()
    reader, writer = await asyncio.open_connection(host, int(port))
    for _ in range(2):
        writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        for piece in (b"a", b"b", b"c", b"d"):
            await asyncio.sleep(0.1)
            writer.write(piece)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(4) == b"abcd"
    writer.close()
    await listener.stop()
