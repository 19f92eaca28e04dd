"""Acks from a Redis stream, to which the backend adds them (`XADD`): a queue that outlives a restart of either side.

An entry is acknowledged once its observation is durable, so a crash between the two repeats it, and the journal knows
it again. What was removed before we read it is lost evidence, and is told as such: Redis counts what was ever added
(`entries-added` of `XINFO STREAM`, Redis 7 or later), we count what we were given, and the difference that is not
waiting is gone. Our count stands in the group as its `entries-read`, which Redis 7.0 itself forgets when it reads its
append-only file. One process reads for a group: a journal in SQLite has one.
"""

import asyncio
import enum
import random
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import msgspec
import redis.asyncio
import redis.exceptions
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sidecar import clock
from sidecar.config import RedisStream
from sidecar.core.observations import UNREADABLE, AckSeen, AcksLost
from sidecar.logs import Throttle
from sidecar.ports import Count, Journal, SidecarError
from sidecar.probes.ack_facts import Ack, fact_of, invalid, why

BATCH_MAX = 500
"""Entries that are read, and wait for the journal, at once."""
REJECTED_MAX = 1_000
"""Entries that are kept aside, about."""
ENTRY_BYTES_MAX = 16 * 1024
RECLAIM_AFTER_MS = 60_000
"""An entry that another consumer was given so long ago and did not acknowledge is ours: that consumer is gone."""

_FORGET_AFTER_MS = 24 * 3_600_000
_BLOCK_MS = 250
"""How long a read waits for an entry: as long may a question wait whether all was seen."""
_TIMEOUT_S = 2.0
"""Of every answer and of connecting: longer than a blocking read, and well below a lease."""
_RETRY_S, _RETRY_MAX_S = 0.1, 5.0

Entry = tuple[bytes, dict[bytes, bytes]]


class StreamResult(enum.StrEnum):
    """What became of an entry; a closed set."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    """It is no ack; it was set aside in `<name>-rejected`, with the reason."""
    LOST = "lost"
    """It was removed before we read it."""


class _Census(msgspec.Struct, frozen=True, kw_only=True):
    """Redis's own books of the stream and of our group."""

    added: int
    """Entries that were ever added."""
    waiting: int
    """Of those that are left, how many nobody was given; at most `BATCH_MAX`."""
    given_id: bytes
    """The last entry that our group was given."""
    read_count: int | None


