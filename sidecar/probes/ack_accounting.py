"""Redis's own books of the ack stream and of our group, from which we see what was removed unread.

Redis 7.0 counts what was ever added right (`entries-added`), but not what a group was given: after a trim its
`entries-read` and `lag` go on as if what was removed were still waiting, and reading its append-only file makes both
nil. So we count what we are given ourselves, and keep the count in the group.
"""

from typing import Any

import msgspec
import redis.asyncio
import redis.exceptions

from sidecar.config import RedisStream


class Accounting(msgspec.Struct, frozen=True, kw_only=True):
    """The books at one moment."""

    passed: int
    """Entries that were ever added and do not wait: given to us, or removed."""
    waiting: int
    """How many nobody was given; at most as many as were asked about."""
    pending: int
    """How many were given to a consumer of the group, ours or another, and not acknowledged."""
    given_id: bytes
    """The last entry that our group was given."""
    read_count: int | None
    """Redis's own count of what the group was given; None: it does not know."""


async def accounting(client: redis.asyncio.Redis, stream: RedisStream, *, waiting_max: int) -> Accounting:
    """Return the books. Raises `ResponseError` with NOGROUP where there is no group."""
    async with client.pipeline(transaction=True) as ask:
        ask.xinfo_stream(stream.name)
        ask.xinfo_groups(stream.name)
        whole, groups = await ask.execute()
    ours = next((each for each in groups if each["name"] == stream.group.encode()), None)
    if ours is None:
        message = "NOGROUP"
        raise redis.exceptions.ResponseError(message)
    given_id: bytes = ours["last-delivered-id"]
    answer = await client.xrange(stream.name, b"(" + given_id, "+", count=waiting_max)
    waiting = [entry_id for entry_id, _ in answer or () if isinstance(entry_id, bytes)]
    added_since = sum(is_after(entry_id, whole["last-generated-id"]) for entry_id in waiting)
    return Accounting(
        passed=whole["entries-added"] + added_since - len(waiting),
        waiting=len(waiting),
        pending=ours["pending"],
        given_id=given_id,
        read_count=ours["entries-read"],
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
    """Say whether the stream or the group is not there any more."""
    said = str(error)
    return said.startswith(("NOGROUP", "UNBLOCKED")) or "no such key" in said


def is_after(entry_id: bytes, other: bytes) -> bool:
    """Say whether an entry was added after another: ids are MILLISECONDS-NUMBER."""
    return [int(part) for part in entry_id.split(b"-")] > [int(part) for part in other.split(b"-")]
