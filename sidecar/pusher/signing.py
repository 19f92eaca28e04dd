"""Signatures of the Pusher protocol: for private channels and for the HTTP API.

Sources: Pusher Channels, "Auth signatures" and "HTTP API reference"; what Reverb checks of them was taken from its
source and from recorded traffic (`tests/captures`).
"""

import enum
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import msgspec


class App(msgspec.Struct, frozen=True, kw_only=True):
    """A Reverb application. `repr` does not show the secret."""

    app_id: str
    key: str
    """Public: browsers have it."""
    secret: str

    def __repr__(self) -> str:
        return f"App(app_id={self.app_id!r}, key={self.key!r}, secret=***)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("app_id", self.app_id), ("key", self.key)]


class Fault(enum.StrEnum):
    """Which part of a channel's `auth` is wrong."""

    SHAPE = "shape"
    """It is not `key:64 hex digits`."""
    KEY = "key"
    """It is for another application: key and signature differ."""
    SECRET = "secret"  # noqa: S105 - a part, not a secret
    """The key is right, but the configured secret makes this signature for no known socket and channel."""
    SOCKET = "socket"
    """It is right for another socket: a cached response, or one of an earlier connection."""
    CHANNEL = "channel"
    """It is right for another channel, such as the name without its `private-`."""


def channel_auth(app: App, socket_id: str, channel: str, channel_data: str = "") -> str:
    """Return the `auth` for this socket and a private or presence channel: `key:signature`.

    `channel_data` is the exact JSON text that is sent beside it; empty: none.
    """
    return f"{app.key}:{_signature(app.secret, _joined(socket_id, channel, channel_data))}"


def fault_of(
    app: App, auth: str, socket_id: str, channel: str, channel_data: str = "", *, earlier_sockets: Iterable[str] = ()
) -> Fault | None:
    """Return which part of an `auth` is wrong; None if Reverb accepts it; Reverb ignores the key before the colon."""
    key, colon, signature = auth.partition(":")
    made = signature if colon else key

    def is_for(socket: str, name: str, data: str = "") -> bool:
        return hmac.compare_digest(
            _signature(app.secret, _joined(socket, name, data)).encode(), made.encode(errors="surrogatepass")
        )

    if is_for(socket_id, channel, channel_data):
        return None
    if len(made) != 64 or made.strip("0123456789abcdef"):  # noqa: PLR2004 - hexadecimal SHA-256
        return Fault.SHAPE
    if any(is_for(socket_id, name) for name in _other_names(channel)):
        return Fault.CHANNEL
    if any(is_for(socket, channel, channel_data) for socket in earlier_sockets):
        return Fault.SOCKET
    return Fault.SECRET if key == app.key else Fault.KEY


def signed_target(
    app: App, method: str, path: str, body: bytes, *, timestamp_s: int, params: Mapping[str, str] | None = None
) -> str:
    """Return path and query of a signed call of the HTTP API, for a `path` that begins with `/apps/`.

    A call without a body must not sign `body_md5`: Reverb answers 401 to it. A server's path prefix is not signed.
    """
    query = {"auth_key": app.key, "auth_timestamp": str(timestamp_s), "auth_version": "1.0", **(params or {})}
    if body:
        query["body_md5"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
    plain = "&".join(f"{name}={query[name]}" for name in sorted(query))
    query["auth_signature"] = _signature(app.secret, f"{method}\n{path}\n{plain}")
    return f"{path}?{urlencode(sorted(query.items()))}"


def _joined(socket_id: str, channel: str, channel_data: str) -> str:
    return ":".join((socket_id, channel, channel_data) if channel_data else (socket_id, channel))


def _other_names(channel: str) -> Iterable[str]:
    """Return the wrong names that a custom authorizer or a route may sign instead of the channel's."""
    bare = channel.removeprefix("private-").removeprefix("presence-")
    return (bare, f"private-{bare}", f"presence-{bare}", f"private-{channel}")


def _signature(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(errors="surrogatepass"), "sha256").hex()