class AckStream:
    """Reads one stream as one consumer of a group."""

    name = "ack_stream"

    def __init__(
        self,
        journal: Journal,
        stream: RedisStream,
        count: Count,
        *,
        password: str | None = None,
        identity_key: str | None = None,
        consumer: str = "",
    ) -> None:
        self.is_up = False
        """Whether the last read was answered."""
        self._journal = journal
        self._stream = stream
        self._count = count
        self._password = password
        self._identity_key = identity_key
        self._consumer = consumer or socket.gethostname()
        self._throttle = Throttle()
        self._was_attached = False
        self._read_count: int | None = None
        """Of all that was ever added, how many we were given or have told to be lost; None: not known yet."""
        self._reclaimed_s = float("-inf")
        self._seen_s = float("-inf")
        self._waiting = 0
        self._news = asyncio.Event()

    async def seen_since(self, asked_s: float) -> None:
        """Return once all that was there at `asked_s` is in the journal. May wait for ever."""
        self._waiting += 1
        try:
            while self._seen_s < asked_s:
                await self._news.wait()
        finally:
            self._waiting -= 1

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
                        self.is_up, retry_s = True, _RETRY_S
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                self._tell(type(error).__name__, _what_to_do(error, self._stream))
            except SidecarError as error:  # the journal's: nothing was acknowledged, and all comes again
                self._tell(error.code, error.message)
            _end_if_cancelled()
            self.is_up = False
            await asyncio.sleep(retry_s * random.uniform(0.5, 1.0))  # noqa: S311 - so that replicas do not come at once
            retry_s = min(_RETRY_MAX_S, 2 * retry_s)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[redis.asyncio.Redis]:
        client = redis.asyncio.Redis.from_url(
            self._stream.url,
            password=self._password,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # we connect again ourselves, and look at our pending entries first
            client_name="reverb-sidecar",
        )
        try:
            yield client
        finally:
            await client.aclose()

    async def _attach(self, client: redis.asyncio.Redis) -> None:
        """Make the group where there is none, from the first entry that is left: what we know already is known again.

        If we had one before, the stream or the group was deleted, and nobody knows what was in it.
        """
        name, group = self._stream.name, self._stream.group
        try:
            removed = await _removed_count(client, name)
            await client.xgroup_create(name, group, id="0", mkstream=True, entries_read=removed)
        except redis.exceptions.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            if self._read_count is None:
                self._read_count = (await self._census(client)).read_count
        else:
            self._read_count = removed
            if self._was_attached:
                structlog.get_logger().warning(
                    "ack_stream.recreated",
                    stream=name,
                    group=group,
                    hint="the stream or its consumer group was deleted; acks in it may be lost",
                )
                await self._lose(None)
        self._was_attached = True

    async def _take_own(self, client: redis.asyncio.Redis) -> None:
        """Take what we were given before and did not acknowledge; our name is the same after a restart."""
        after = b"0"
        while entries := await self._read(client, after, block_ms=None):
            await self._take(client, entries)
            after = entries[-1][0]

    async def _turn(self, client: redis.asyncio.Redis) -> None:
        """Read once, and see whether that was all."""
        if clock.monotonic_s() - self._reclaimed_s >= RECLAIM_AFTER_MS / 1000:
            await self._reclaim(client)
            self._reclaimed_s = clock.monotonic_s()
        asked_s = clock.monotonic_s()
        try:
            entries = await self._read(client, b">", block_ms=None if self._waiting else _BLOCK_MS)
        except redis.exceptions.ResponseError as error:
            if not _is_gone(error):
                raise
            await self._attach(client)
            return
        if self._read_count is not None:
            self._read_count += len(entries)
        await self._take(client, entries)
        if len(entries) < BATCH_MAX:
            await self._count_lost(client)
            self._seen_s = asked_s
            self._news.set()
            self._news = asyncio.Event()

    async def _read(self, client: redis.asyncio.Redis, after: bytes, *, block_ms: int | None) -> list[Entry]:
        answer = await client.xreadgroup(
            self._stream.group, self._consumer, {self._stream.name: after}, count=BATCH_MAX, block=block_ms
        )
        return _entries_of(answer)

    async def _reclaim(self, client: redis.asyncio.Redis) -> None:
        """Take what consumers that are gone were given, and forget those that have nothing left."""
        name, group = self._stream.name, self._stream.group
        cursor: bytes = b"0-0"
        while True:
            cursor, entries, removed = await client.xautoclaim(
                name, group, self._consumer, RECLAIM_AFTER_MS, cursor, count=BATCH_MAX
            )
            await self._take(client, entries)
            if removed:
                await self._lose(len(removed))
            if cursor == b"0-0":
                break
        for consumer in await client.xinfo_consumers(name, group):
            is_ours = consumer["name"] == self._consumer.encode()
            if not is_ours and not consumer["pending"] and consumer["idle"] > _FORGET_AFTER_MS:
                await client.xgroup_delconsumer(name, group, consumer["name"])

    async def _take(self, client: redis.asyncio.Redis, entries: Sequence[Entry]) -> None:
        """Make the entries durable, set aside what is no ack, and only then acknowledge them."""
        if not entries:
            return
        facts: list[AckSeen] = []
        lost = 0
        answer = client.pipeline(transaction=False)
        for entry_id, fields in entries:
            if not fields:  # it was removed after it had been given to us
                lost += 1
                continue
            try:
                facts.append(self.fact_of_entry(entry_id, fields))
            except SidecarError as error:
                self._reject(answer, entry_id, fields, error.message)
        appended = await asyncio.gather(*(self._journal.append(fact) for fact in facts))
        for each in appended:
            self._count(StreamResult.DUPLICATE if each.duplicate else StreamResult.ACCEPTED)
        if lost:
            await self._lose(lost)
        answer.xack(self._stream.name, self._stream.group, *(entry_id for entry_id, _ in entries))
        await answer.execute()

    def fact_of_entry(self, entry_id: bytes, fields: Mapping[bytes, bytes]) -> AckSeen:
        """Return what an entry says. Raises `SidecarError` if it is no ack."""
        if sum(len(key) + len(value) for key, value in fields.items()) > ENTRY_BYTES_MAX:
            raise invalid(f"it is larger than {ENTRY_BYTES_MAX} bytes")
        try:
            words: dict[str, Any] = {key.decode(): value.decode() for key, value in fields.items()}
            if "contexts" in words:
                words["contexts"] = _list_of(words["contexts"])
            ack = msgspec.convert(words, Ack)
        except UNREADABLE as error:
            raise invalid(why(error)) from error
        return fact_of(ack, identity_key=self._identity_key, ack_id=f"stream:{entry_id.decode()}")

    def _reject(self, answer: Any, entry_id: bytes, fields: Mapping[bytes, bytes], reason: str) -> None:
        self._count(StreamResult.REJECTED)
        self._tell(StreamResult.REJECTED, f"an entry is no ack, and was set aside: {reason}")
        kept = {key[:64]: value[:256] for key, value in list(fields.items())[:20]}
        aside = {b"entry": entry_id, b"why": reason.encode(), **{b"field:" + key: value for key, value in kept.items()}}
        answer.xadd(f"{self._stream.name}-rejected", aside, maxlen=REJECTED_MAX, approximate=True)

    async def _count_lost(self, client: redis.asyncio.Redis) -> None:
        """Find what was added and is neither waiting nor was given to us; tell it once, and note it in the group."""
        census = await self._census(client)
        if census.waiting >= BATCH_MAX:  # there is more to read first
            return
        passed = census.added - census.waiting
        if self._read_count is not None and passed != self._read_count:
            # Redis that has less than we were given has forgotten, and nobody knows what else
            await self._lose(passed - self._read_count if passed > self._read_count else None)
        self._read_count = passed
        if census.read_count != passed:
            await client.xgroup_setid(self._stream.name, self._stream.group, census.given_id, entries_read=passed)

    async def _census(self, client: redis.asyncio.Redis) -> _Census:
        name, group = self._stream.name, self._stream.group
        async with client.pipeline(transaction=True) as ask:
            ask.xinfo_stream(name)
            ask.xinfo_groups(name)
            stream, groups = await ask.execute()
        ours = next((each for each in groups if each["name"] == group.encode()), None)
        if ours is None:
            message = "NOGROUP"
            raise redis.exceptions.ResponseError(message)
        given_id: bytes = ours["last-delivered-id"]
        waiting = await client.xrange(name, b"(" + given_id, "+", count=BATCH_MAX)
        later = [entry_id for entry_id, _ in waiting or () if isinstance(entry_id, bytes)]
        added = stream["entries-added"] + sum(_is_after(entry_id, stream["last-generated-id"]) for entry_id in later)
        return _Census(added=added, waiting=len(later), given_id=given_id, read_count=ours["entries-read"])

    async def _lose(self, count: int | None) -> None:
        """Tell the journal that acks are gone."""
        await self._journal.append(AcksLost(source=self.name, count=count))
        for _ in range(1 if count is None else min(count, BATCH_MAX)):
            self._count(StreamResult.LOST)
        self._tell(StreamResult.LOST, "entries were removed before they were read: trim the stream by age, not length")

    def _tell(self, kind: str, message: str) -> None:
        held_back = self._throttle.passes(kind)
        if held_back is not None:
            structlog.get_logger().warning("ack_stream.failed", kind=str(kind), message=message, held_back=held_back)


