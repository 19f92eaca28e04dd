"""Errors between the sidecar and Redis, with remedies. Never a secret, never the content of an entry."""

import redis.exceptions as failures

from sidecar.config import RedisStream

_BY_KIND: tuple[tuple[type[Exception], str], ...] = (
    (failures.AuthenticationError, "Redis wants another password; set SIDECAR_REDIS_PASSWORD"),
    (failures.AuthenticationWrongNumberOfArgsError, "Redis wants another password; set SIDECAR_REDIS_PASSWORD"),
    (failures.AuthorizationError, "Redis wants another password; set SIDECAR_REDIS_PASSWORD"),
    (
        failures.NoPermissionError,
        "Redis's access rules deny this key or a command; allow reading and acknowledging it",
    ),
    (failures.BusyLoadingError, "Redis is still loading its data; it is tried again"),
    (failures.ReadOnlyError, "Redis is a read-only replica; name the primary"),
    (failures.MasterDownError, "Redis is a replica that has lost its primary; name the primary, or recover the link"),
    (failures.OutOfMemoryError, "Redis is out of memory; raise its maxmemory, or trim what is in it"),
)
_BY_WORD = (
    ("WRONGTYPE", "this key is no stream; name another under `acks.redis_stream`, or delete it"),
    ("DB index is out of range", "Redis has no database of this number; name another in the URL"),
)


def what_to_do(error: Exception, stream: RedisStream) -> str:
    """Return a sentence for the log."""
    where = f"acks.redis_stream {stream.url} {stream.name}"
    for kind, sentence in _BY_KIND:
        if isinstance(error, kind):
            return f"{where}: {sentence}"
    if not isinstance(error, failures.ResponseError):
        return f"{where}: Redis does not answer; is it running, and can it be reached from here?"
    for word, sentence in _BY_WORD:
        if word in str(error):
            return f"{where}: {sentence}"
    return f"{where}: Redis refuses ({str(error).split(' ', 1)[0][:40]}); Redis 7 or later is needed"
