"""Limits per client or user: a share of what is held at once, and a token bucket for a bounded number of keys."""

from collections import Counter, OrderedDict
from collections.abc import Callable

from sidecar import clock

KEYS_MAX = 10_000


class Shares:
    """How many of something each address holds, so that one cannot take all."""

    def __init__(self, each_max: int) -> None:
        self._each_max = each_max
        self._held: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """Take one for this address, to be given back; return False if it holds its share already."""
        if self._held[address] >= self._each_max:
            return False
        self._held[address] += 1
        return True

    def give_back(self, address: str) -> None:
        """Give one back."""
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]


class Quotas:
    """A rate limit for every key. The keys without requests for longest are evicted first: their buckets are full."""

    def __init__(self, *, at_once: int, per_s: float, now_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._at_once = at_once
        self._per_s = per_s
        self._now_s = now_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Key → tokens in its bucket, and the instant of that count."""

    def takes(self, key: str) -> bool:
        """Take a token of this key; return whether there was one."""
        tokens, now_s = self._tokens(key), self._now_s()
        is_taken = tokens >= 1
        self._buckets.pop(key, None)
        self._buckets[key] = (tokens - 1 if is_taken else tokens, now_s)
        if len(self._buckets) > KEYS_MAX:
            self._buckets.popitem(last=False)
        return is_taken

    def has(self, key: str) -> bool:
        """Return whether this key has a token, and take none."""
        return self._tokens(key) >= 1

    def _tokens(self, key: str) -> float:
        tokens, since_s = self._buckets.get(key, (float(self._at_once), 0.0))
        return min(self._at_once, tokens + (self._now_s() - since_s) * self._per_s)
