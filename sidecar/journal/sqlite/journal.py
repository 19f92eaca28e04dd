"""A journal in one SQLite file, for one process.

The problem: `append` may return only when the observation would survive `kill -9`, and making something
durable costs a wait for the disk. One wait per observation would cap us at the disk's pace, and on the event
loop would stop all else meanwhile.

What we do: group commit. Whatever is appended while one commit runs waits together, and goes into the next
one. The loop owns all that is waiting; one thread owns the connection that writes, another the one that
reads; a batch is handed from the loop to the thread and its result back, so nothing is shared.
"""

import asyncio
import contextlib
import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import msgspec

from sidecar.clock import AnchoredClock
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import Observation, Record
from sidecar.core.fold.state import State
from sidecar.journal.head import Head
from sidecar.journal.snapshots import snapshot_of
from sidecar.journal.sqlite.file import Draft, Reader, Writer
from sidecar.journal.sqlite.verification import PageCheck
from sidecar.ports import Appended, Backlog, ErrorCode, Link, SidecarError

WAITING_MAX = 20_000
"""Appends that may wait for the disk at once, the batch under way included."""

TAIL_MAX = 10_000
"""The newest records, kept in memory at least: who follows closely needs neither the disk nor to decode them."""

_TIDY_AFTER = 2_000
"""Records after which the write-ahead log is brought into the file, by another thread than the one that commits: SQLite
would do it within a commit, and whoever waits for that one would wait for all the disk's work."""

BATCH_MAX = 1_000
"""Observations in one transaction, so that no caller waits for the whole of a long queue."""

_encode = msgspec.json.Encoder().encode


