"""A broadcast is delivered once every socket that was subscribed has received it.

The same broadcast arrives on several sockets, and two broadcasts may have the same content: the n-th of one socket is
the n-th of the others; a socket that was opened later starts with the next one.
"""

from collections.abc import Iterator

import msgspec

from sidecar import clock, randomness
from sidecar.core.facts.event_names import DEFAULT_EVENT
from sidecar.core.facts.observations import OBSERVER, USER_CHANNEL, AckReceived
from sidecar.core.facts.policy import Stage
from sidecar.probes.ack_facts import Name
from sidecar.probes.other_events import OtherEvents
from sidecar.pusher.messages import Arrived
from sidecar.tokens import user_ref

GIVEN_UP_AFTER_S = 10.0
LATE_S = 1.0
"""After the first arrival of a broadcast, a socket that joined meanwhile may still receive it for this long."""
OPEN_MAX = 10_000


class _Payload(msgspec.Struct, frozen=True):
    """The fields of a broadcast that the sidecar reads."""

    payment_intent: Name | None = None
    user_id: Name | int | None = None
    user_ref: Name | None = None
    contexts: tuple[Name, ...] = ()
    release: Name | None = None


class _Open(msgspec.Struct, kw_only=True):
    fact: AckReceived
    expected: frozenset[int]
    received: set[int]
    since_s: float
    is_reported: bool = False

    def may_reach(self, number: int) -> bool:
        """Return whether a broadcast that a socket received can be this one."""
        is_awaited = number in self.expected or not self.is_reported
        return number not in self.received and (is_awaited or clock.monotonic_s() - self.since_s < LATE_S)


class Deliveries:
    """The broadcasts that have arrived on some of the sockets."""

    def __init__(self, *, observer_channel: str, identity_key: str | None, event: str = DEFAULT_EVENT) -> None:
        self._observer_channel, self._identity_key = observer_channel, identity_key
        self.other_events = OtherEvents(event)
        self._open: dict[tuple[str, str], list[_Open]] = {}
        self._open_count = self._deaf_count = 0
        self._watched: dict[str, str] = {}
        """Channel → reference of the user who owns it."""

    def arrived(self, number: int, message: Arrived, subscribed: frozenset[int]) -> AckReceived | None:
        """Record that a socket received a broadcast; return the ack once all that were subscribed have received it.

        The caller has checked the event's name (`other_events`).
        """
        key = (message.channel, message.data)
        entries = self._open.setdefault(key, [])
        entry = next((each for each in entries if each.may_reach(number)), None)
        if entry is None:
            fact = self._fact(message)
            if fact is None or self._open_count >= OPEN_MAX:
                if not entries:
                    del self._open[key]
                return None
            entry = _Open(fact=fact, expected=subscribed, received=set(), since_s=clock.monotonic_s())
            entries.append(entry)
            self._open_count += 1
        entry.received.add(number)
        return self._delivered(entry, subscribed)

    def expire(self, subscribed: frozenset[int]) -> Iterator[AckReceived]:
        """Remove expired broadcasts; return those that awaited only closed sockets. The others show a deaf node."""
        now_s = clock.monotonic_s()
        for key in list(self._open):
            for entry in self._open[key]:
                fact = self._delivered(entry, subscribed)
                if fact is not None:
                    yield fact
            expired = [each for each in self._open[key] if now_s - each.since_s >= GIVEN_UP_AFTER_S]
            self._deaf_count += sum(not each.is_reported for each in expired)
            self._open_count -= len(expired)
            self._open[key] = [each for each in self._open[key] if now_s - each.since_s < GIVEN_UP_AFTER_S]
            if not self._open[key]:
                del self._open[key]

    def take_deaf_count(self) -> int:
        """Return how many broadcasts some sockets never received, since the last call."""
        count, self._deaf_count = self._deaf_count, 0
        return count

    def user_channels(self) -> list[str]:
        """Return the users' own channels that are watched."""
        return list(self._watched)

    def watch(self, channel: str, reference: str) -> None:
        """Attribute broadcasts on a channel to this user."""
        self._watched[channel] = reference

    def leave(self, channel: str) -> None:
        """Stop attributing broadcasts on a channel to a user."""
        self._watched.pop(channel, None)

    def _delivered(self, entry: _Open, subscribed: frozenset[int]) -> AckReceived | None:
        if entry.is_reported or (entry.expected - entry.received) & subscribed:
            return None
        entry.is_reported = True
        return entry.fact

    def _fact(self, message: Arrived) -> AckReceived | None:
        try:
            payload = msgspec.json.decode(message.data, type=_Payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        if message.channel == self._observer_channel:
            reference = payload.user_ref
            if payload.user_id is not None and self._identity_key is not None:
                reference = user_ref(self._identity_key, str(payload.user_id))
            return _ack(OBSERVER, payload, payload.payment_intent, reference)
        watched = self._watched.get(message.channel)
        return None if watched is None else _ack(USER_CHANNEL, payload, payload.payment_intent, watched)


def _ack(source: str, payload: _Payload, payment_intent: str | None, reference: str | None) -> AckReceived | None:
    if payment_intent is None and reference is None:
        return None
    return AckReceived(
        source=source,
        stage=Stage.DELIVERED,
        payment_intent=payment_intent,
        user_ref=reference,
        contexts=payload.contexts[:20],
        release=payload.release,
        ack_id=None if payment_intent else randomness.token_hex(8),
    )
