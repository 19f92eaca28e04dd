"""A process that uses a journal and can be killed; its standard output lists its appends.

Run as `child.py hold|append|starve PATH`.
"""

import asyncio
import itertools
import resource
import sys
from pathlib import Path

from sidecar.core.facts.observations import Heartbeat, PaymentSucceeded
from sidecar.core.facts.operator_actions import Held
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import SidecarError

CALLERS = 8


def say(*words: object) -> None:
    """Write one line, in one piece, so that a kill leaves all of it or nothing."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def hold(journal: SqliteJournal) -> None:
    """Have the journal until killed."""
    say("held", journal.now_ms())
    await asyncio.Event().wait()


async def append(journal: SqliteJournal) -> None:
    """Append until killed: heartbeats, which are new each time, and payments, which an earlier child may have kept."""
    numbers = itertools.count()
    replica = str(journal.now_ms())

    async def call() -> None:
        for number in numbers:
            beat = await journal.append(Heartbeat(replica=replica, beat=number))
            say(beat.record.seq, f"{replica}/{number}")
            name = f"pi_{number}"
            payment = PaymentSucceeded(payment_intent=name, event_id=replica, created_s=number, signed_s=None)
            say((await journal.append(payment)).record.seq, name)

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(call())


async def starve(journal: SqliteJournal) -> None:
    """Append more than the operating system lets a file hold, and then, when it allows more, a little."""
    say((await journal.append(Heartbeat(replica="a", beat=1))).record.seq)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
    try:
        await journal.append(Held(actor="a", reason="x" * 1_000_000))
    except SidecarError as error:
        say(error.code, error.message)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    say((await journal.append(Heartbeat(replica="a", beat=2))).record.seq)


async def main(act: str, path: str) -> None:
    """Open the journal and do what was asked."""
    journal = await SqliteJournal.open(Path(path))
    await {"hold": hold, "append": append, "starve": starve}[act](journal)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
