"""The names of broadcasts that are not `acks.event`, for people who have to configure it."""

from sidecar.core.facts.event_names import is_named

NAMES_MAX = 20
_NAME_MAX = 100
UNCONFIRMED_FROM = 20
"""Other events in a row after which the configured name is in doubt again."""


class OtherEvents:
    """Which event counts, and which others arrived since the start of the process."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._names: dict[str, None] = {}
        self._is_confirmed = False
        self._since = 0

    def is_counted(self, name: str) -> bool:
        """Return whether an event is the configured one."""
        if not is_named(name, self._event):
            return False
        self._is_confirmed, self._since = True, 0
        return True

    def add(self, name: str) -> str | None:
        """Note another event; return its name, fit for a log, if it is new, and None otherwise."""
        self._since += 1
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:_NAME_MAX])
        if shown in self._names or len(self._names) >= NAMES_MAX:
            return None
        self._names[shown] = None
        return shown

    def names(self) -> tuple[str, ...]:
        """Return the names of the other events, in the order in which they first arrived; at most `NAMES_MAX`."""
        return tuple(self._names)

    def warning(self) -> str:
        """Return what to configure where only other events arrive, as a sentence; empty: all is well."""
        if not self._names or (self._is_confirmed and self._since < UNCONFIRMED_FROM):
            return ""
        names = ", ".join(f"`{name}`" for name in self._names)
        return (
            f"The sidecar's sockets receive broadcasts, and none is named `{self._event}` (`acks.event`), so none "
            f"is an ack: {names}. If one of them is the broadcast after a payment, set `acks.event` to its name."
        )
