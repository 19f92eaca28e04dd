"""How often may one and the same client or user ask? A token bucket each, for a bounded number of them."""

from collections import OrderedDict
from collections.abc import Callable

from sidecar import clock

KEYS_MAX = 10_000


class Quotas:
    """A rate for every key. Those that were not heard of for longest are forgotten first: they have all their room."""

    def __init__(self, *, at_once: int, per_s: float, now_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._at_once = at_once
        self._per_s = per_s
        self._now_s = now_s
        self._permits: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Key → what it may still ask for, and as of when."""

    def takes(self, key: str) -> bool:
        """Say whether this key may ask once more now, and count that it did."""
        now_s = self._now_s()
        room, since_s = self._permits.pop(key, (float(self._at_once), now_s))
        room = min(self._at_once, room + (now_s - since_s) * self._per_s)
        is_taken = room >= 1
        self._permits[key] = (room - 1 if is_taken else room, now_s)
        if len(self._permits) > KEYS_MAX:
            self._permits.popitem(last=False)
        return is_taken
