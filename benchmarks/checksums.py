"""What do the checksums of batches cost a commit, and how fast are they verified?

The baseline is the same commit without them, in turns, on the same file system.
"""

import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import msgspec

from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import PaymentSucceeded
from sidecar.journal.sqlite import batches
from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.journal.sqlite.verification import opened_to_read

_ROUNDS = 400
_SIZES = (1, 10, 250)
_RECORDS = 50_000
_numbers = itertools.count()


def _drafts(size: int) -> list[Draft]:
    facts = [
        PaymentSucceeded(
            payment_intent=f"pi_{next(_numbers):024}", event_id=f"evt_{next(_numbers):024}", created_s=1, signed_s=1
        )
        for _ in range(size)
    ]
    return [Draft(at_ms=1, key=identity(fact), observation=fact, body=msgspec.json.encode(fact)) for fact in facts]


def _took_ms(doing: Callable[[], object]) -> float:
    begun = time.perf_counter()
    doing()
    return 1000 * (time.perf_counter() - begun)


def commits(folder: Path) -> None:
    """Print the median commit of each size, with checksums and without."""
    none = {"digest_of": mock.Mock(return_value=batches.BEGIN), "store": mock.Mock(return_value=None)}
    for size in _SIZES:
        writers = (Writer(folder / f"with-{size}.db"), Writer(folder / f"without-{size}.db"))
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(_ROUNDS):
            drafts = _drafts(size)
            taken[0].append(_took_ms(functools.partial(writers[0].commit, drafts)))
            with mock.patch.multiple(batches, **none):
                taken[1].append(_took_ms(functools.partial(writers[1].commit, drafts)))
        for writer in writers:
            writer.close()
        ours, without = (statistics.median(each) for each in taken)
        print(f"checksums: a commit of {size:>3}: {ours:.3f} ms, {without:.3f} ms without ({ours / without:.2f} x)")


def verification(folder: Path) -> None:
    """Print the time to verify records, and to read and decode them."""
    writer = Writer(folder / "read.db")
    for _ in range(_RECORDS // batches.BATCH_MAX):
        writer.commit(_drafts(batches.BATCH_MAX))
    writer.close()
    with opened_to_read(folder / "read.db") as (connection, reader):
        read = min(_took_ms(lambda: reader.read(0, _RECORDS)) for _ in range(3))
        verified = min(_took_ms(lambda: batches.defects(connection)) for _ in range(3))
    print(
        f"checksums: {_RECORDS:,} records verified in {verified:.0f} ms, read and decoded in {read:.0f} ms "
        f"({verified / read:.2f} x)"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        commits(Path(place))
        verification(Path(place))
