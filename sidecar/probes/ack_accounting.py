"""Redis's counters of the ack stream and its group, from which lost entries are computed.

Redis 7.0 counts every added entry (`entries-added`), but not what a group was given: after a trim its `entries-read`
and `lag` continue as if removed entries were still waiting, and loading the append-only file makes both nil. So the
sidecar counts the entries that it was given, and stores the count in the group.
"""

from typing import Any

import msgspec
import redis.asyncio
import redis.exceptions

from sidecar.config import RedisStream


class Accounting(msgspec.Struct, frozen=True, kw_only=True):
    """The counters at one moment."""

    passed: int
    """Entries that were added and do not wait: delivered to the group, or removed."""
    waiting: int
    """Entries not delivered to any consumer; at most the number that was requested."""
    pending: int
    """Entries delivered to any consumer of the group and not acknowledged."""
    given_id: bytes
    """The last entry delivered to the group."""
    read_count: int | None
    """Redis's own count of entries delivered to the group; None: unknown."""


async def accounting(client: redis.asyncio.Redis, stream: RedisStream, *, waiting_max: int) -> Accounting:
    """Return the counters. Raises `ResponseError` with NOGROUP where there is no group."""
    async with client.pipeline(transaction=True) as ask:
        ask.xinfo_stream(stream.name)
        ask.xinfo_groups(stream.name)
        whole, groups = await ask.execute()
    group = next((each for each in groups if each["name"] == stream.group.encode()), None)
    if group is None:
        message = "NOGROUP"
        raise redis.exceptions.ResponseError(message)
    given_id: bytes = group["last-delivered-id"]
    answer = await client.xrange(stream.name, b"(" + given_id, "+", count=waiting_max)
    waiting = [entry_id for entry_id, _ in answer or () if isinstance(entry_id, bytes)]
    added_since = sum(is_after(entry_id, whole["last-generated-id"]) for entry_id in waiting)
    return Accounting(
        passed=whole["entries-added"] + added_since - len(waiting),
        waiting=len(waiting),
        pending=group["pending"],
        given_id=given_id,
        read_count=group["entries-read"],
    )


async def removed_count(client: redis.asyncio.Redis, name: str) -> int:
    """Return how many entries the stream once had, and has no more; 0 where there is none."""
    try:
        whole: Any = await client.xinfo_stream(name)
    except redis.exceptions.ResponseError as error:
        if "no such key" in str(error):
            return 0
        raise
    return int(whole["entries-added"] - whole["length"])


def is_gone(error: redis.exceptions.ResponseError) -> bool:
    """Return whether the stream or the group does not exist any more."""
    message = str(error)
    return message.startswith(("NOGROUP", "UNBLOCKED")) or "no such key" in message


def is_after(entry_id: bytes, other: bytes) -> bool:
    """Return whether an entry was added after another: ids are MILLISECONDS-NUMBER."""
    return [int(part) for part in entry_id.split(b"-")] > [int(part) for part in other.split(b"-")]
