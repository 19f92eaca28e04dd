"""Acks from a Redis stream, to which the backend adds them (`XADD`): a queue that outlives a restart of either side.

An entry is acknowledged once its observation is durable, so a crash between the two repeats it, and the journal
deduplicates it. An entry that was removed before it was read is lost evidence, and is journalled as lost: Redis counts
every added entry, the sidecar counts what it was given, and the difference that is not waiting is lost
(`ack_accounting`). One process reads for a group: a journal in SQLite has one. While another consumer of the group
holds entries, not everything was read.
"""

import asyncio
import enum
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
from sidecar.metrics.declarations import Counter, gauge
from sidecar.ports import Actor, Journal, Part, SidecarError
from sidecar.probes.ack_accounting import accounting, is_after, is_gone, removed_count
from sidecar.probes.ack_entries import Entry, aside, entries_of, fact_of_entry
from sidecar.probes.ack_stream_errors import what_to_do

BATCH_MAX = 500
"""Entries that are read, and wait for the journal, at once."""
REJECTED_MAX = 1_000
"""Approximate maximum of invalid entries that are stored for inspection."""
RECLAIM_AFTER_MS = 60_000
"""An entry delivered to another consumer this long ago and not acknowledged is claimed: that consumer is gone."""
SUSPECT_FROM = 5
"""An entry delivered this often and never acknowledged may crash the process: it is processed alone."""
TRIED_ALONE = 1_000
"""The delivery count of an entry that is processed alone; found again after a restart, it did crash the process."""

_FORGET_AFTER = 1_440
"""A consumer that has nothing is forgotten after so many times `RECLAIM_AFTER_MS`: a day."""
_RECLAIM_EVERY_S = 10.0
_LOOK_EVERY_S = 1.0
"""Interval of the accounting without a liveness check."""
_BLOCK_MS = 100
"""Maximum wait of a read for an entry, and so of a liveness check. The shortest lease allows 167 ms
(`flags.controller`)."""
_TIMEOUT_S = 2.0
"""Of every answer and of connecting: longer than a blocking read, and well below a lease."""
_SHRINK = 8
"""Factor by which a batch shrinks that did not arrive in time, down to one entry."""
_RETRY_S, _RETRY_MAX_S = 0.1, 5.0
_BEFORE_ALL = b"0-0"


