"""The channels of one Reverb node: subscriptions, presence, and the last event of cache channels."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

Send = Callable[[str], None]


def php_json(value: object) -> str:
    """Return JSON as PHP writes it: slashes escaped, and everything outside ASCII as an escape."""
    text = msgspec.json.encode(value).decode().replace("/", "\\/")
    return "".join(letter if letter.isascii() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[index : index + 2].hex()}" for index in range(0, len(units), 2))


class Member(msgspec.Struct, kw_only=True):
    """One socket's subscription to one channel."""

    socket_id: str
    send: Send
    data: dict[str, Any]
    """The decoded `channel_data`; empty: none was sent."""
    text: str
    """The `channel_data` as it was sent."""

    @property
    def user_id(self) -> object:
        """Of a presence channel; None: it has none."""
        return self.data.get("user_id")


def is_private(channel: str) -> bool:
    """Return whether a channel requires a signature. By prefix without the dash, as in Reverb."""
    return channel.startswith(("private", "presence"))


def is_presence(channel: str) -> bool:
    """Return whether a channel announces its members to each other."""
    return channel.startswith("presence")


def is_cache(channel: str) -> bool:
    """Return whether a channel stores its last event."""
    return channel.startswith(("private-cache-", "presence-cache-", "cache"))


class Channels:
    """All channels of a node; an empty one is forgotten, and its cached event with it."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, Member]] = {}
        self._cached: dict[str, str] = {}

    def join(self, channel: str, member: Member) -> Iterator[str]:
        """Subscribe a socket, notify the other members, and return the messages for it."""
        members = self._members.setdefault(channel, {})
        is_first = member.user_id is not None and all(each.user_id != member.user_id for each in members.values())
        members[member.socket_id] = member
        if is_presence(channel) and is_first:
            self._tell(channel, "pusher_internal:member_added", member.text, but=member.socket_id)
        data = self._presence(channel) if is_presence(channel) else "{}"
        yield _succeeded(channel, data)
        if is_cache(channel):
            yield self._cached.get(channel) or php_json({"event": "pusher:cache_miss", "channel": channel})

    def leave(self, channel: str, socket_id: str) -> None:
        """Unsubscribe a socket; the other members of a presence channel are notified if it was the user's last."""
        members = self._members.get(channel, {})
        member = members.pop(socket_id, None)
        if not members:
            self._members.pop(channel, None)
            self._cached.pop(channel, None)
        elif member is not None and is_presence(channel) and self._was_last(channel, member):
            text = php_json({"user_id": member.user_id})
            frame = self._tell(channel, "pusher_internal:member_removed", text, but=socket_id)
            if is_cache(channel):
                self._cached[channel] = frame

    def _was_last(self, channel: str, member: Member) -> bool:
        others = self._members[channel].values()
        return member.user_id is not None and all(each.user_id != member.user_id for each in others)

    def leave_all(self, socket_id: str) -> None:
        """Unsubscribe a socket from everything."""
        for channel in [name for name, members in self._members.items() if socket_id in members]:
            self.leave(channel, socket_id)

    def deliver(self, channel: str, frame: str, *, but: str | None = None) -> None:
        """Send a frame to all members of a channel but one."""
        if channel in self._members and is_cache(channel):
            self._cached[channel] = frame
        for member in list(self._members.get(channel, {}).values()):
            if member.socket_id != but:
                member.send(frame)

    def is_member(self, channel: str, socket_id: str) -> bool:
        """Return whether a socket is subscribed to a channel."""
        return socket_id in self._members.get(channel, {})

    def member(self, channel: str, socket_id: str) -> Member | None:
        """Return a socket's subscription; None: it has none."""
        return self._members.get(channel, {}).get(socket_id)

    def sockets(self) -> set[str]:
        """Return the sockets that are subscribed to anything: the only ones that Reverb counts."""
        return {socket_id for members in self._members.values() for socket_id in members}

    def names(self) -> list[str]:
        """Return the channels that have a member."""
        return [name for name, members in self._members.items() if members]

    def users(self, channel: str) -> list[object] | None:
        """Return the user ids of a channel; None: it has no subscription on this node."""
        members = self._members.get(channel)
        return None if members is None else list(dict.fromkeys(m.user_id for m in members.values() if m.user_id))

    def info(self, channel: str, wanted: set[str]) -> dict[str, object]:
        """Return the HTTP API's description of a channel."""
        members = self._members.get(channel, {})
        content: dict[str, object] = {}
        if "occupied" in wanted or not members:
            content["occupied"] = bool(members)
        if not members:
            return content
        if is_presence(channel):
            if "user_count" in wanted:
                content["user_count"] = len(self.users(channel) or ())
        elif "subscription_count" in wanted:
            content["subscription_count"] = len(members)
        if "cache" in wanted and is_cache(channel) and channel in self._cached:
            content["cache"] = msgspec.json.decode(self._cached[channel])
        return content

    def _tell(self, channel: str, event: str, data: str, *, but: str) -> str:
        frame = php_json({"event": event, "data": data, "channel": channel})
        for member in list(self._members.get(channel, {}).values()):
            if member.socket_id != but:
                member.send(frame)
        return frame

    def _presence(self, channel: str) -> str:
        """Return the member list for a new member. Raises `KeyError` where one has no `user_info`, as Reverb fails."""
        known = {member.user_id: member for member in self._members[channel].values() if member.user_id is not None}
        hashed = {str(user_id): member.data["user_info"] for user_id, member in known.items()}
        return php_json({"presence": {"count": len(known), "ids": list(known), "hash": hashed or []}})


def _succeeded(channel: str, data: str) -> str:
    content = {"event": "pusher_internal:subscription_succeeded", "data": data}
    return php_json({**content, "channel": channel} if channel else content)
