"""How long does a restart take? With a journal of 35 days of 10 000 payments a day, with and without its snapshot."""

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.servers import ENVIRONMENT
from sidecar.config import policy_of, read_config
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import (
    AckReceived,
    Heartbeat,
    Observation,
    PaymentSucceeded,
    PolicyAdopted,
    Record,
    Started,
)
from sidecar.core.facts.policy import Stage, policy_hash
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State, encode
from sidecar.journal.snapshots import snapshot_of
from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.journal.sqlite.verification import opened_to_read

_DAYS = 35
_PER_DAY = 10_000
_DAY_MS = 24 * 3_600_000
_BATCH = 1_000
_SECRETS = {
    "STRIPE_WEBHOOK_SECRET": "whsec_benchmark_0123456789abcdef",
    "SIDECAR_ACK_TOKEN": "benchmark-ack-token-01234",
}


def life(config: Path, end_ms: int) -> list[tuple[int, Observation]]:
    """Return the observations of those days: payments with three acks, and a heartbeat every five seconds."""
    policy = policy_of(read_config(config))
    begin_ms = end_ms - _DAYS * _DAY_MS
    adopted = PolicyAdopted(policy=policy, policy_hash=policy_hash(policy), adoption=0, actor="b", reason="b")
    facts: list[tuple[int, Observation]] = [(begin_ms, Started(replica="b", version="b")), (begin_ms, adopted)]
    randomness = random.Random(1)
    for number in range(_DAYS * _PER_DAY):
        at_ms = begin_ms + number * _DAY_MS // _PER_DAY
        name = f"pi_3QAZwsx{number:017d}"
        created_s = at_ms // 1000
        paid = PaymentSucceeded(
            payment_intent=name, event_id=f"evt_{number:024d}", created_s=created_s, signed_s=created_s
        )
        facts.append((at_ms, paid))
        for stage, after_ms in ((Stage.PAID, 150), (Stage.DISPATCHED, 200), (Stage.DELIVERED, 230)):
            ack = AckReceived(source="backend", stage=stage, payment_intent=name, contexts=("bookings",))
            facts.append((at_ms + after_ms + randomness.randrange(50), ack))
        facts.append((at_ms + policy.on_time_within_ms + 1, Heartbeat(replica="b", beat=number)))
    facts.extend((at_ms, Heartbeat(replica="b", beat=-at_ms)) for at_ms in range(begin_ms, end_ms, 5_000))
    return sorted(facts, key=lambda fact: fact[0])


def write(journal: Path, facts: list[tuple[int, Observation]]) -> State:
    """Write the journal, and its snapshot."""
    writer, state = Writer(journal), State()
    for start in range(0, len(facts), _BATCH):
        drafts = [
            Draft(at_ms=at_ms, key=identity(fact), observation=fact, body=msgspec.json.encode(fact))
            for at_ms, fact in facts[start : start + _BATCH]
        ]
        for appended in writer.commit(drafts):
            fold(state, appended.record)
        if len(facts) - start <= 2 * _BATCH:
            writer.save_snapshot(snapshot_of(state.seq, encode(state)))
    writer.close()
    return state


def seconds_until(config: Path, port: int, is_there: Callable[[str], bool]) -> float:
    """Start a sidecar and return the time until its answer is correct."""
    environment = os.environ | ENVIRONMENT
    command = [sys.executable, "-m", "sidecar", "run", "--config", str(config)]
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while not is_there(f"http://127.0.0.1:{port}"):
                time.sleep(0.005)
            return time.perf_counter() - started
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Return whether the flag endpoint responds."""
    try:
        with urllib.request.urlopen(f"{url}/flags/payment-refresh", timeout=5) as response:  # noqa: S310 - a local server
            return bool(response.status == 200)
    except OSError:
        return False


def is_ready(url: str) -> bool:
    """Return whether all records and a heartbeat are folded."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=60) as response:  # noqa: S310 - a local server
            return bool(response.status == 200)
    except OSError:
        return False


def main() -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory(prefix="reverb-sidecar-restart-") as folder:
        journal, config, empty = Path(folder) / "j.db", Path(folder) / "c.yaml", Path(folder) / "empty.yaml"
        listen = "listen: {public: 127.0.0.1:18700, operator: 127.0.0.1:18701}"
        config.write_text(f"environment: benchmark\njournal: sqlite:{journal}\n{listen}\n")
        empty.write_text(f"environment: benchmark\njournal: sqlite:{folder}/empty.db\n{listen}\n")
        facts = life(config, int(time.time() * 1000) - 1_000)
        print(f"restart: {len(facts):,} records of {_DAYS} days, {_PER_DAY:,} payments a day", flush=True)
        write(journal, facts)
        print(f"restart: the journal has {journal.stat().st_size / 1e6:,.0f} MB", flush=True)
        baseline = min(seconds_until(empty, 18700, answers) for _ in range(3))
        first = min(seconds_until(config, 18700, answers) for _ in range(3))
        ready = min(seconds_until(config, 18700, is_ready) for _ in range(3))
        print(
            f"restart: first answer {first:.2f} s, all folded and ready {ready:.2f} s; "
            f"{first / baseline:.2f} x that of an empty journal ({baseline:.2f} s)"
        )
        with contextlib.closing(sqlite3.connect(journal)) as file, file:
            file.execute("DELETE FROM snapshots")
        whole = seconds_until(config, 18700, is_ready)
        print(f"restart: without a snapshot, all folded and ready {whole:.1f} s", flush=True)
        with opened_to_read(journal) as (_, reader):
            assert reader.read(0, 1)[0] == Record(seq=1, at_ms=facts[0][0], observation=facts[0][1])


if __name__ == "__main__":
    main()
