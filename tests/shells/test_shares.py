"""What one address may hold: some of the streams, and some of the connections (`tests/harm/test_connections.py`)."""

from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.e2e.processes import until
from tests.shells.flag_proxy import SIGNALS, STREAM, proxy

KEY = "?targeting_key=u1"


@pytest.mark.parametrize("path", [STREAM, SIGNALS])
async def test_one_address_gets_only_its_share_of_the_streams(path: str) -> None:
    """Behind a proxy the address is the one that the proxy names."""
    async with proxy(address_max=2, proxies=1) as it, AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            headers = {"X-Forwarded-For": address}
            response = await stack.enter_async_context(session.get(it.url + path + KEY, headers=headers))
            assert response.status == 200
        async with session.get(it.url + path + KEY, headers={"X-Forwarded-For": "192.0.2.1"}) as refused:
            assert (refused.status, (await refused.json())["code"]) == (503, "overloaded")
            assert refused.headers["Access-Control-Allow-Origin"] == "*"
        assert it.streams.refused["address_full"] == 1
        await stack.aclose()

        async def has_a_permit() -> bool:
            async with session.get(it.url + path + KEY, headers={"X-Forwarded-For": "192.0.2.1"}) as response:
                return response.status == 200

        await until(has_a_permit, "who left gives the permit back")
