"""Do ids that nobody saw before use up memory or make series? `python -m tests.harm.unique_ids`: a million per endpoint.

Every request has ids of its own: payments, users, keys, addresses, paths, tokens. The real process answers them on its
own loop and journal. What is kept per id must end: by time, by number, or in the journal's file alone.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import aiohttp
import msgspec

from tests.e2e.processes import ACK_TOKEN, SidecarProcess
from tests.e2e.test_main_job import LAX
from tests.shells.browser_reports import REPORT, SECRET, token
from tests.shells.running import event, sign

COUNT = 1_000_000
_CONNECTIONS = 16
GROWTH_MAX_MB = 64.0
"""What one endpoint may add in the second half of a million requests: the tables of the state, of at most 100 000 entries,
are full by then."""

Request = Callable[[int], bytes]


def _request(line: str, body: object = b"", **headers: str) -> bytes:
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = {"Host": "localhost", "Content-Length": str(len(encoded)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{line} HTTP/1.1\r\n{head}\r\n".encode() + encoded


def _address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _webhook(number: int) -> bytes:
    body = msgspec.json.encode(
        event(f"pi_{number}", livemode=False, metadata={"user_id": f"u{number}", "booking_id": "1"})
    )
    return _request("POST /stripe/webhook", body, Stripe_Signature=sign(body), X_Forwarded_For=_address(number))


def _forged(number: int) -> bytes:
    signature = f"t={int(time.time())},v1={number:064x}"
    return _request("POST /stripe/webhook", b"{}", Stripe_Signature=signature, X_Forwarded_For=_address(number))


def _backend(body: object, **headers: str) -> bytes:
    return _request("POST /acks", body, Authorization=f"Bearer {ACK_TOKEN}", **headers)


def _ack(number: int) -> bytes:
    return _backend({"stage": "paid", "payment_intent": f"pi_ack_{number}", "contexts": [f"c{number}"], "release": "r"})


def _release(number: int) -> bytes:
    return _backend({"stage": "paid", "payment_intent": f"pi_release_{number}", "release": f"r{number}"})


def _keyed_ack(number: int) -> bytes:
    return _backend({"stage": "delivered", "user_id": f"keyed{number}"}, Idempotency_Key=f"key-{number}")


def _auth_report(number: int) -> bytes:
    return _backend({"auth": "ok", "user_id": f"auth{number}"})


def _report(number: int) -> bytes:
    body = msgspec.json.encode({**REPORT, "payment_intent": f"pi_report_{number}", "token": token(f"u{number}")})
    return _request("POST /acks", body, Content_Type="text/plain", X_Forwarded_For=_address(number))


def _evaluation(path: str, number: int) -> bytes:
    context = {"targetingKey": f"user{number}", f"field{number}": number}
    return _request(f"POST /ofrep/v1/evaluate/flags{path}", {"context": context}, If_None_Match=f'"{number}"')


_PUBLIC: dict[str, tuple[Request, int]] = {
    "webhooks":                     (_webhook, 200),
    "forged webhooks":              (_forged, 400),
    "acks":                         (_ack, 200),
    "acks of new releases":         (_release, 200),
    "acks with a key":              (_keyed_ack, 200),
    "answers to authorisations":    (_auth_report, 200),
    "acks with a wrong token":      (lambda number: _request("POST /acks", b"{}", Authorization=f"Bearer {number}"), 401),
    "reports of browsers":          (_report, 204),
    "flag reads":                   (lambda number: _request(f"GET /flags/payment-refresh?targeting_key=u{number}"), 200),
    "reads of unknown flags":       (lambda number: _request(f"GET /flags/flag{number}"), 404),
    "evaluations":                  (lambda number: _evaluation("", number), 200),
    "evaluations of unknown flags": (lambda number: _evaluation(f"/flag{number}", number), 404),
    "unknown paths":                (lambda number: _request(f"GET /nowhere{number}/x?y={number}"), 404),
    "unknown methods":              (lambda number: _request(f"PUT /acks?{number}"), 405),
    "expectations":                 (lambda number: _request("POST /acks", b"{}", Expect=f"x{number}"), 417),
}  # fmt: skip
_OPERATORS: dict[str, tuple[Request, int]] = {
    "payments of operators":        (lambda number: _request(f"GET /api/payments/pi_unknown_{number}"), 404),
    "actions with a wrong token":   (lambda number: _request("POST /api/hold", b"{}", Authorization=f"Bearer {number}"), 401),
    "unknown hosts":                (lambda number: _request("GET /api/status", Host=f"host{number}.test"), 403),
    "unknown assets":               (lambda number: _request(f"GET /assets/{number}.js"), 404),
}  # fmt: skip
ENDPOINTS = {**_PUBLIC, **_OPERATORS}
"""What is sent, with the status that each has unless a limit refuses it."""

REFUSED = {429, 503}
"""Statuses of the limits: those of operators' listeners, and of what is shed while the loop lags."""


