"""Messages of the Pusher protocol over WebSocket: one JSON text per message, as typed values.

`data` is a JSON *string* in Reverb's own messages and in broadcasts, and an object in client events: both are read.
"""

import msgspec


class Established(msgspec.Struct, frozen=True, kw_only=True):
    """`pusher:connection_established`: the socket has an id."""

    socket_id: str
    activity_timeout_s: int


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """`pusher:error`. It names no channel: only the order shows which subscription it answers."""

    code: int
    message: str


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """`pusher_internal:subscription_succeeded`."""

    channel: str


class Pinged(msgspec.Struct, frozen=True):
    """`pusher:ping`: Reverb expects a `pusher:pong`."""


class Ponged(msgspec.Struct, frozen=True):
    """`pusher:pong`."""


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the application, or a protocol event that the sidecar does not use."""

    event: str
    channel: str
    """Empty if the event has none."""
    data: str
    """JSON text, or the text that the publisher sent."""


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """Not a message of this protocol: the server is not Reverb."""

    why: str


Message = Established | Refused | Subscribed | Pinged | Ponged | Arrived | Unreadable

PING = '{"event":"pusher:ping","data":{}}'
PONG = '{"event":"pusher:pong","data":{}}'


class _Wire(msgspec.Struct, frozen=True):
    event: str
    data: msgspec.Raw = msgspec.Raw(b'""')
    channel: str = ""


class _Hello(msgspec.Struct, frozen=True):
    socket_id: str
    activity_timeout: int = 120


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    code: int | None = None


_decode = msgspec.json.Decoder(_Wire).decode


def read(text: str | bytes) -> Message:
    """Return the message of a frame; `Unreadable` for an invalid one."""
    try:
        wire = _decode(text)
        match wire.event:
            case "pusher:connection_established":
                hello = msgspec.json.decode(_text(wire.data), type=_Hello)
                return Established(socket_id=hello.socket_id, activity_timeout_s=hello.activity_timeout)
            case "pusher:error":
                error_data = msgspec.json.decode(_text(wire.data), type=_Error)
                return Refused(code=error_data.code or 0, message=error_data.message)
            case "pusher_internal:subscription_succeeded":
                return Subscribed(channel=wire.channel)
            case "pusher:ping":
                return Pinged()
            case "pusher:pong":
                return Ponged()
            case event:
                return Arrived(event=event, channel=wire.channel, data=_text(wire.data))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Unreadable(why=type(error).__name__)


def subscribe(channel: str, auth: str, channel_data: str = "") -> str:
    """Return the message that subscribes to a private channel."""
    data = {"auth": auth, "channel": channel} | ({"channel_data": channel_data} if channel_data else {})
    return msgspec.json.encode({"event": "pusher:subscribe", "data": data}).decode()


def unsubscribe(channel: str) -> str:
    """Return the message that unsubscribes from a channel; Reverb does not answer it."""
    return msgspec.json.encode({"event": "pusher:unsubscribe", "data": {"channel": channel}}).decode()


def _text(data: msgspec.Raw) -> str:
    """Return the JSON text of `data`, whether it is a string or the value itself."""
    raw = bytes(data)
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()
