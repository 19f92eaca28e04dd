"""Read acks from a Redis stream, to which the backend adds them (`XADD`): the queue outlives a restart of either side.

An entry is acknowledged once its observation is durable, so a crash between the two repeats it, and the journal
deduplicates it. An entry that was removed before it was read is journalled as lost: Redis counts every
added entry, the sidecar counts every delivered one, and the difference that is not waiting is lost (`ack_group`). One
process reads for a group, as a journal in SQLite has one writer. While another consumer of the group has pending
entries, the liveness check does not pass.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import redis.asyncio
import redis.exceptions
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sidecar import clock, randomness
from sidecar.config import DEFAULT_CHANNEL, RedisStream
from sidecar.core.facts.observations import AckReceived, AcksLost, UserAuthReported
from sidecar.logs import Throttle
from sidecar.parts.metrics import Counter, gauge
from sidecar.parts.part import Part, TaskFunction
from sidecar.ports import Journal, SidecarError
from sidecar.probes.ack_entries import Entry, StreamResult, entries_of, fact_of_entry, rejected_entry
from sidecar.probes.ack_facts import is_other
from sidecar.probes.ack_group import accounting, error_text, forget_idle, is_after, is_gone, removed_count

BATCH_MAX = 500
"""Entries that are read, and wait for the journal, at once."""
REJECTED_MAX = 1_000
"""Approximate maximum of invalid entries that are stored for inspection."""
RECLAIM_AFTER_MS = 60_000
"""An entry delivered to another consumer this long ago and not acknowledged is claimed from it."""
SUSPECT_FROM = 5
"""An entry delivered this often and never acknowledged may crash the process: it is processed alone."""
TRIED_ALONE = 1_000
"""Delivery count that marks an entry as processed alone. An entry with it after a restart did crash the process."""

_FORGET_AFTER = 1_440
"""An idle consumer without entries is deleted after this many times `RECLAIM_AFTER_MS`: a day."""
_RECLAIM_EVERY_S = 10.0
_ACCOUNTING_EVERY_S = 1.0
"""Interval of the accounting without a liveness check."""
_BLOCK_MS = 100
"""Maximum wait of a read for an entry, and so of a liveness check. The shortest lease allows 167 ms
(`flags.controller`)."""
_TIMEOUT_S = 2.0
"""Timeout of connecting and of every response: longer than a blocking read, and well below a lease."""
_SHRINK = 8
"""Factor by which the batch shrinks after a timeout, down to one entry."""
_RETRY_S, _RETRY_MAX_S = 0.1, 5.0
_BEFORE_ALL = b"0-0"


class AckStream(Part):
    """Reads one stream as one consumer of a group."""

    entries = Counter("ack_stream_entries", "Entries of the ack stream by result.", {"result": StreamResult})
    reconnects = Counter("ack_stream_reconnects", "Failed reads of the ack stream, each followed by a reconnect.")

    name = "ack_stream"

    def __init__(
        self,
        journal: Journal,
        stream: RedisStream,
        *,
        password: str | None = None,
        identity_key: str | None = None,
        channel: str = DEFAULT_CHANNEL,
        consumer: str = "",
        reclaim_after_ms: int = RECLAIM_AFTER_MS,
    ) -> None:
        self.is_up = False
        """Whether the last read was answered."""
        self._journal = journal
        self._stream = stream
        self._password = password
        self._identity_key = identity_key
        self._channel = channel
        self._consumer = consumer or socket.gethostname()
        self._reclaim_after_ms = reclaim_after_ms
        self._throttle = Throttle()
        self._batch = BATCH_MAX
        self._was_attached = False
        self._has_processed_pending = False
        """Whether all pending entries were processed once, so that none of them crashes the process."""
        self._read_count: int | None = None
        """Number of added entries that were delivered or journalled as lost; None: unknown."""
        self._last_id = _BEFORE_ALL
        """The last entry in this count."""
        self._lost: list[int | None] = []
        """Losses to journal; None: of unknown number."""
        self._removed: set[bytes] = set()
        """Entries whose loss was journalled and that could not be acknowledged yet."""
        self._reclaimed_s = self._accounted_s = float("-inf")
        self._asked_s = self._sent_s = self._seen_s = float("-inf")
        """The latest liveness check; when the last read was sent; the read that completed it."""
        self._was_full = False
        self._completed = asyncio.Event()

    @gauge("ack_stream_up", "1 while the ack stream answers; absent if none is configured.")
    def up(self) -> float:
        """Return whether the last read was answered."""
        return float(self.is_up)

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that reads the stream."""
        yield "ack_stream", self.run

    async def caught_up_since(self, asked_s: float) -> None:
        """Return once all entries from before `asked_s` are in the journal. May wait without end."""
        self._asked_s = max(self._asked_s, asked_s)
        while self._seen_s < asked_s:
            await self._completed.wait()

    async def run(self) -> NoReturn:
        """Read without end, and reconnect after a failure."""
        retry_s = _RETRY_S
        while True:
            try:
                async with self._client() as client:
                    await self._attach(client)
                    await self._process_pending(client)
                    while True:
                        await self._read_once(client)
                        _end_if_cancelled()
                        self._log_up()
                        retry_s = _RETRY_S
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                if isinstance(error, redis.exceptions.TimeoutError | TimeoutError):
                    self._batch = max(1, self._batch // _SHRINK)  # the response may have been too large for the timeout
                self._log_once(type(error).__name__, error_text(error, self._stream))
            except SidecarError as error:  # from the journal: nothing was acknowledged, and all entries are read again
                self._log_once(error.code, error.message)
            _end_if_cancelled()
            self.is_up = False
            self.reconnects.inc()
            await asyncio.sleep(retry_s * randomness.uniform(0.5, 1.0))  # spreads replicas
            retry_s = min(_RETRY_MAX_S, 2 * retry_s)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[redis.asyncio.Redis]:
        client = redis.asyncio.Redis.from_url(
            self._stream.url,
            password=self._password,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # `run` reconnects, and reads pending entries first
            client_name="reverb-sidecar",
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def _attach(self, client: redis.asyncio.Redis) -> None:
        """Create the group if it is missing, from the first remaining entry: known entries are deduplicated.

        If it existed before, the stream or the group was deleted. If the last entry still exists and nothing after it
        was removed, only the group was deleted, and all entries are read again; otherwise the loss is unknown.
        """
        name, group = self._stream.name, self._stream.group
        removed = await removed_count(client, name)
        try:
            await client.xgroup_create(name, group, id="0", mkstream=True, entries_read=removed)
        except redis.exceptions.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            if self._read_count is None:
                counters = await accounting(client, self._stream, waiting_max=1)
                self._read_count, self._last_id = counters.read_count, counters.delivered_id
        else:
            if self._was_attached:
                structlog.get_logger().warning(
                    "ack_stream.recreated",
                    stream=name,
                    group=group,
                    hint="the stream or its consumer group was deleted; acks in it may be lost",
                )
                was_trimmed_only = self._read_count is not None and removed <= self._read_count
                if not (was_trimmed_only and await client.xrange(name, self._last_id, self._last_id)):
                    self._lost.append(None)
            self._read_count, self._last_id = removed, _BEFORE_ALL
        self._was_attached = True

    async def _process_pending(self, client: redis.asyncio.Redis) -> None:
        """Process entries that were delivered before and not acknowledged; the consumer name survives a restart."""
        after = b"0"
        while entries := await self._read(client, after, block_ms=None):
            self._count_delivered(entries)  # their response may have been cut off
            if self._has_processed_pending:
                await self._process(client, entries)
            else:
                await self._process_redelivered(client, entries)
            after = entries[-1][0]
        self._has_processed_pending = True

    async def _read_once(self, client: redis.asyncio.Redis) -> None:
        """Read once, and check whether all entries are in the journal."""
        if clock.monotonic_s() - self._reclaimed_s >= min(_RECLAIM_EVERY_S, self._reclaim_after_ms / 1000):
            await self._reclaim(client)
            self._reclaimed_s = clock.monotonic_s()
        is_checked, batch = self._asked_s >= self._sent_s, self._batch
        sent_s = self._sent_s = clock.monotonic_s()
        try:
            entries = await self._read(client, b">", block_ms=None if is_checked or self._was_full else _BLOCK_MS)
        except redis.exceptions.ResponseError as error:
            if not is_gone(error):
                raise
            await self._attach(client)
            return
        self._was_full = len(entries) >= batch
        self._count_delivered(entries)
        await self._process(client, entries)
        is_due = self._asked_s > self._seen_s or sent_s - self._accounted_s >= _ACCOUNTING_EVERY_S
        if not self._was_full and is_due and await self._is_complete(client):
            self._accounted_s = self._seen_s = sent_s
            self._completed.set()
            self._completed = asyncio.Event()

    def _count_delivered(self, entries: Sequence[Entry]) -> None:
        """Count entries that are not counted yet as delivered."""
        new = [entry_id for entry_id, _ in entries if is_after(entry_id, self._last_id)]
        if new:
            self._last_id = new[-1]
        if self._read_count is not None:
            self._read_count += len(new)

    async def _read(self, client: redis.asyncio.Redis, after: bytes, *, block_ms: int | None) -> list[Entry]:
        answer = await client.xreadgroup(
            self._stream.group, self._consumer, {self._stream.name: after}, count=self._batch, block=block_ms
        )
        return entries_of(answer)

    async def _reclaim(self, client: redis.asyncio.Redis) -> None:
        """Claim and process the entries of consumers that are gone, and delete idle consumers without entries."""
        name, group = self._stream.name, self._stream.group
        cursor: bytes = b"0-0"
        while True:
            cursor, entries, removed = await client.xautoclaim(
                name, group, self._consumer, self._reclaim_after_ms, cursor, count=self._batch
            )
            if removed:  # Redis reports it only once
                self._lost.append(len(removed))
            for _ in entries:
                self.entries.inc(StreamResult.RECLAIMED)
            await self._process_redelivered(client, entries)
            if cursor == b"0-0":
                break
        await self._journal_losses()
        idle_max_ms = _FORGET_AFTER * self._reclaim_after_ms
        await forget_idle(client, self._stream, keep=self._consumer, idle_max_ms=idle_max_ms)

    async def _process_redelivered(self, client: redis.asyncio.Redis, entries: Sequence[Entry]) -> None:
        """Process entries that were delivered before: one of them may have crashed the process."""
        if not entries:
            return
        name, group = self._stream.name, self._stream.group
        pending: Any = await client.xpending_range(
            name, group, min=entries[0][0], max=entries[-1][0], count=len(entries), consumername=self._consumer
        )
        delivery_counts: dict[bytes, int] = {each["message_id"]: each["times_delivered"] for each in pending}
        await self._process(client, [entry for entry in entries if delivery_counts.get(entry[0], 0) < SUSPECT_FROM])
        for entry in entries:
            if delivery_counts.get(entry[0], 0) >= TRIED_ALONE:
                await self._reject_unread(client, entry)
            elif delivery_counts.get(entry[0], 0) >= SUSPECT_FROM:
                await self._process_alone(client, entry)

    async def _process_alone(self, client: redis.asyncio.Redis, entry: Entry) -> None:
        """Process an entry that may crash the process, with a delivery count that marks it for the next start."""
        name, group = self._stream.name, self._stream.group
        await client.xclaim(name, group, self._consumer, 0, [entry[0]], retrycount=TRIED_ALONE, justid=True)
        try:
            await self._process(client, [entry])
        except SidecarError:  # the journal failed, not the entry
            await client.xclaim(name, group, self._consumer, 0, [entry[0]], retrycount=1, justid=True)
            raise

    async def _reject_unread(self, client: redis.asyncio.Redis, entry: Entry) -> None:
        commands = client.pipeline(transaction=False)
        self._reject(commands, *entry, "the sidecar crashed while it processed this entry alone")
        self._lost.append(1)  # it may have been an ack
        await self._journal_losses()
        await self._acknowledge(commands, [entry[0]])

    async def _process(self, client: redis.asyncio.Redis, entries: Sequence[Entry]) -> None:
        """Append the acks, reject the other entries, and then acknowledge all of them."""
        if not entries:
            return
        facts: list[AckReceived | UserAuthReported] = []
        removed: set[bytes] = set()
        commands = client.pipeline(transaction=False)
        for entry_id, fields in entries:
            if not fields:  # removed after delivery
                removed.add(entry_id)
                continue
            try:
                fact = fact_of_entry(entry_id, fields, identity_key=self._identity_key, channel=self._channel)
                facts.append(fact)
            except SidecarError as error:
                self._reject(commands, entry_id, fields, error.message)
        if removed - self._removed:
            self._lost.append(len(removed - self._removed))
        self._removed |= removed
        await self._append(facts)
        await self._journal_losses()
        await self._acknowledge(commands, [entry_id for entry_id, _ in entries])
        self._removed -= removed
        self._batch = min(BATCH_MAX, _SHRINK * self._batch)

    async def _append(self, facts: Sequence[AckReceived | UserAuthReported]) -> None:
        """Append the facts in order, and wait for all, so that at most a batch is pending."""
        appended = await asyncio.gather(*(self._journal.append(fact) for fact in facts), return_exceptions=True)
        for each in appended:
            if isinstance(each, BaseException):
                raise each
        for fact, each in zip(facts, appended, strict=True):
            assert not isinstance(each, BaseException)  # noqa: S101 - raised above
            if each.duplicate and is_other(fact, each.record.observation):
                self.entries.inc(StreamResult.KEY_REUSED)
                self._log_once(StreamResult.KEY_REUSED, "an entry has the idempotency key of another, and was dropped")
            else:
                self.entries.inc(StreamResult.DUPLICATE if each.duplicate else StreamResult.ACCEPTED)

    async def _acknowledge(self, commands: Any, entry_ids: Sequence[bytes]) -> None:
        commands.xack(self._stream.name, self._stream.group, *entry_ids)
        *stored, acknowledged = await commands.execute(raise_on_error=False)
        if isinstance(acknowledged, Exception):
            raise acknowledged
        for error in stored:
            if isinstance(error, Exception):  # the acknowledgement must not wait for it
                message = f"rejected entries cannot be stored: {error_text(error, self._stream)}"
                self._log_once("rejected_entries", message)

    def _reject(self, commands: Any, entry_id: bytes, fields: Mapping[bytes, bytes], reason: str) -> None:
        self.entries.inc(StreamResult.REJECTED)
        self._log_once(StreamResult.REJECTED, f"an entry is not an ack, and was rejected: {reason}")
        stored = rejected_entry(entry_id, fields, reason)
        commands.xadd(f"{self._stream.name}-rejected", stored, maxlen=REJECTED_MAX, approximate=True)

    async def _is_complete(self, client: redis.asyncio.Redis) -> bool:
        """Return whether every added entry is in the journal; one that is neither delivered nor waiting is lost."""
        counters = await accounting(client, self._stream, waiting_max=BATCH_MAX)
        if counters.waiting >= BATCH_MAX:  # read them first
            return False
        if self._read_count is not None and counters.passed != self._read_count:
            # fewer entries than were delivered: Redis lost data, of unknown extent
            self._lost.append(counters.passed - self._read_count if counters.passed > self._read_count else None)
        self._read_count = counters.passed
        await self._journal_losses()
        if counters.read_count != counters.passed:
            await client.xgroup_setid(
                self._stream.name, self._stream.group, counters.delivered_id, entries_read=counters.passed
            )
        if counters.pending:
            self._log_once(
                "others", f"another consumer has {counters.pending} pending entries; they are claimed once it is gone"
            )
        return not counters.pending

    async def _journal_losses(self) -> None:
        """Journal lost acks; a failed append is repeated the next time."""
        while self._lost:
            count = self._lost[0]
            await self._journal.append(AcksLost(source=self.name, count=count))
            del self._lost[0]
            for _ in range(1 if count is None else min(count, BATCH_MAX)):
                self.entries.inc(StreamResult.LOST)
            self._log_once(StreamResult.LOST, "entries were removed before they were read: trim the stream by age")

    def _log_up(self) -> None:
        if not self.is_up:
            self.is_up = True
            structlog.get_logger().info("ack_stream.up", stream=self._stream.name, reconnects=self.reconnects.total())

    def _log_once(self, kind: str, message: str) -> None:
        self._throttle.warn(kind, "ack_stream.failed", kind=str(kind), message=message)


def _end_if_cancelled() -> None:
    """Raise `CancelledError` if redis-py swallowed one as its own timeout."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
