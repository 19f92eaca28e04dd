"""A process that appends to a journal and records its answers: `writer.py FOLDER full|off`."""

import asyncio
import sys
from pathlib import Path

from sidecar.core.facts.observations import PaymentSucceeded
from sidecar.core.fold.state import State, encode
from sidecar.journal.sqlite.journal import SqliteJournal

_CALLERS = 8
_EACH = 60


async def main(folder: Path, synchronous: str) -> None:
    """Append from several callers, keep snapshots in between, and mark each answer."""
    journal = await SqliteJournal.open(folder / "journal.db")
    if synchronous == "off":  # to show that the simulation loses what is not synced
        await asyncio.get_running_loop().run_in_executor(
            journal._write_thread, journal._writer._connection.execute, "PRAGMA synchronous = OFF"
        )
    marker = (folder / "marker").open("ab", buffering=0)

    async def call(caller: int) -> None:
        for number in range(_EACH):
            name = f"pi_{caller}_{number}"
            await journal.append(PaymentSucceeded(payment_intent=name, event_id=name, created_s=1, signed_s=1))
            marker.write(f"{name}\n".encode())
            if number % 20 == 0:
                await journal.save_snapshot(number * _CALLERS + caller, encode(State()))

    await asyncio.gather(*(call(caller) for caller in range(_CALLERS)))
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
