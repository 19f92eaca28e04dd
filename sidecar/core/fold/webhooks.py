"""When Stripe's webhooks were last accepted, and how often they usually are.

The problem: after a change of the endpoint's secret every webhook is refused, and the sidecar sees no payment at all. A
refusal alone proves nothing, because anybody can send a bad signature; and a shop with three payments a day is silent
for hours without a fault.

What we do: what was accepted is in the journal, and nobody can forge it. The usual gap is the median of the last ones,
by Stripe's clock, so that a backlog that is delivered at once has the gaps of its payments. Silence of more than ten of
them, and of more than an hour, is unusual. It is worth a warning only where something was refused meanwhile.
"""

import itertools

import msgspec

from sidecar.core.fold.history import HOUR_MS

GAPS_MAX = 20
GAPS_MIN = 5
"""With fewer gaps the mean since the beginning of the journal is used."""
USUAL_GAPS = 10


class Webhooks(msgspec.Struct, kw_only=True):
    """The webhooks of payments that were accepted."""

    accepted_ms: int = 0
    """When the last one was; 0: none ever was."""
    count: int = 0
    made_s: list[int] = []
    """When Stripe made the last ones, in Unix seconds, in order of arrival; at most `GAPS_MAX` + 1."""

    def accept(self, made_s: int, at_ms: int) -> None:
        """Count one that was accepted at this time."""
        self.accepted_ms = at_ms
        self.count += 1
        self.made_s = [*self.made_s[-GAPS_MAX:], made_s]

    def usual_gap_ms(self, since_ms: int) -> int | None:
        """Return the usual time between two, in a journal that began at `since_ms`; None: none was ever accepted."""
        if not self.count:
            return None
        gaps_s = sorted(after - before for before, after in itertools.pairwise(sorted(self.made_s)))
        if len(gaps_s) < GAPS_MIN:
            return max(0, self.accepted_ms - since_ms) // self.count
        return 1000 * gaps_s[len(gaps_s) // 2]

    def silent_from_ms(self, since_ms: int, accepted_ms: int = 0) -> int:
        """Return from when on silence is unusual, in a journal that began at `since_ms`.

        `accepted_ms`: when this process last accepted one that is not in the journal, such as a duplicate.
        """
        last_ms = max(self.accepted_ms or since_ms, accepted_ms)
        return last_ms + max(HOUR_MS, USUAL_GAPS * (self.usual_gap_ms(since_ms) or 0))
