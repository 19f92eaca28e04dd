"""All attacks against one real process while genuine webhooks flow. `make attack` is the long run.

It ends with a table: what was tried how often, and how many genuine webhooks were answered meanwhile. It fails if one
that was answered is lost, if a forgery was taken, if an answer names a library or repeats the request, or if the process ended.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import msgspec

from sidecar.composition.parts import kinds_of
from sidecar.core.facts.observations import BrowserReported
from sidecar.core.facts.operator_actions import OperatorAction
from sidecar.journal.sqlite.verification import opened_to_read
from sidecar.parts.routes import OPERATOR, declared_routes
from tests.e2e.processes import ACK_TOKEN, OPERATOR_TOKEN, SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.harm.accounting import assert_sound
from tests.harm.load import Load, ended, under_load
from tests.harm.test_connections import flood
from tests.shells.browser_reports import REPORT, SECRET, token
from tests.shells.running import event, sign
from tests.shells.test_bad_input import WIRE
from tests.shells.test_banner import REQUESTS
from tests.waiting import HANGS_AFTER_S

_STRIPE, _ATTACKER = "127.0.0.2", "127.0.0.3"
_NEVER = (b"aiohttp", b"Python/", b"uvloop", b"S3CR3T", b"SECRETX")
"""What no answer contains: names of libraries, and what was sent."""
_ACTIONS = sorted(
    route.path
    for kind in kinds_of()
    for _, route in declared_routes(kind)
    if (route.method, route.on) == ("POST", (OPERATOR,))
)
"""Every path that acts, so that a new one is attacked too."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    inputs: int
    faults: int
    """Crashes that the process came back from."""
    genuine: int
    """Webhooks of Stripe that were answered 200 meanwhile."""