async def _removed_count(client: redis.asyncio.Redis, name: str) -> int:
    """Return how many entries the stream once had, and has no more; 0 where there is none."""
    try:
        stream = await client.xinfo_stream(name)
    except redis.exceptions.ResponseError as error:
        if "no such key" in str(error):
            return 0
        raise
    removed: int = stream["entries-added"] - stream["length"]
    return removed


def _entries_of(answer: Any) -> list[Entry]:
    """Return the entries of the one stream that was read. RESP3 has a mapping where RESP2 has pairs; `[]` is none."""
    if not answer:
        return []
    lists = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer]
    flat: list[Entry] = []
    for entries in lists:
        nested = entries[0] if entries and isinstance(entries[0], list) else entries
        flat.extend((entry_id, fields or {}) for entry_id, fields in nested)
    return flat


def _list_of(text: str) -> list[Any]:
    if text.startswith("["):
        return msgspec.json.decode(text, type=list[str])
    return [word.strip() for word in text.split(",") if word.strip()]


def _is_after(entry_id: bytes, other: bytes) -> bool:
    """Say whether an entry was added after another: ids are MILLISECONDS-NUMBER."""
    return [int(part) for part in entry_id.split(b"-")] > [int(part) for part in other.split(b"-")]


def _end_if_cancelled() -> None:
    """Raise `CancelledError` where redis-py took one for the end of its own time, and went on."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _is_gone(error: redis.exceptions.ResponseError) -> bool:
    """Say whether the stream or the group is not there any more."""
    said = str(error)
    return said.startswith(("NOGROUP", "UNBLOCKED")) or "no such key" in said


def _what_to_do(error: Exception, stream: RedisStream) -> str:
    where = f"acks.redis_stream {stream.url} {stream.name}"
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.AuthenticationWrongNumberOfArgsError):
        return f"{where}: Redis wants another password; set SIDECAR_REDIS_PASSWORD"
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return f"{where}: Redis is still loading its data; it is tried again"
    if isinstance(error, redis.exceptions.ReadOnlyError):
        return f"{where}: Redis is a read-only replica; name the primary"
    if isinstance(error, redis.exceptions.ResponseError) and "WRONGTYPE" in str(error):
        return f"{where}: this key is no stream; name another under `acks.redis_stream`, or delete it"
    if isinstance(error, redis.exceptions.ResponseError):
        return f"{where}: Redis refuses ({str(error).split(' ', 1)[0][:40]}); Redis 7 or later is needed"
    return f"{where}: Redis does not answer; is it running, and can it be reached from here?"
