"""No address takes a route from the others: neither with bodies that never end, nor with its rate."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from sidecar.composition import PARTS
from sidecar.config import Address
from sidecar.http.body import read_body
from sidecar.http.rate_limits import INSIDE, LIMITS, Limit, RateLimiter, Refusal
from sidecar.http.server import Listener
from sidecar.parts.routes import PUBLIC, declared_routes, path_name
from tests.e2e.processes import until

_ROUTE = "/bodies"


def test_an_address_has_its_share_of_the_permits_and_no_more() -> None:
    """The others have what remains, and a permit that was given back counts."""
    rate_limiter = RateLimiter(Limit(in_flight_max=8, per_s=1000, address_share=4), lambda: 0.0)
    assert [rate_limiter.enter("a") for _ in range(3)] == [None, None, Refusal.IN_FLIGHT]
    assert [rate_limiter.enter("b") for _ in range(3)] == [None, None, Refusal.IN_FLIGHT]
    rate_limiter.leave("a")
    assert [rate_limiter.enter("a"), rate_limiter.enter("a")] == [None, Refusal.IN_FLIGHT]
    assert rate_limiter.in_flight == 4
    assert rate_limiter.refused[Refusal.IN_FLIGHT] == 3


def test_a_flood_of_scrapes_keeps_out_no_scrape_of_another_address() -> None:
    """A Prometheus that gets 429 raises the alert that the sidecar is down."""
    limit = LIMITS["/metrics"]
    rate_limiter = RateLimiter(limit, lambda: 0.0, lambda: 100.0)
    for _ in range(limit.per_s):
        assert rate_limiter.enter("10.0.0.1") is None
        rate_limiter.leave("10.0.0.1")
    assert rate_limiter.enter("10.0.0.1") is Refusal.RATE
    assert rate_limiter.enter("10.0.0.2") is None
    assert rate_limiter.refused_after_s > 0, "a client that sends again at once would take the loop with refusals"


def test_every_public_route_that_reads_a_body_of_anybody_has_shares() -> None:
    """`POST /acks` has other measures: the backend's token is checked first, and reports have permits of their own."""
    bodies = {
        path_name(route.path)
        for row in PARTS
        for _, route in declared_routes(row.kind)
        if PUBLIC in route.on and route.method == "POST"
    }
    assert bodies > {"/stripe/webhook", "/acks"}
    assert {path for path in bodies if LIMITS.get(path, INSIDE).address_share is None} == {"/acks"}


@pytest.mark.both_loops
async def test_bodies_that_never_end_of_one_address_keep_out_no_other() -> None:
    """Behind a proxy the address is the one that the proxy names."""

    async def receive(request: web.Request) -> web.Response:
        return web.Response(body=await read_body(request, bytes_max=99, within_s=600))

    listener = Listener(
        PUBLIC,
        Address(host="127.0.0.1", port=0),
        [web.post(_ROUTE, receive)],
        proxies=1,
        limits={_ROUTE: Limit(in_flight_max=12, per_s=1000, address_share=4)},
    )
    url = listener.bind()
    await listener.start()
    host, _, port = url.removeprefix("http://").partition(":")
    writers = []
    for _ in range(12):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /bodies HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 9\r\n\r\n{")
        writers.append(writer)

    async def are_in() -> bool:
        return listener.refused_requests()[PUBLIC, _ROUTE, Refusal.IN_FLIGHT] == 12 - 3

    await until(are_in, "three were admitted, and the others refused")
    async with aiohttp.ClientSession() as session:
        for address, status in (("192.0.2.1", 503), ("192.0.2.2", 200), ("192.0.2.2", 200)):
            async with session.post(url + _ROUTE, data=b"x", headers={"X-Forwarded-For": address}) as response:
                assert response.status == status, address
    for writer in writers:
        writer.close()
    await listener.stop()