class Attack:
    """One process, the genuine load on it, and the attacker."""

    def __init__(self, folder: Path, times: int) -> None:
        self.times = times
        """How often each input is tried."""
        self.load = Load(11, address=_STRIPE)
        self.sidecar = SidecarProcess(folder, LAX)
        self.sidecar.environment = {**os.environ, "SIDECAR_BROWSER_SECRET": SECRET}

    async def ask(self, port: int, data: bytes, *, is_refused: bool = True) -> bytes:
        """Send bytes and return the answer, whose status must be a refusal; nothing: the connection was closed."""
        answer = b""
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_ATTACKER, 0))
            with suppress(OSError):
                writer.write(data)
                async with asyncio.timeout(HANGS_AFTER_S):
                    answer = await reader.read()
            writer.close()
        assert not any(each in answer for each in _NEVER), (data[:200], answer[:500])
        if is_refused and answer:
            assert answer[9:10] in {b"4", b"5"}, (data[:200], answer[:500])
        return answer

    async def malformed(self) -> int:
        """Send what nobody should send to both listeners."""
        wire = [(make(), True) for _, make, _, _ in WIRE]
        for _ in range(self.times):
            for request, is_refused in wire:
                await self.ask(self.sidecar.public_port, request, is_refused=is_refused)
            for request, status in REQUESTS.values():
                for port in (self.sidecar.public_port, self.sidecar.operator_port):
                    await self.ask(port, request, is_refused=status != 200)
        return self.times * (len(wire) + 2 * len(REQUESTS))

    async def forged_webhooks(self) -> int:
        """Deliver events that Stripe did not sign, stale ones, and one with hundreds of signatures."""
        body = msgspec.json.encode(event("pi_forged", livemode=False))
        wrong = (sign(body, secret="whsec_of_somebody_else_0123456789"), sign(body, age_s=4000), sign(body + b" "))
        headers = (*wrong, sign(body) + ",v1=00" * 700, f"t={int(time.time())},v1={'0' * 64}")
        requests = [_request("POST /stripe/webhook", body, Stripe_Signature=header) for header in headers]
        return await self._refused(requests)

    async def forged_acks_and_reports(self) -> int:
        """Ack without the token, and report with tokens that the app did not sign for this service."""
        ack = {"stage": "delivered", "payment_intent": "pi_forged"}
        bodies = [{"token": each, **REPORT} for each in _forged_tokens()]
        requests = [
            _request("POST /acks", ack),
            _request("POST /acks", ack, Authorization=f"Bearer {ACK_TOKEN[:-1]}x"),
            *(_request("POST /acks", body, Content_Type="text/plain") for body in bodies),
        ]
        return await self._refused(requests)

    async def acts(self) -> int:
        """Act as an operator without a token, with the backend's, and from a page of another origin."""
        means: tuple[dict[str, str], ...] = (
            {},
            {"Authorization": f"Bearer {ACK_TOKEN}"},
            {"Origin": "http://evil.example"},
            {"Host": "evil.example"},
        )
        requests = [
            _request(f"POST {action}", {"reason": "an attack"}, **headers) for action in _ACTIONS for headers in means
        ]
        return await self._refused(requests, self.sidecar.operator_port)

    async def silent_connections(self) -> int:
        """Open connections and send nothing."""
        count = 300 * self.times
        await asyncio.to_thread(asyncio.run, flood(self.sidecar.public_port, count))
        return count

    async def slow_bodies(self) -> int:
        """Begin requests and never end them."""
        count = 20 * self.times
        held = []
        for _ in range(count):
            with suppress(OSError):
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", self.sidecar.public_port, local_addr=(_ATTACKER, 0)
                )
                writer.write(b"POST /stripe/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{")
                held.append(writer)
        await self.ask(self.sidecar.operator_port, _request("GET /healthz"), is_refused=False)
        for writer in held:
            writer.close()
        return count

    async def floods(self) -> int:
        """Read, scrape and ask for gates and reports without end."""
        operator = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        public = _request("GET /flags/payment-refresh?targeting_key=7")
        inside = [
            _request(f"GET {path}", **operator) for path in ("/metrics", "/api/gate", "/api/report", "/api/status")
        ]
        count = 10 * self.times
        for _ in range(count):
            reads = [self.ask(self.sidecar.operator_port, each, is_refused=False) for each in inside]
            await asyncio.gather(
                *reads, *(self.ask(self.sidecar.public_port, public, is_refused=False) for _ in range(16))
            )
        return count * (len(inside) + 16)

    async def killed(self) -> int:
        """`kill -9` under load, and start again."""
        rounds = max(1, self.times // 2)
        for _ in range(rounds):
            self.sidecar.kill()
            self.sidecar.start()
            await until(self._answers, "it answers")
        return rounds

    async def _answers(self) -> bool:
        return (await self.ask(self.sidecar.operator_port, _request("GET /healthz"), is_refused=False))[9:12] == b"200"

    async def _refused(self, requests: list[bytes], port: int | None = None) -> int:
        for _ in range(self.times):
            for request in requests:
                await self.ask(self.sidecar.public_port if port is None else port, request)
        return self.times * len(requests)

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Run the process with genuine webhooks; at the end all that was answered must be in the journal."""
        with self.sidecar:
            async with aiohttp.ClientSession() as session:
                await self.sidecar.ready(session)
                task = await under_load(self.load, self.sidecar, 0, kept=10)
                yield
                await ended(task)
                await self.sidecar.ready(session)
                async with session.get(f"{self.sidecar.operator}/api/status") as response:
                    status = await response.json()
            assert self.sidecar.stop() == 0
        assert (status["holds"], status["freezes"], status["rung"] is not None) == ([], [], True), "nobody acted"
        assert self.load.statuses <= {200, 503}
        assert self.sidecar.lines("task.failed") == []
        assert_sound(self.sidecar.journal, self.load)
        with opened_to_read(self.sidecar.journal) as (_, reader):
            facts = [record.observation for record in reader.read(0, 1_000_000)]
        assert not [fact for fact in facts if isinstance(fact, BrowserReported | OperatorAction)], "a forgery was taken"
        assert "pi_forged" not in {getattr(fact, "payment_intent", "") for fact in facts}


def _forged_tokens() -> list[str]:
    """Return tokens that the app did not sign, or not for this service, environment or time."""
    return [
        "",
        "a.b.c",
        token(secret="another-secret-for-browsers-0123456789"),
        token(aud="another"),
        token(env="elsewhere"),
        token(lasts_s=-60),
        token(lasts_s=36_000),
        token()[:-4] + "AAAA",
    ]


def _request(line: str, body: object = b"", **headers: str) -> bytes:
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(encoded)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{line} HTTP/1.1\r\n{head}\r\n".encode() + encoded


KINDS: dict[str, Callable[[Attack], Awaitable[int]]] = {
    "malformed requests, both listeners": Attack.malformed,
    "forged, stale and overlong webhooks": Attack.forged_webhooks,
    "acks and reports without a right token": Attack.forged_acks_and_reports,
    "operator actions without a right token": Attack.acts,
    "silent connections": Attack.silent_connections,
    "bodies that never end": Attack.slow_bodies,
    "floods of reads and scrapes": Attack.floods,
    "kill -9": Attack.killed,
}


async def run(folder: Path, *, times: int) -> list[Tried]:
    """Run every kind; return the rows of the table. Raises `AssertionError` if anything was lost, taken or shown."""
    attack, rows = Attack(folder, times), list[Tried]()
    async with attack.under_load():
        for name, kind in KINDS.items():
            before, goal = len(attack.load.kept), len(attack.load.kept) + 5
            inputs = await kind(attack)

            async def goes_on(goal: int = goal) -> bool:
                return len(attack.load.kept) >= goal

            await until(goes_on, f"genuine webhooks after: {name}")
            faults = inputs if name == "kill -9" else 0
            rows.append(Tried(name=name, inputs=inputs, faults=faults, genuine=len(attack.load.kept) - before))
    return rows


def table(rows: list[Tried]) -> str:
    """Return the rows as Markdown, with their sums."""
    total = Tried(
        name="all",
        inputs=sum(each.inputs for each in rows),
        faults=sum(each.faults for each in rows),
        genuine=sum(each.genuine for each in rows),
    )
    lines = ["| attack | inputs | crashes survived | genuine webhooks meanwhile | lost |", "|---|---|---|---|---|"]
    lines += [f"| {each.name} | {each.inputs} | {each.faults} | {each.genuine} | 0 |" for each in (*rows, total)]
    return "\n".join(lines)


def main() -> None:
    """Run the attacks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=40, help="how often each input is tried")
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(run(Path(folder), times=times))
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
