"""Thousands of silent connections to a process with few file descriptors: what must go on does."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.e2e.processes import OPERATOR_TOKEN, SidecarProcess
from tests.e2e.test_main_job import LAX
from tests.harm.test_disk import pay

DESCRIPTORS = 400
"""Of the process; 144 of them are for connections to the public listener."""
_OPEN_MAX = 600
"""Connections that the attacker holds at once."""


async def flood(port: int, count: int) -> int:
    """Open so many silent connections, and hold as many as possible; return how many were refused at once or later."""
    loop, held, refused = asyncio.get_running_loop(), list[socket.socket](), 0
    for _ in range(count):
        client = socket.socket()
        client.setblocking(False)
        try:
            await loop.sock_connect(client, ("127.0.0.1", port))
        except OSError:
            refused += 1
            client.close()
            continue
        held.append(client)
        if len(held) >= _OPEN_MAX:
            held, closed = _without_closed(held)
            refused += closed
            for each in held[: len(held) - _OPEN_MAX // 2]:
                each.close()
            held = held[-_OPEN_MAX // 2 :]
    held, closed = _without_closed(held)
    for each in held:
        each.close()
    return refused + closed


def _without_closed(held: list[socket.socket]) -> tuple[list[socket.socket], int]:
    """Return the connections that are still open, and how many the other side has closed."""
    still = []
    for each in held:
        try:
            is_open = each.recv(1) != b""
        except BlockingIOError:
            is_open = True
        except OSError:
            is_open = False
        if is_open:
            still.append(each)
        else:
            each.close()
    return still, len(held) - len(still)


def _descriptors(pid: int) -> int:
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


@contextlib.asynccontextmanager
async def elsewhere() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client with another address than the attacker's."""
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0), force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def withstands(folder: Path, connections: int) -> tuple[int, int]:
    """Flood a process, and check what goes on meanwhile; return how many it refused, and how many checks there were."""
    sidecar, checks = SidecarProcess(folder, LAX), 0
    sidecar.prefix = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")
    async with elsewhere() as session:
        with sidecar:
            await sidecar.ready(session)
            attack = asyncio.create_task(asyncio.to_thread(asyncio.run, flood(sidecar.public_port, connections)))
            while not attack.done() or not checks:
                assert (await pay(sidecar, session, f"pi_{checks}"))[0] == 200, "another address is served"
                for url in (f"{sidecar.operator}/healthz", f"{sidecar.operator}/readyz", f"{sidecar.operator}/metrics"):
                    async with session.get(url) as response:
                        assert response.status == 200, url
                headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
                if checks < 10:
                    url = f"{sidecar.operator}/api/hold"
                    async with session.post(url, json={"reason": "under attack"}, headers=headers) as held:
                        assert held.status == 200, await held.text()
                assert sidecar.process is not None
                assert _descriptors(sidecar.process.pid) < DESCRIPTORS - 20
                checks += 1
                await asyncio.sleep(0.1)  # a Prometheus, too, scrapes less often than its rate allows
            refused = await attack
            async with session.get(f"{sidecar.operator}/metrics") as response:
                assert 'refused_connections_total{listener="public"} 0\n' not in await response.text()
            assert sidecar.stop() == 0
    assert sidecar.lines("task.failed") == []
    return refused, checks


async def test_silent_connections_take_nothing_from_operators_the_journal_and_other_addresses(tmp_path: Path) -> None:
    """The limit closes what is above it, on the production's loop, and one address has only its share."""
    refused, checks = await withstands(tmp_path, 3000)
    assert refused > 0, "how many depends on how fast they are accepted"
    assert checks > 0
