"""The state of a connection to Reverb: it takes received frames, and returns what to send and the next deadline.

It has no socket and no clock: `now_s` is an argument, in seconds of any monotonic clock. The rules are those of
pusher-js 8.6: after Reverb's activity timeout it pings, and a ping without an answer ends the connection.
"""

import enum
from collections import deque

from sidecar.pusher.messages import (
    PING,
    PONG,
    Established,
    Message,
    Pinged,
    Refused,
    Subscribed,
    Unreadable,
    read,
    subscribe,
    unsubscribe,
)

SILENCE_MAX_S = 120.0
"""pusher-js pings after the shorter of this and what Reverb advises."""
PONG_WITHIN_S = 30.0
APP_UNKNOWN, OVER_QUOTA, UNAUTHORISED, MALFORMED, NO_PONG, LIMITED = 4001, 4004, 4009, 4200, 4201, 4301
"""The codes that Reverb sends; it has none of the others that Pusher documents."""
ORIGIN_MESSAGE = "Origin not allowed"
"""Distinguishes a 4009 about the origin from one about a channel."""
_SUBSCRIPTION_CODES = frozenset({UNAUTHORISED, MALFORMED})


class Phase(enum.StrEnum):
    """The phase of a connection."""

    AWAITING = "awaiting"
    """Upgraded; the first message has not arrived."""
    CONNECTED = "connected"
    """Established: the socket has an id, and can subscribe to channels."""
    REFUSED = "refused"
    """The first message was an error. Reverb may leave the socket open; a browser would close it."""
    SILENT = "silent"
    """A ping was not answered."""
    CLOSED = "closed"


class Event(enum.StrEnum):
    """An event that can change the phase."""

    ESTABLISHED = "established"
    ERROR = "error"
    UNREADABLE = "unreadable"
    SILENCE = "silence"
    END = "end"


TRANSITIONS: dict[Phase, dict[Event, Phase]] = {
    Phase.AWAITING:  {Event.ESTABLISHED: Phase.CONNECTED, Event.ERROR: Phase.REFUSED, Event.UNREADABLE: Phase.REFUSED,
                      Event.SILENCE: Phase.SILENT, Event.END: Phase.CLOSED},
    Phase.CONNECTED: {Event.SILENCE: Phase.SILENT, Event.END: Phase.CLOSED},
    Phase.REFUSED:   {Event.END: Phase.CLOSED},
    Phase.SILENT:    {Event.END: Phase.CLOSED},
    Phase.CLOSED:    {},
}  # fmt: skip
"""Other events leave the phase unchanged, such as an error on an established connection."""


class Connection:
    """One WebSocket connection to Reverb, from the upgrade on."""

    def __init__(self, now_s: float, *, pong_within_s: float = PONG_WITHIN_S) -> None:
        self.phase = Phase.AWAITING
        self.socket_id = ""
        self.error: Refused | None = None
        """The last `pusher:error`; None: there was none."""
        self.subscribed: set[str] = set()
        self.pending: deque[str] = deque()
        """Channels without an answer yet, oldest first: Reverb answers in order."""
        self.refused: dict[str, Refused] = {}
        """Channels that Reverb refused, with their errors."""
        self._silence_max_s = SILENCE_MAX_S
        self._pong_within_s = pong_within_s
        self._received_s = now_s
        self._pinged_s: float | None = None
        self._outgoing: list[str] = []

    def receive(self, text: str | bytes, now_s: float) -> Message:
        """Process a text frame, and return its message."""
        self.note_activity(now_s)
        message = read(text)
        match message:
            case Established():
                if self.phase is Phase.AWAITING:
                    self.socket_id = message.socket_id
                    if message.activity_timeout_s > 0:
                        self._silence_max_s = min(SILENCE_MAX_S, message.activity_timeout_s)
                self._move(Event.ESTABLISHED)
            case Refused():
                self._refuse(message)
            case Subscribed(channel=channel):
                if channel in self.pending:
                    self.pending.remove(channel)
                    self.subscribed.add(channel)
                    self.refused.pop(channel, None)
            case Pinged():
                self._outgoing.append(PONG)
            case Unreadable():
                self._move(Event.UNREADABLE)
            case _:
                pass
        return message

    def note_activity(self, now_s: float) -> None:
        """Record that a frame of any kind arrived, and so that the peer is alive."""
        self._received_s = now_s
        self._pinged_s = None

    def ended(self) -> None:
        """Record that the socket is closed."""
        self._move(Event.END)
        self.subscribed.clear()
        self.pending.clear()

    def join(self, channel: str, auth: str, channel_data: str = "") -> None:
        """Subscribe to a channel."""
        self.pending.append(channel)
        self._outgoing.append(subscribe(channel, auth, channel_data))

    def leave(self, channel: str) -> None:
        """Unsubscribe from a channel; Reverb sends no confirmation."""
        self.subscribed.discard(channel)
        self._outgoing.append(unsubscribe(channel))

    def advance(self, now_s: float) -> None:
        """Advance to `now_s`: ping after a silence, or conclude that the peer is gone."""
        due_s = self.next_deadline_s()
        if due_s is None or now_s < due_s:
            return
        if self._pinged_s is None and self.phase is Phase.CONNECTED:
            self._pinged_s = now_s
            self._outgoing.append(PING)
        else:
            self._move(Event.SILENCE)

    def next_deadline_s(self) -> float | None:
        """Return when `advance` is due; None: never."""
        if self.phase is Phase.AWAITING:
            return self._received_s + self._pong_within_s
        if self.phase is not Phase.CONNECTED:
            return None
        if self._pinged_s is not None:
            return self._pinged_s + self._pong_within_s
        return self._received_s + self._silence_max_s

    def outgoing(self) -> list[str]:
        """Return the texts to send, and remove them."""
        texts, self._outgoing = self._outgoing, []
        return texts

    def _refuse(self, error: Refused) -> None:
        self.error = error
        if self.phase is Phase.CONNECTED and error.code in _SUBSCRIPTION_CODES and self.pending:
            self.refused[self.pending.popleft()] = error
        self._move(Event.ERROR)

    def _move(self, event: Event) -> None:
        self.phase = TRANSITIONS[self.phase].get(event, self.phase)
