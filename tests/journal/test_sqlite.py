"""What the journal's file survives: reopening, kill -9, a full disk, and a second process."""

import asyncio
import contextlib
import os
import stat
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import sidecar
from sidecar.core.facts.observations import Heartbeat, Observation, PaymentSucceeded
from sidecar.core.facts.operator_actions import Held
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import ErrorCode, SidecarError

from .files import LIMIT_S, everything, opened
from .samples import heartbeat, payment

CHILD = Path(__file__).with_name("child.py")


@contextlib.asynccontextmanager
async def running(act: str, path: Path) -> AsyncIterator[Process]:
    """Run a child process on the journal, and kill it at the end as `kill -9` does."""
    environment = {**os.environ, "PYTHONPATH": str(Path(sidecar.__file__).parent.parent)}
    process = await asyncio.create_subprocess_exec(sys.executable, CHILD, act, path, stdout=PIPE, env=environment)
    try:
        async with asyncio.timeout(LIMIT_S):
            yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def line(process: Process) -> list[str]:
    """Return the words of the next line of the child's output; none if it ended."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().rstrip("\n").split(maxsplit=1)


async def test_a_reopened_journal_continues(tmp_path: Path) -> None:
    """Records, numbers, stamps and identities survive a restart."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        first = await journal.append(payment(1))
    async with opened(path) as journal:
        assert (await journal.append(payment(1))).record == first.record
        second = await journal.append(heartbeat(1))
        await journal.wait(1)
    assert (second.record.seq, second.record.at_ms >= first.record.at_ms) == (2, True)
    assert await everything(path) == [first.record, second.record]


