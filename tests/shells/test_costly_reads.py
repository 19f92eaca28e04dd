"""Scrapes and operators' reads that cost much: shared, one at a time, and first to be shed."""

import asyncio
import gzip
import itertools

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client.core import GaugeMetricFamily

from sidecar.config import Address, Console, OperatorToken, Reading, Role
from sidecar.http.rate_limits import LIMITS, Refusal
from sidecar.http.server import Listener
from sidecar.metrics.scrape import Scrape
from tests.e2e.processes import READ_TOKEN
from tests.hands import hands
from tests.shells.running import CONFIG, SECRETS, running

SCRAPE_TOKEN = "scrape-token-for-the-tests-01234"
ACCEPTED = [
    # what is accepted                     compressed
    ("",                                   False),
    ("gzip",                               True),
    ("deflate, GZIP;q=0.5",                True),
    ("gzip; q=1.000",                      True),
    ("gzip;q=0",                           False),
    ("gzip; q=0.000, identity",            False),
    ("notgzip",                            False),
    ("x-gzip-y, br",                       False),
]  # fmt: skip


async def test_a_scrape_is_made_once_and_shared_for_a_second() -> None:
    """A flood of scrapes costs one per second and format, and each answer is at most a second old."""
    made = 0

    def collect() -> list[GaugeMetricFamily]:
        nonlocal made
        made += 1
        return [GaugeMetricFamily("made", "Scrapes that were made.", made)]

    scrape = Scrape(collect, fresh_s=1.0)
    plain = make_mocked_request("GET", "/metrics")
    compressed = make_mocked_request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
    with hands() as clock:
        bodies = {(await scrape.scrape(plain)).body for _ in range(50)}
        zipped = {(await scrape.scrape(compressed)).body for _ in range(50)}
        assert (made, len(bodies), len(zipped)) == (1, 1, 1)
        (body,), (packed,) = bodies, zipped
        assert isinstance(packed, bytes)
        assert gzip.decompress(packed) == body
        clock.monotonic += 0.999
        await scrape.scrape(plain)
        assert made == 1
        clock.monotonic += 0.001
        assert b"made 2" in bytes((await scrape.scrape(plain)).body or b"")  # type: ignore[arg-type]


@pytest.mark.parametrize(("accepted", "is_compressed"), ACCEPTED)
async def test_a_scrape_is_compressed_only_where_that_is_accepted(accepted: str, *, is_compressed: bool) -> None:
    """A weight of 0 refuses, and a coding is compared as a whole; a cache must not mix the two up."""
    response = await Scrape(list).scrape(make_mocked_request("GET", "/metrics", headers={"Accept-Encoding": accepted}))
    assert (response.headers.get("Content-Encoding") == "gzip") is is_compressed
    assert "Accept-Encoding" in response.headers["Vary"]


async def test_costly_reads_run_one_at_a_time_and_leave_time_between_them() -> None:
    """Whatever asks for reports, webhooks are served in between."""
    running_now = most = 0
    ends: list[float] = []

    async def slow(_: web.Request) -> web.Response:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await asyncio.sleep(0.02)
        running_now -= 1
        ends.append(asyncio.get_running_loop().time())
        return web.Response()

    listener = Listener("operator", Address(host="127.0.0.1", port=0), [web.get("/api/report", slow)])
    url = listener.bind()
    await listener.start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(session.get(f"{url}/api/report") for _ in range(5)))
        assert [each.status for each in answers] == [200] * 5
    await listener.stop()
    assert most == 1
    assert all(later - earlier >= 0.08 for earlier, later in itertools.pairwise(ends)), "a fifth of the time"


async def test_costly_reads_are_shed_before_acks_and_webhooks() -> None:
    """An operator can ask again; the status and the health checks are never shed."""

    async def quick(_: web.Request) -> web.Response:
        return web.Response()

    paths = ("/api/report", "/api/gate", "/api/status", "/healthz")
    routes = [web.get(path, quick) for path in paths]
    listener = Listener("operator", Address(host="127.0.0.1", port=0), routes, lag_s=lambda: 0.6)
    url = listener.bind()
    await listener.start()
    async with aiohttp.ClientSession() as session:
        statuses = []
        for path in paths:
            async with session.get(url + path) as response:
                statuses.append(response.status)
    await listener.stop()
    assert statuses == [503, 503, 200, 200]
    assert listener.refused_requests()["operator", "/api/report", Refusal.LAG] == 1


async def test_every_costly_path_is_one_of_the_operators() -> None:
    """A path that is renamed must not lose its limit."""
    async with running() as sidecar:
        for path in (path for path, limit in LIMITS.items() if limit.is_costly):
            real = path.replace("{seq}", "1").replace("{payment_intent}", "pi_1")
            async with sidecar.session.get(sidecar.urls.operator + real) as response:
                answer = await response.text()
                assert "there is nothing at this path" not in answer, path


async def test_metrics_need_a_token_where_reading_does() -> None:
    """Prometheus has a token of its own, with which nothing else can be read."""
    tokens = (*SECRETS.operator_tokens, OperatorToken(name="prometheus", role=Role.SCRAPE, token=SCRAPE_TOKEN))
    config = msgspec.structs.replace(CONFIG, console=Console(reading=Reading.TOKEN))
    async with running(config, msgspec.structs.replace(SECRETS, operator_tokens=tokens)) as sidecar:
        for path, token, status in (
            ("/metrics", "", 401),
            ("/metrics", "x" * 40, 401),
            ("/metrics", SCRAPE_TOKEN, 200),
            ("/metrics", READ_TOKEN, 200),
            ("/api/status", SCRAPE_TOKEN, 403),
            ("/", SCRAPE_TOKEN, 403),
            ("/api/status", READ_TOKEN, 200),
            ("/healthz", "", 200),
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with sidecar.session.get(sidecar.urls.operator + path, headers=headers) as response:
                assert response.status == status, (path, token)
