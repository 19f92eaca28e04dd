"""What do webhooks and flag reads cost, compared with bare handlers that store nothing? Each side has its own core."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import stripe
import uvloop

from benchmarks.events import payment_succeeded
from benchmarks.load import Measured, load
from benchmarks.servers import WEBHOOK_SECRET

_SECONDS = 3.0
_ROUNDS = 3
_AT_MOST = 90_000
"""Requests of one round, prepared in advance: more than any server can handle in a round."""


def webhook(run_id: str) -> Callable[[int], bytes]:
    """Return a function that makes signed deliveries for different payments: Stripe's shape, 3.7 kB, indented."""

    def request(number: int) -> bytes:
        event = payment_succeeded(f"{run_id}_{number}", created_s=int(time.time()))
        body = json.dumps(event, indent=2).encode()
        signature = stripe.WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET)
        head = f"POST /stripe/webhook HTTP/1.1\r\nHost: x\r\nStripe-Signature: {signature}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    return request


def prepared(count: int, request: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Return prepared requests; signing them costs more than sending them."""
    made = [request(number) for number in range(count)]
    return lambda number: made[number]


def flag(_: int) -> bytes:
    """Return a read of the flag."""
    return b"GET /flags/payment-refresh?targeting_key=u1 HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def server(name: str) -> Iterator[int]:
    """Run one of the servers; yield its port."""
    command = [sys.executable, "-m", "benchmarks.servers", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(int(line) for line in process.stdout if line.strip().isdigit())
        finally:
            process.terminate()


def measure(name: str, request: Callable[[int], bytes]) -> Measured:
    """Start a server and load it."""
    with server(name) as port:
        return uvloop.run(load(port, request, seconds=_SECONDS))


def compare(what: str, ours: str, baselines: tuple[str, ...], request: Callable[[str], Callable[[int], bytes]]) -> None:
    """Measure in turn, so that drift affects all, and print the best of each with the ratio of the bests."""
    best: dict[str, Measured] = {}
    for turn in range(_ROUNDS):
        for name in (ours, *baselines):
            measured = measure(name, request(f"{name}{turn}"))
            best[name] = max(best.get(name, measured), measured, key=lambda each: each.per_s)
    for name, measured in best.items():
        ratio = "" if name == ours else f"; {ours} is {best[ours].per_s / measured.per_s:.2f} x this"
        print(
            f"{what}: {name}: {measured.per_s:,.0f}/s, "
            f"p50 {measured.p50_ms:.1f} ms, p99 {measured.p99_ms:.1f} ms{ratio}",
            flush=True,
        )


def main() -> None:
    """Print the comparisons."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    compare(
        "webhooks",
        "sidecar",
        ("construct_event", "verify_and_decode"),
        lambda run_id: prepared(_AT_MOST, webhook(run_id)),
    )
    compare("flag reads", "sidecar", ("constant",), lambda _: flag)


if __name__ == "__main__":
    main()