async def test_wait_returns_at_once_for_existing_records_of_a_reopened_journal(tmp_path: Path) -> None:
    """A record from before the opening needs no wake-up."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        await journal.append(heartbeat(1))
    async with opened(path) as journal:
        await journal.wait(0)


async def test_many_appends_share_a_commit(tmp_path: Path) -> None:
    """1 000 concurrent appends need a few transactions; sequential appends need one each."""
    async with opened(tmp_path / "journal.db") as journal:
        await asyncio.gather(*(journal.append(heartbeat(beat)) for beat in range(1_000)))
        assert journal.commits <= 5
        before = journal.commits
        for beat in range(10):
            await journal.append(heartbeat(beat))
        assert journal.commits == before + 10


async def test_repeated_appends_of_many_callers_share_every_commit(tmp_path: Path) -> None:
    """Callers that got their results together append together, and share the next commit."""

    async def call(journal: SqliteJournal) -> None:
        for beat in range(20):
            await journal.append(heartbeat(beat))

    async with opened(tmp_path / "journal.db") as journal:
        await asyncio.gather(*(call(journal) for _ in range(50)))
        assert journal.commits <= 25


async def test_too_many_waiting_appends_are_refused_and_counted(tmp_path: Path) -> None:
    """An append beyond the limit is refused at once with a message; after the others are done, appends succeed again."""
    path = tmp_path / "journal.db"
    async with opened(path, waiting_max=2) as journal:
        calls = (journal.append(heartbeat(beat)) for beat in range(3))
        first, second, third = await asyncio.gather(*calls, return_exceptions=True)
        assert not isinstance(first, BaseException)
        assert not isinstance(second, BaseException)
        assert isinstance(third, SidecarError)
        assert third.code is ErrorCode.JOURNAL_OVERLOADED
        assert third.message.startswith(
            f"The journal {path} has 2 observations that wait for its disk, which is the limit;"
        )
        assert journal.overloads == 1
        assert (await journal.append(heartbeat(3))).record.seq == 3


@pytest.mark.parametrize("first_lines", [1, 40, 300, 301, 1_000])
async def test_every_returned_append_survives_kill_9(tmp_path: Path, first_lines: int) -> None:
    """Two children that are killed while appending leave every record that they printed, each once."""
    path = tmp_path / "journal.db"
    printed: list[list[str]] = []
    for _ in range(2):
        async with running("append", path) as child:
            printed += [await line(child) for _ in range(first_lines)]
            child.kill()
            while words := await line(child):
                printed.append(words)
    records = await everything(path)
    names = [name_of(record.observation) for record in records]
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert len(set(names)) == len(names)
    assert [names[int(seq) - 1] for seq, _ in printed] == [name for _, name in printed]


def name_of(observation: Observation) -> str:
    """Return the name by which the child tells of an observation."""
    match observation:
        case Heartbeat():
            return f"{observation.replica}/{observation.beat}"
        case PaymentSucceeded():
            return observation.payment_intent
        case _:
            raise AssertionError(observation)


async def test_a_second_process_is_refused_with_a_message(tmp_path: Path) -> None:
    """The message has the file, the pid of the first process and the remedy; after that is killed, opening succeeds."""
    path = tmp_path / "journal.db"
    async with running("hold", path) as child:
        assert (await line(child))[0] == "held"
        with pytest.raises(SidecarError) as caught:
            await SqliteJournal.open(path)
    assert caught.value.code is ErrorCode.JOURNAL_IN_USE
    assert caught.value.message == (
        f"The journal {path} is in use by process {child.pid}, and only one sidecar can use a file; "
        "stop that process, or name another file under `journal:`."
    )
    assert await everything(path) == []


async def test_a_second_name_of_the_file_is_the_same_journal(tmp_path: Path) -> None:
    """A symbolic link to an open journal is refused like the journal itself."""
    path, link = tmp_path / "journal.db", tmp_path / "link.db"
    link.symlink_to(path)
    async with opened(path):
        with pytest.raises(SidecarError, match=f"^The journal {path} is in use by process {os.getpid()},"):
            await SqliteJournal.open(link)


async def test_closing_leaves_no_thread_and_no_lock(tmp_path: Path) -> None:
    """After `close` the threads have ended and the file can be opened again."""
    path = tmp_path / "journal.db"
    for _ in range(2):
        async with opened(path) as journal:
            await journal.append(heartbeat(0))
            await journal.read(0, 1)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("journal")]


async def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """No other user can read payment ids, not even in the files beside the journal."""
    async with opened(tmp_path / "journal.db") as journal:
        await journal.append(heartbeat(0))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in os.scandir(tmp_path)}
    names = ["journal.db", "journal.db-shm", "journal.db-wal", "journal.db.lock", "journal.db.mark"]
    assert modes == dict.fromkeys(names, 0o600)


async def test_a_full_disk_is_reported_and_survived(tmp_path: Path) -> None:
    """A batch that does not fit is refused as a whole with a message, and the next one that fits gets the next number."""
    path = tmp_path / "journal.db"
    async with opened(path, page_count_max=16) as journal:
        await journal.append(payment(1))
        batch: list[Observation] = [payment(2), Held(actor="a", reason="x" * 100_000), payment(3), payment(1)]
        outcomes = await asyncio.gather(*(journal.append(each) for each in batch), return_exceptions=True)
        for outcome in outcomes:
            assert isinstance(outcome, SidecarError)
            assert outcome.code is ErrorCode.JOURNAL_UNAVAILABLE
            assert outcome.message == (
                f"The journal {path} could not be written: its disk is full, or the file has reached its limit "
                "(SQLITE_FULL: database or disk is full); "
                "free space there; appends continue as soon as there is space."
            )
        assert len({id(outcome) for outcome in outcomes}) == len(batch)
        assert (await journal.append(payment(1))).duplicate
        appended = await journal.append(payment(2))
        assert (appended.record.seq, appended.duplicate) == (2, False)
    assert [record.observation for record in await everything(path)] == [payment(1), payment(2)]


async def test_an_error_of_the_disk_is_reported_and_survived(tmp_path: Path) -> None:
    """If the operating system refuses a write, the append is refused with a message, and the next one succeeds."""
    path = tmp_path / "journal.db"
    async with running("starve", path) as child:
        assert await line(child) == ["1"]
        code, message = await line(child)
        assert await line(child) == ["2"]
    assert code == "journal_unavailable"
    assert message.startswith(f"The journal {path} could not be written: its disk reports an error (SQLITE_IOERR")
    assert [record.observation for record in await everything(path)] == [heartbeat(1), heartbeat(2)]


@pytest.mark.parametrize("suffix", ["", ".lock", "-wal"])
async def test_a_removed_file_accepts_no_more_appends(tmp_path: Path, suffix: str) -> None:
    """The system would accept writes into the removed file."""
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    await journal.append(heartbeat(0))
    await journal.append(heartbeat(1))
    path.with_name(path.name + suffix).unlink()
    with pytest.raises(
        SidecarError, match="was removed or replaced while it was in use; it is opened again and checked"
    ):
        await journal.append(heartbeat(2))
    await journal.close()


async def test_a_replaced_file_accepts_no_more_appends(tmp_path: Path) -> None:
    """A backup that is moved over the journal is such a file."""
    path = tmp_path / "journal.db"
    journal = await SqliteJournal.open(path)
    await journal.append(heartbeat(0))
    copy = tmp_path / "copy.db"
    copy.write_bytes(path.read_bytes())
    copy.rename(path)
    with pytest.raises(SidecarError, match="was removed or replaced"):
        await journal.append(heartbeat(1))
    await journal.close()
