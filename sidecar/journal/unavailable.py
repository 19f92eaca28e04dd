"""What does the sidecar use while the journal cannot be opened? A journal that refuses every call with the reason."""

from sidecar.journal.memory import MemoryJournal
from sidecar.ports import SidecarError


class UnavailableJournal(MemoryJournal):
    """Refuses every call, so that Stripe gets a 503 and delivers again, and the flag answers timers."""

    def __init__(self, error: SidecarError) -> None:
        super().__init__()
        self._head.refuse(error)