class SqliteJournal:
    """A journal in one SQLite file; belongs to the event loop that opened it."""

    commits: int
    """Transactions made durable since opening."""
    overloads: int
    """Appends refused since opening because too many were waiting."""

    def __init__(
        self,
        *,
        path: Path,
        writer: Writer,
        write_thread: ThreadPoolExecutor,
        reader: Reader,
        read_thread: ThreadPoolExecutor,
        opened: contextlib.AsyncExitStack,
        waiting_max: int,
    ) -> None:
        self.commits = 0
        self.overloads = 0
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._write_thread = write_thread
        self._reader = reader
        self._read_thread = read_thread
        self._opened = opened
        self._waiting_max = waiting_max
        self._waiting_count = 0
        self._pending: list[tuple[Draft, asyncio.Future[Appended]]] = []
        self._under_way_ms: int | None = None
        """When the oldest of the batch that is being committed was appended; None: none is."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._tail: list[Record] = []
        self._untidied = 0
        self._tidying: asyncio.Future[None] | None = None
        self._clock = AnchoredClock(writer.last_ms)
        self._head = Head(str(path), writer.last_seq)

    @classmethod
    async def open(cls, path: Path, *, waiting_max: int = WAITING_MAX, page_count_max: int | None = None) -> Self:
        """Open the file, or make it; the file never grows beyond `page_count_max` pages of 4096 bytes.

        Raises `SidecarError` with `journal_in_use` if another process has it, or `journal_unavailable`.
        """
        run = asyncio.get_running_loop().run_in_executor
        async with contextlib.AsyncExitStack() as opened:
            write_thread = opened.enter_context(ThreadPoolExecutor(1, "journal-write"))
            path = await run(write_thread, path.resolve)
            writer = await run(write_thread, Writer, path, page_count_max)
            await run(write_thread, writer.leave_tidying)
            opened.push_async_callback(run, write_thread, writer.close)
            read_thread = opened.enter_context(ThreadPoolExecutor(1, "journal-read"))
            reader = await run(read_thread, Reader.beside, path)
            opened.push_async_callback(run, read_thread, reader.close)
            return cls(
                path=path,
                writer=writer,
                write_thread=write_thread,
                reader=reader,
                read_thread=read_thread,
                opened=opened.pop_all(),
                waiting_max=waiting_max,
            )

    async def append(self, observation: Observation) -> Appended:
        """Keep the observation and return once it would survive `kill -9`.

        It is stamped here and now, so that the order of calls, of stamps and of `seq` is one; and once called,
        a cancelled caller changes nothing.
        """
        self._head.refuse_if_closed()
        if self._waiting_count >= self._waiting_max:
            self.overloads += 1
            message = (
                f"The journal {self._path} has {self._waiting_count} observations waiting for its disk, and "
                "takes no more; try again in a moment, and see what slows that disk down."
            )
            raise SidecarError(ErrorCode.JOURNAL_OVERLOADED, message)
        draft = Draft(
            body=_encode(observation), key=identity(observation), at_ms=self.now_ms(), observation=observation
        )
        kept: asyncio.Future[Appended] = self._loop.create_future()
        self._pending.append((draft, kept))
        self._waiting_count += 1
        if self._idle.is_set():
            self._idle.clear()
            self._start_soon()
        return await kept

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records with a `seq` greater than `after`, in order."""
        self._head.refuse_if_closed()
        if after >= self._head.seq:
            return []
        if self._tail and after + 1 >= self._tail[0].seq:
            start = after + 1 - self._tail[0].seq
            return self._tail[start : start + limit]
        return await self._loop.run_in_executor(self._read_thread, self._reader.read, after, limit)

    async def links(self, before: int, limit: int) -> Sequence[Link]:
        """Return up to `limit` links of the chain whose `seq` is less than `before`, newest first."""
        self._head.refuse_if_closed()
        return await self._loop.run_in_executor(self._read_thread, self._reader.links, before, limit)

    async def find(self, key: str) -> Record | None:
        """Return the record with this key; None: there is none, or not any more."""
        self._head.refuse_if_closed()
        return await self._loop.run_in_executor(self._read_thread, self._reader.find, key)

    async def load_snapshot(self) -> State:
        """Return the state that a process goes on from: a snapshot, a checkpoint, or the empty one."""
        self._head.refuse_if_closed()
        return await self._loop.run_in_executor(self._read_thread, self._reader.load_snapshot)

    async def save_snapshot(self, seq: int, body: bytes) -> None:
        """Keep the encoded state after record `seq`, for a restart to go on from."""
        self._head.refuse_if_closed()
        await self._loop.run_in_executor(self._write_thread, self._writer.save_snapshot, snapshot_of(seq, body))

    async def check(self) -> None:
        """Look at every page of the file, in a thread of its own. Raises `journal_unavailable` if one is damaged."""
        check = PageCheck(self._path)
        try:
            await asyncio.to_thread(check.run)
        except asyncio.CancelledError:
            check.stop()
            raise

    async def trim(self, before_ms: int) -> int:
        """Look at the next old records and remove those that need not be kept; return at how many it looked."""
        self._head.refuse_if_closed()
        return await self._loop.run_in_executor(self._write_thread, self._writer.trim, before_ms)

    async def wait(self, after: int) -> None:
        """Return once a record with a `seq` greater than `after` is there."""
        await self._head.wait(after)

    def now_ms(self) -> int:
        """Return the present in Unix milliseconds, counted on since opening: from then, or the last stamp."""
        return self._clock.now_ms()

    def backlog(self) -> Backlog:
        """Return what waits for the disk, the batch under way included."""
        oldest_ms = self._pending[0][0].at_ms if self._under_way_ms is None and self._pending else self._under_way_ms
        return Backlog(
            waiting_count=self._waiting_count,
            oldest_ms=0 if oldest_ms is None else self.now_ms() - oldest_ms,
            refused_count=self.overloads,
            commit_count=self.commits,
        )

    async def close(self) -> None:
        """Finish what was appended, close the file, end the threads and release the lock."""
        self._head.close()
        await self._idle.wait()
        await self._opened.aclose()

    def _start_soon(self) -> None:
        # Not at once: all that is ready to run on the loop now, and appends, makes it into the same batch.
        self._loop.call_soon(self._start)

    def _start(self) -> None:
        batch, self._pending = self._pending[:BATCH_MAX], self._pending[BATCH_MAX:]
        drafts = [draft for draft, _ in batch]
        self._under_way_ms = drafts[0].at_ms
        commit = self._loop.run_in_executor(self._write_thread, self._writer.commit, drafts)
        commit.add_done_callback(functools.partial(self._settle, [kept for _, kept in batch]))

    def _settle(self, waiting: list[asyncio.Future[Appended]], commit: asyncio.Future[list[Appended]]) -> None:
        """Tell every caller of a batch what became of it, and go on with the next batch."""
        self._waiting_count -= len(waiting)
        self._under_way_ms = None
        error = commit.exception()
        if error is None:
            self.commits += 1
            self._succeed(waiting, commit.result())
        else:
            _fail(waiting, error)
        if self._pending:
            self._start_soon()
        else:
            self._idle.set()

    def _succeed(self, waiting: list[asyncio.Future[Appended]], batch: list[Appended]) -> None:
        for kept, appended in zip(waiting, batch, strict=True):
            if not kept.done():  # its caller was cancelled; the observation is kept all the same
                kept.set_result(appended)
        new = [appended.record for appended in batch if not appended.duplicate]
        self._tail.extend(new)
        self._untidied += len(new)
        if self._untidied >= _TIDY_AFTER and (self._tidying is None or self._tidying.done()):
            self._untidied = 0
            self._tidying = self._loop.run_in_executor(self._read_thread, self._reader.tidy)
            self._tidying.add_done_callback(_forget_failure)
        if len(self._tail) > 2 * TAIL_MAX:
            del self._tail[:-TAIL_MAX]
        self._head.advance(max(appended.record.seq for appended in batch))


def _forget_failure(tidying: asyncio.Future[None]) -> None:
    """Look at how tidying ended. If it failed the log grows, and in the end a commit tidies, and tells."""
    if not tidying.cancelled():
        tidying.exception()


def _fail(waiting: list[asyncio.Future[Appended]], error: BaseException) -> None:
    for kept in waiting:
        if not kept.done():
            kept.set_exception(_unwrapped(error))


def _unwrapped(error: BaseException) -> BaseException:
    """Return an exception for one caller alone: one that many raise would gather all their tracebacks."""
    if not isinstance(error, SidecarError):
        return error
    own = SidecarError(error.code, error.message)
    own.__cause__ = error
    return own