class StreamResult(enum.StrEnum):
    """What became of an entry; a closed set."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    """It is no ack; it was set aside in `<name>-rejected`, with the reason."""
    LOST = "lost"
    """It was removed before it was read, or cannot be read."""
    RECLAIMED = "reclaimed"
    """Another consumer had been given it and is gone; it is counted once more by what became of it."""


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
        self._has_lived = False
        """Whether all pending entries were processed once: none of them crashes the process."""
        self._read_count: int | None = None
        """Entries, of all that were added, that were delivered or declared lost; None: not known yet."""
        self._last_id = _BEFORE_ALL
        """The last entry that is in this count."""
        self._lost: list[int | None] = []
        """Losses that are not journalled yet."""
        self._removed: set[bytes] = set()
        """Entries whose loss was journalled and that could not be acknowledged yet."""
        self._reclaimed_s = self._looked_s = float("-inf")
        self._asked_s = self._sent_s = self._seen_s = float("-inf")
        """The latest liveness check; when the last read was sent; the read that completed it."""
        self._was_full = False
        self._news = asyncio.Event()

    @gauge("ack_stream_up", "1 while the ack stream answers; absent if none is configured.")
    def up(self) -> float:
        """Return whether the last read was answered."""
        return float(self.is_up)

    def tasks(self) -> Iterable[tuple[str, Actor]]:
        """Return the reader."""
        yield "ack_stream", self.run

    async def seen_since(self, asked_s: float) -> None:
        """Return once all that was there at `asked_s` is in the journal. May wait for ever."""
        self._asked_s = max(self._asked_s, asked_s)
        while self._seen_s < asked_s:
            await self._news.wait()

    async def run(self) -> NoReturn:
        """Read for ever, and connect again whenever that fails."""
        retry_s = _RETRY_S
        while True:
            try:
                async with self._client() as client:
                    await self._attach(client)
                    await self._take_own(client)
                    while True:
                        await self._turn(client)
                        _end_if_cancelled()
                        self._tell_up()
                        retry_s = _RETRY_S
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                if isinstance(error, redis.exceptions.TimeoutError | TimeoutError):
                    self._batch = max(1, self._batch // _SHRINK)  # it may have been too large to come in time
                self._log_once(type(error).__name__, what_to_do(error, self._stream))
            except SidecarError as error:  # the journal's: nothing was acknowledged, and all comes again
                self._log_once(error.code, error.message)
            _end_if_cancelled()
            self.is_up = False
            self.reconnects.inc()
            await asyncio.sleep(retry_s * randomness.uniform(0.5, 1.0))  # so that replicas do not come at once
            retry_s = min(_RETRY_MAX_S, 2 * retry_s)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[redis.asyncio.Redis]:
        client = redis.asyncio.Redis.from_url(
            self._stream.url,
            password=self._password,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # reconnects go through `_join`, which reads pending entries first
            client_name="reverb-sidecar",
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def _attach(self, client: redis.asyncio.Redis) -> None:
        """Create the group where there is none, from the first remaining entry: known entries are deduplicated.

        If there was one before, the stream or the group was deleted. Where the last entry still exists and nothing
        after it was removed, only the group was deleted, and all entries are read again; otherwise their number is
        unknown.
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
                self._read_count, self._last_id = counters.read_count, counters.given_id
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

    async def _take_own(self, client: redis.asyncio.Redis) -> None:
        """Process entries that were delivered before and not acknowledged; the consumer name survives a restart."""
        after = b"0"
        while entries := await self._read(client, after, block_ms=None):
            self._count_given(entries)  # by an answer that was cut off
            if self._has_lived:
                await self._take(client, entries)
            else:
                await self._take_carefully(client, entries)
            after = entries[-1][0]
        self._has_lived = True

    async def _turn(self, client: redis.asyncio.Redis) -> None:
        """Read once, and see whether that was all."""
        if clock.monotonic_s() - self._reclaimed_s >= min(_RECLAIM_EVERY_S, self._reclaim_after_ms / 1000):
            await self._reclaim(client)
            self._reclaimed_s = clock.monotonic_s()
        is_asked, batch = self._asked_s >= self._sent_s, self._batch
        sent_s = self._sent_s = clock.monotonic_s()
        try:
            entries = await self._read(client, b">", block_ms=None if is_asked or self._was_full else _BLOCK_MS)
        except redis.exceptions.ResponseError as error:
            if not is_gone(error):
                raise
            await self._attach(client)
            return
        self._was_full = len(entries) >= batch
        self._count_given(entries)
        await self._take(client, entries)
        is_due = self._asked_s > self._seen_s or sent_s - self._looked_s >= _LOOK_EVERY_S
        if not self._was_full and is_due and await self._is_all(client):
            self._looked_s = self._seen_s = sent_s
            self._news.set()
            self._news = asyncio.Event()

    def _count_given(self, entries: Sequence[Entry]) -> None:
        """Count entries whose delivery was not known."""
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
        """Take what consumers that are gone were given, and forget those that have nothing left."""
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
            await self._take_carefully(client, entries)
            if cursor == b"0-0":
                break
        await self._journal_losses()
        for consumer in await client.xinfo_consumers(name, group):
            is_ours = consumer["name"] == self._consumer.encode()
            is_long_idle = consumer["idle"] > _FORGET_AFTER * self._reclaim_after_ms
            if not is_ours and not consumer["pending"] and is_long_idle:
                await client.xgroup_delconsumer(name, group, consumer["name"])

    async def _take_carefully(self, client: redis.asyncio.Redis, entries: Sequence[Entry]) -> None:
        """Take entries that were given before: one of them may be what ended the process that was given it."""
        if not entries:
            return
        name, group = self._stream.name, self._stream.group
        pending: Any = await client.xpending_range(
            name, group, min=entries[0][0], max=entries[-1][0], count=len(entries), consumername=self._consumer
        )
        given: dict[bytes, int] = {each["message_id"]: each["times_delivered"] for each in pending}
        await self._take(client, [entry for entry in entries if given.get(entry[0], 0) < SUSPECT_FROM])
        for entry in entries:
            if given.get(entry[0], 0) >= TRIED_ALONE:
                await self._set_aside_unread(client, entry)
            elif given.get(entry[0], 0) >= SUSPECT_FROM:
                await self._take_alone(client, entry)

    async def _take_alone(self, client: redis.asyncio.Redis, entry: Entry) -> None:
        """Process an entry that may crash the process, with a mark on it that survives the crash."""
        name, group = self._stream.name, self._stream.group
        await client.xclaim(name, group, self._consumer, 0, [entry[0]], retrycount=TRIED_ALONE, justid=True)
        try:
            await self._take(client, [entry])
        except SidecarError:  # it is the journal, and not the entry
            await client.xclaim(name, group, self._consumer, 0, [entry[0]], retrycount=1, justid=True)
            raise

    async def _set_aside_unread(self, client: redis.asyncio.Redis, entry: Entry) -> None:
        answer = client.pipeline(transaction=False)
        self._reject(answer, *entry, "the sidecar ended while it read this entry alone")
        self._lost.append(1)  # it may have been an ack
        await self._journal_losses()
        await self._acknowledge(answer, [entry[0]])

    async def _take(self, client: redis.asyncio.Redis, entries: Sequence[Entry]) -> None:
        """Make the entries durable, set aside what is no ack, and only then acknowledge them."""
        if not entries:
            return
        facts: list[AckReceived | UserAuthReported] = []
        removed: set[bytes] = set()
        answer = client.pipeline(transaction=False)
        for entry_id, fields in entries:
            if not fields:  # removed after delivery
                removed.add(entry_id)
                continue
            try:
                facts.append(self.fact_of_entry(entry_id, fields))
            except SidecarError as error:
                self._reject(answer, entry_id, fields, error.message)
        if removed - self._removed:
            self._lost.append(len(removed - self._removed))
        self._removed |= removed
        await self._append(facts)
        await self._journal_losses()
        await self._acknowledge(answer, [entry_id for entry_id, _ in entries])
        self._removed -= removed
        self._batch = min(BATCH_MAX, _SHRINK * self._batch)

    async def _append(self, facts: Sequence[AckReceived | UserAuthReported]) -> None:
        """Make the facts durable, in order. Waits for all of them, so that no more than a batch is ever pending."""
        appended = await asyncio.gather(*(self._journal.append(fact) for fact in facts), return_exceptions=True)
        for each in appended:
            if isinstance(each, BaseException):
                raise each
        for each in appended:
            is_known = not isinstance(each, BaseException) and each.duplicate
            self.entries.inc(StreamResult.DUPLICATE if is_known else StreamResult.ACCEPTED)

    async def _acknowledge(self, answer: Any, entry_ids: Sequence[bytes]) -> None:
        answer.xack(self._stream.name, self._stream.group, *entry_ids)
        *set_aside, acknowledged = await answer.execute(raise_on_error=False)
        if isinstance(acknowledged, Exception):
            raise acknowledged
        for error in set_aside:
            if isinstance(error, Exception):  # the others must not wait for it
                self._log_once(
                    "aside", f"entries that are no acks cannot be set aside: {what_to_do(error, self._stream)}"
                )

    def fact_of_entry(self, entry_id: bytes, fields: Mapping[bytes, bytes]) -> AckReceived | UserAuthReported:
        """Return the observation of an entry. Raises `SidecarError` if it is no ack."""
        return fact_of_entry(entry_id, fields, identity_key=self._identity_key, channel=self._channel)

    def _reject(self, answer: Any, entry_id: bytes, fields: Mapping[bytes, bytes], reason: str) -> None:
        self.entries.inc(StreamResult.REJECTED)
        self._log_once(StreamResult.REJECTED, f"an entry is no ack, and was set aside: {reason}")
        kept = aside(entry_id, fields, reason)
        answer.xadd(f"{self._stream.name}-rejected", kept, maxlen=REJECTED_MAX, approximate=True)

    async def _is_all(self, client: redis.asyncio.Redis) -> bool:
        """Return whether every added entry is in the journal. Neither delivered nor waiting: lost."""
        counters = await accounting(client, self._stream, waiting_max=BATCH_MAX)
        if counters.waiting >= BATCH_MAX:  # there is more to read first
            return False
        if self._read_count is not None and counters.passed != self._read_count:
            # fewer entries than were delivered: Redis lost data, of unknown extent
            self._lost.append(counters.passed - self._read_count if counters.passed > self._read_count else None)
        self._read_count = counters.passed
        await self._journal_losses()
        if counters.read_count != counters.passed:
            await client.xgroup_setid(
                self._stream.name, self._stream.group, counters.given_id, entries_read=counters.passed
            )
        if counters.pending:
            self._log_once(
                "others", f"another consumer holds {counters.pending} entries; they are taken over when it is gone"
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

    def _tell_up(self) -> None:
        if not self.is_up:
            self.is_up = True
            structlog.get_logger().info("ack_stream.up", stream=self._stream.name, reconnects=self.reconnects.total())

    def _log_once(self, kind: str, message: str) -> None:
        self._throttle.warn(kind, "ack_stream.failed", kind=str(kind), message=message)


def _end_if_cancelled() -> None:
    """Raise `CancelledError` where redis-py took one for the end of its own time, and went on."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