class Soaked(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint did."""

    name: str
    statuses: dict[int, int]
    seconds: float
    early_mb: float
    """Resident memory after half of the requests."""
    late_mb: float

    @property
    def growth_mb(self) -> float:
        """Return what the second half added."""
        return self.late_mb - self.early_mb


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _send(port: int, make: Request, numbers: range) -> Counter[int]:
    """Send a request per number, over connections that each wait for the response; return the statuses."""
    waiting, statuses = iter(numbers), Counter[int]()

    async def send() -> None:
        reader = writer = None
        for number in waiting:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(make(number))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            statuses[int(head.split(b" ", 2)[1])] += 1
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0))
            if b"\r\nconnection: close" in head:
                writer.close()
                reader = writer = None
        if writer is not None:
            writer.close()

    await asyncio.gather(*(send() for _ in range(_CONNECTIONS)))
    return statuses


async def _series(sidecar: SidecarProcess, session: aiohttp.ClientSession) -> set[str]:
    """Return all series, without their values."""
    async with session.get(f"{sidecar.operator}/metrics") as response:
        return {line.rpartition(" ")[0] for line in (await response.text()).splitlines() if line[:1] != "#"}


async def soak(folder: Path, count: int, names: list[str]) -> tuple[list[Soaked], set[str]]:
    """Send so many requests to each endpoint; return the figures of each, and the series that came or went."""
    listen = "listen: {public: 127.0.0.1:%d, operator: 127.0.0.1:%d"
    sidecar, found = SidecarProcess(folder, LAX), list[Soaked]()
    ports = (sidecar.public_port, sidecar.operator_port)
    text = sidecar.config.read_text()
    sidecar.config.write_text(text.replace(f"{listen % ports}}}", f"{listen % ports}, proxies: 1}}"))
    sidecar.environment = {**os.environ, "SIDECAR_BROWSER_SECRET": SECRET}
    async with aiohttp.ClientSession() as session:
        with sidecar:
            await sidecar.ready(session)
            assert sidecar.process is not None
            pid, before = sidecar.process.pid, await _series(sidecar, session)
            for name in names:
                make, _ = ENDPOINTS[name]
                port = ports[name in _OPERATORS]
                began_s, half = time.monotonic(), count // 2
                statuses = await _send(port, make, range(half))
                early_mb = resident_mb(pid)
                statuses += await _send(port, make, range(half, count))
                seconds = time.monotonic() - began_s
                found.append(
                    Soaked(
                        name=name, statuses=dict(statuses), seconds=seconds, early_mb=early_mb, late_mb=resident_mb(pid)
                    )
                )
                print(described(found[-1]), flush=True)
            await sidecar.ready(session)
            await asyncio.sleep(1.1)  # a scrape is shared until it is a second old
            changed = before ^ await _series(sidecar, session)
            assert sidecar.stop() == 0
    assert sidecar.lines("task.failed") == []
    assert sidecar.lines("http.failed") == []
    return found, changed


def described(soaked: Soaked) -> str:
    """Return the figures as a line."""
    count = sum(soaked.statuses.values())
    return (
        f"{soaked.name}: {count} in {soaked.seconds:.0f} s, statuses {soaked.statuses}; resident "
        f"{soaked.early_mb:.1f} MB after half, {soaked.late_mb:.1f} MB at the end"
    )


def faults(found: list[Soaked], changed: set[str]) -> list[str]:
    """Return what is wrong: series, memory that grows with the ids, or an answer that is none of the expected."""
    wrong = [f"series: {each}" for each in sorted(changed)]
    for each in found:
        allowed = {ENDPOINTS[each.name][1], *REFUSED}
        wrong += [f"{each.name}: status {status}" for status in each.statuses if status not in allowed]
        wrong += [f"{each.name}: all refused"] if ENDPOINTS[each.name][1] not in each.statuses else []
        wrong += [f"{each.name}: {each.growth_mb:.1f} MB more"] if each.growth_mb > GROWTH_MAX_MB else []
    return wrong


def main() -> None:
    """Run the soak, print the figures, and fail if anything grew."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT, help="requests to each endpoint")
    parser.add_argument("--only", choices=list(ENDPOINTS), action="append", help="this endpoint; may be repeated")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found, changed = asyncio.run(soak(Path(folder), asked.count, asked.only or list(ENDPOINTS)))
    print(f"series that came or went: {len(changed)}")
    if faults(found, changed):
        sys.exit("\n".join(faults(found, changed)))


if __name__ == "__main__":
    main()
