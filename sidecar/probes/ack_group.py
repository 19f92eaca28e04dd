"""The consumer group of the ack stream in Redis: its counters, its consumers, and the errors of its commands.

Redis 7.0 counts every added entry (`entries-added`), but not every delivered one: after a trim a group's `entries-read`
and `lag` continue as if removed entries were still waiting, and loading the append-only file makes both nil. So the
sidecar counts the entries that were delivered to it, and stores the count in the group.
"""

from typing import Any

import msgspec
import redis.asyncio
import redis.exceptions as failures

from sidecar.config import RedisStream


class Accounting(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of the group at one moment."""

    passed: int
    """Added entries that are not waiting: delivered to the group, or removed."""
    waiting: int
    """Entries not delivered to any consumer; at most the number that was requested."""
    pending: int
    """Entries delivered to any consumer of the group and not acknowledged."""
    delivered_id: bytes
    """The last entry delivered to the group."""
    read_count: int | None
    """Redis's own count of entries delivered to the group; None if Redis has none."""


async def accounting(client: redis.asyncio.Redis, stream: RedisStream, *, waiting_max: int) -> Accounting:
    """Return the counters. Raises `ResponseError` with NOGROUP if the group is missing."""
    async with client.pipeline(transaction=True) as commands:
        commands.xinfo_stream(stream.name)
        commands.xinfo_groups(stream.name)
        whole, groups = await commands.execute()
    group = next((each for each in groups if each["name"] == stream.group.encode()), None)
    if group is None:
        message = "NOGROUP"
        raise failures.ResponseError(message)
    delivered_id: bytes = group["last-delivered-id"]
    response = await client.xrange(stream.name, b"(" + delivered_id, "+", count=waiting_max)
    waiting = [entry_id for entry_id, _ in response or () if isinstance(entry_id, bytes)]
    added_since = sum(is_after(entry_id, whole["last-generated-id"]) for entry_id in waiting)
    return Accounting(
        passed=whole["entries-added"] + added_since - len(waiting),
        waiting=len(waiting),
        pending=group["pending"],
        delivered_id=delivered_id,
        read_count=group["entries-read"],
    )


async def removed_count(client: redis.asyncio.Redis, name: str) -> int:
    """Return the number of removed entries; 0 if the stream does not exist."""
    try:
        whole: Any = await client.xinfo_stream(name)
    except failures.ResponseError as error:
        if "no such key" in str(error):
            return 0
        raise
    return int(whole["entries-added"] - whole["length"])


def is_gone(error: failures.ResponseError) -> bool:
    """Return whether the stream or the group does not exist."""
    message = str(error)
    return message.startswith(("NOGROUP", "UNBLOCKED")) or "no such key" in message


def is_after(entry_id: bytes, other: bytes) -> bool:
    """Return whether an entry was added after another: ids are MILLISECONDS-NUMBER."""
    return [int(part) for part in entry_id.split(b"-")] > [int(part) for part in other.split(b"-")]


async def forget_idle(client: redis.asyncio.Redis, stream: RedisStream, *, keep: str, idle_max_ms: int) -> None:
    """Delete other consumers of the group that have been idle for too long and have no pending entries."""
    for consumer in await client.xinfo_consumers(stream.name, stream.group):
        is_idle = not consumer["pending"] and consumer["idle"] > idle_max_ms
        if is_idle and consumer["name"] != keep.encode():
            await client.xgroup_delconsumer(stream.name, stream.group, consumer["name"])


_PASSWORD = "Redis refuses the password; set SIDECAR_REDIS_PASSWORD"  # noqa: S105 - a message, not a secret
_ERRORS: tuple[tuple[type[failures.RedisError], str, str], ...] = (
    (failures.AuthenticationError, "", _PASSWORD),
    (failures.AuthenticationWrongNumberOfArgsError, "", _PASSWORD),
    (failures.AuthorizationError, "", _PASSWORD),
    (
        failures.NoPermissionError,
        "",
        "Redis's access rules deny this key or a command; allow reading and acknowledging it",
    ),
    (failures.BusyLoadingError, "", "Redis is still loading its data; the sidecar tries again"),
    (failures.ReadOnlyError, "", "Redis is a read-only replica; name the primary"),
    (failures.MasterDownError, "", "Redis is a replica without its primary; name the primary, or repair the link"),
    (failures.OutOfMemoryError, "", "Redis is out of memory; raise its maxmemory, or delete data"),
    (failures.ResponseError, "WRONGTYPE", "the key is not a stream; name another in `acks.redis_stream`, or delete it"),
    (failures.ResponseError, "DB index is out of range", "Redis has no database of this number; change it in the URL"),
)
"""Type of the error, a part of its text, and the message with its remedy."""


def error_text(error: Exception, stream: RedisStream) -> str:
    """Return a failure of Redis with its remedy, without a secret and without the content of an entry."""
    where = f"acks.redis_stream {stream.url} {stream.name}"
    for kind, part, message in _ERRORS:
        if isinstance(error, kind) and part in str(error):
            return f"{where}: {message}"
    if not isinstance(error, failures.ResponseError):
        return f"{where}: Redis does not answer; check that it runs and that the sidecar can reach it"
    return f"{where}: Redis refuses a command ({str(error).split(' ', 1)[0][:40]}); Redis 7 or later is required"
