"""How does one process append to a SQLite file fast enough?

The problem: `append` may return only when the observation survives `kill -9`, and a durable write waits for the disk.
One wait for each observation would limit the rate to that of the disk, and would block the event loop.

The solution is group commit: appends during one commit are queued, and the next commit writes them together. The loop
owns the queue, one thread the connection that writes, and another the connection that reads. A batch goes from the loop
to the thread and its result back, so that nothing is shared.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from sidecar.clock import AnchoredClock
from sidecar.core.facts.chain import is_chained
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import Observation, Record
from sidecar.core.fold.state import State
from sidecar.journal.head import Head
from sidecar.journal.snapshots import snapshot_of
from sidecar.journal.sqlite.batches import BATCH_MAX
from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.journal.sqlite.reader import Reader
from sidecar.journal.sqlite.verification import PageCheck, Patrol
from sidecar.ports import Appended, Backlog, Creation, ErrorCode, Link, SidecarError

WAITING_MAX = 20_000
"""The most appends that wait for the disk at once, with the batch in progress."""

TAIL_MAX = 10_000
"""The newest records in memory: a follower that is not behind needs neither the disk nor the decoder."""

_LOG_RECORDS_MAX = 2_000
"""Records after which the reading thread copies the write-ahead log into the file: SQLite would do it within a commit,
and delay the appends of that commit."""

_MARK_AFTER_S = 1.0
"""How late the high-water mark may be."""

_encode = msgspec.json.Encoder().encode

Result = TypeVar("Result")


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
        patrol: Patrol,
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
        self._patrol = patrol
        self._opened = opened
        self._waiting_max = waiting_max
        self._waiting_count = 0
        self._pending: list[tuple[Draft, asyncio.Future[Appended]]] = []
        self._in_progress_ms: int | None = None
        """The stamp of the oldest observation in the commit in progress; None: there is no commit."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._tail: list[Record] = []
        self._log_records = 0
        self._log_copy: asyncio.Future[None] | None = None
        self._marking: asyncio.TimerHandle | None = None
        """The next write of the high-water mark; None: there was no commit since the last."""
        self._creation = Creation(at_ms=writer.created_ms, reason=writer.created_reason)
        self._clock = AnchoredClock(writer.last_ms)
        self._head = Head(str(path), writer.last_seq)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        waiting_max: int = WAITING_MAX,
        page_count_max: int | None = None,
        second_mark: Path | None = None,
        must_exist: bool = False,
    ) -> Self:
        """Open or create the file, which never grows beyond `page_count_max` pages of 4096 bytes.

        `second_mark` is the place of a second copy of the high-water mark; `must_exist`: no new journal may begin.
        Raises `SidecarError` with `journal_in_use` if another process uses it, or `journal_unavailable`.
        """
        run = asyncio.get_running_loop().run_in_executor
        async with contextlib.AsyncExitStack() as opened:
            write_thread = opened.enter_context(ThreadPoolExecutor(1, "journal-write"))
            path = await run(write_thread, path.resolve)
            write = functools.partial(Writer, path, page_count_max, second_mark=second_mark, must_exist=must_exist)
            writer = await run(write_thread, write)
            await run(write_thread, writer.leave_checkpoints)
            opened.push_async_callback(run, write_thread, writer.close)
            read_thread = opened.enter_context(ThreadPoolExecutor(1, "journal-read"))
            reader = await run(read_thread, Reader.beside, path)
            opened.push_async_callback(run, read_thread, reader.close)
            patrol = Patrol(path)
            opened.push_async_callback(run, read_thread, patrol.close)
            return cls(
                path=path,
                writer=writer,
                write_thread=write_thread,
                reader=reader,
                read_thread=read_thread,
                patrol=patrol,
                opened=opened.pop_all(),
                waiting_max=waiting_max,
            )

    async def append(self, observation: Observation) -> Appended:
        """Append the observation and return once it survives `kill -9`.

        It is stamped at the call, so that calls, stamps and `seq` have the same order. An append whose caller is
        cancelled is still written.
        """
        self._head.check_open()
        if self._waiting_count >= self._waiting_max:
            self.overloads += 1
            message = (
                f"The journal {self._path} has {self._waiting_count} observations that wait for its disk, which is the "
                "limit; try again in a moment, and find out what slows that disk down."
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
        self._head.check_open()
        if after >= self._head.seq:
            return []
        if self._tail and after + 1 >= self._tail[0].seq:
            start = after + 1 - self._tail[0].seq
            return self._tail[start : start + limit]
        return await self._run(self._read_thread, self._reader.read, after, limit)

    async def links(self, before: int, limit: int) -> Sequence[Link]:
        """Return up to `limit` links of the chain whose `seq` is less than `before`, newest first."""
        return await self._run(self._read_thread, self._reader.links, before, limit)

    async def find(self, key: str) -> Record | None:
        """Return the record with this key; None: it does not exist, or was removed."""
        return await self._run(self._read_thread, self._reader.find, key)

    async def load_snapshot(self) -> State:
        """Return the state from which a process continues: of a snapshot, of a checkpoint, or the empty one."""
        return await self._run(self._read_thread, self._reader.load_snapshot)

    async def save_snapshot(self, seq: int, body: bytes) -> None:
        """Store the encoded state after record `seq`, for the next restart."""
        await self._run(self._write_thread, self._writer.save_snapshot, snapshot_of(seq, body))

    async def check(self) -> None:
        """Check every page and record of the file in its own thread. Raises `journal_unavailable` if one is damaged."""
        check = PageCheck(self._path)
        try:
            await asyncio.to_thread(check.run)
        except asyncio.CancelledError:
            check.stop()
            raise

    async def recheck(self) -> None:
        """Look at the files in use, and check the next few records. Raises `journal_unavailable` if one is damaged."""
        await self._run(self._write_thread, self._writer.look)
        await self._run(self._read_thread, self._patrol.slice)

    async def trim(self, before_ms: int) -> int:
        """Remove the next old records, except those that are kept for ever; return the number of records read."""
        return await self._run(self._write_thread, self._writer.trim, before_ms)

    async def wait(self, after: int) -> None:
        """Return once a record with a `seq` greater than `after` exists."""
        await self._head.wait(after)

    async def _run(self, thread: ThreadPoolExecutor, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a blocking function on its thread. Raises `journal_unavailable` if the journal is closed."""
        self._head.check_open()
        return await self._loop.run_in_executor(thread, function, *arguments)

    def now_ms(self) -> int:
        """Return Unix milliseconds, counted from the time of opening or the last stamp, whichever is later."""
        return self._clock.now_ms()

    def creation(self) -> Creation:
        """Return when the journal began, and why."""
        return self._creation

    def backlog(self) -> Backlog:
        """Return the appends that wait for the disk, with the batch in progress."""
        oldest_ms = (
            self._pending[0][0].at_ms if self._in_progress_ms is None and self._pending else self._in_progress_ms
        )
        return Backlog(
            waiting_count=self._waiting_count,
            oldest_ms=0 if oldest_ms is None else self.now_ms() - oldest_ms,
            refused_count=self.overloads,
            commit_count=self.commits,
        )

    async def close(self) -> None:
        """Finish all appends, close the file, end the threads and release the lock."""
        self._head.close()
        await self._idle.wait()
        if self._marking is not None:
            self._marking.cancel()  # closing writes the mark
        await self._opened.aclose()

    def _start_soon(self) -> None:
        # Not at once: appends of other callbacks that are ready now join the same batch.
        self._loop.call_soon(self._start)

    def _start(self) -> None:
        batch, self._pending = self._pending[:BATCH_MAX], self._pending[BATCH_MAX:]
        drafts = [draft for draft, _ in batch]
        self._in_progress_ms = drafts[0].at_ms
        commit = self._loop.run_in_executor(self._write_thread, self._writer.commit, drafts)
        commit.add_done_callback(functools.partial(self._settle, [kept for _, kept in batch]))

    def _settle(self, waiting: list[asyncio.Future[Appended]], commit: asyncio.Future[list[Appended]]) -> None:
        """Return the result of a batch to its callers, and start the next batch."""
        self._waiting_count -= len(waiting)
        self._in_progress_ms = None
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
            if not kept.done():  # the caller was cancelled; the observation is durable
                kept.set_result(appended)
        new = [appended.record for appended in batch if not appended.duplicate]
        self._tail.extend(new)
        if not self._creation.at_ms:
            at_ms = next((record.at_ms for record in new if is_chained(record.observation)), 0)
            self._creation = msgspec.structs.replace(self._creation, at_ms=at_ms)
        if self._marking is None:
            self._marking = self._loop.call_later(_MARK_AFTER_S, self._mark)
        self._log_records += len(new)
        if self._log_records >= _LOG_RECORDS_MAX and (self._log_copy is None or self._log_copy.done()):
            self._log_records = 0
            self._log_copy = self._loop.run_in_executor(self._read_thread, self._reader.checkpoint_log)
            self._log_copy.add_done_callback(_forget_failure)
        if len(self._tail) > 2 * TAIL_MAX:
            del self._tail[:-TAIL_MAX]
        self._head.advance(max(appended.record.seq for appended in batch))

    def _mark(self) -> None:
        self._marking = None
        self._loop.run_in_executor(self._write_thread, self._writer.mark)


def _forget_failure(copying: asyncio.Future[None]) -> None:
    """Retrieve the exception of a failed copy: the log then grows until a commit copies it, and reports the error."""
    if not copying.cancelled():
        copying.exception()


def _fail(waiting: list[asyncio.Future[Appended]], error: BaseException) -> None:
    for kept in waiting:
        if not kept.done():
            kept.set_exception(_unwrapped(error))


def _unwrapped(error: BaseException) -> BaseException:
    """Return a separate exception for each caller: a shared one would collect the tracebacks of all."""
    if not isinstance(error, SidecarError):
        return error
    own = SidecarError(error.code, error.message)
    own.__cause__ = error
    return own
