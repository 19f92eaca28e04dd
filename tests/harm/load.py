"""Signed webhooks and acks from several connections, and counts of the answers."""

import asyncio
import random
from contextlib import suppress

import aiohttp
import msgspec

from tests.e2e.processes import SidecarProcess, until
from tests.shells.running import event, sign

_CONNECTIONS = 8
_TIMEOUT = aiohttp.ClientTimeout(total=60)


class Load:
    """Deliver like Stripe: again without a 2xx, and some events twice."""

    def __init__(self, seed: int, *, address: str = "127.0.0.1") -> None:
        self.kept: set[str] = set()
        """Payments whose webhook got a 2xx."""
        self.acked: set[str] = set()
        self.sent = 0
        self.statuses: set[int] = set()
        self._random, self._address = random.Random(seed), address
        self._unanswered: list[str] = []
        self._count = 0

    async def run(self, sidecar: SidecarProcess) -> None:
        """Send until cancelled; connections that break are made again."""
        connector = aiohttp.TCPConnector(local_addr=(self._address, 0))
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(_CONNECTIONS):
                group.create_task(self._send(sidecar, session))

    def _next(self) -> str:
        if self._unanswered and self._random.random() < 0.5:
            return self._unanswered.pop()
        if self.kept and self._random.random() < 0.1:
            return self._random.choice(sorted(self.kept)[-50:])
        self._count += 1
        return f"pi_{self._count}"

    async def _send(self, sidecar: SidecarProcess, session: aiohttp.ClientSession) -> None:
        while True:
            name = self._next()
            try:
                await self._pay(sidecar, session, name)
                if name in self.kept and self._random.random() < 0.8:
                    status = await sidecar.ack(session, stage="delivered", payment_intent=name)
                    if status == 200:
                        self.acked.add(name)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.01)

    async def _pay(self, sidecar: SidecarProcess, session: aiohttp.ClientSession, name: str) -> None:
        event_id = f"evt_{name}_{self._random.randint(0, 1)}"
        body = msgspec.json.encode(event(name, livemode=False) | {"id": event_id})
        self.sent += 1
        self._unanswered.append(name)
        url = f"{sidecar.public}/stripe/webhook"
        async with session.post(url, data=body, headers={"Stripe-Signature": sign(body)}) as response:
            self.statuses.add(response.status)
            await response.read()
            if response.status == 200:
                self.kept.add(name)
        if name in self.kept:
            with suppress(ValueError):
                self._unanswered.remove(name)


async def under_load(load: Load, sidecar: SidecarProcess, seconds: float, *, kept: int = 0) -> asyncio.Task[None]:
    """Run the load for a time, and until it has had so many payments kept; return it, still running."""
    task = asyncio.create_task(load.run(sidecar))
    await asyncio.sleep(seconds)

    async def is_kept() -> bool:
        return len(load.kept) >= kept

    await until(is_kept, f"{kept} payments are kept")
    return task


async def ended(task: asyncio.Task[None]) -> None:
    """End the load."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
