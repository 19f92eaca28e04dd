"""What a route answers: requests by the class of their status, and how long the answers took."""

from typing import Final

CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
SLOW_S: Final = 0.25
"""From here on an answer is slow: a page waits for it visibly."""


class Traffic:
    """The answers of one route. A request whose client went away before the answer is in none of them."""

    def __init__(self) -> None:
        self.answers = dict.fromkeys(CLASSES, 0)
        self.took_s = 0.0
        """The sum of all answers but streams, in seconds; of these `slow` took `SLOW_S` or longer."""
        self.slow = 0

    def answered(self, status: int, took_s: float) -> None:
        """Count an answer with this status; `took_s` is 0 for a stream, which ends when its client leaves."""
        self.answers[CLASSES[status // 100 - 2]] += 1
        self.took_s += took_s
        self.slow += took_s >= SLOW_S
