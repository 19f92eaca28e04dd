"""What one report says of push, on both sides of every boundary."""

import pytest

from sidecar.core.facts.reports import ClearedBy, Verdict, verdict_of
from tests.core.reporting import reading

GOOD, BAD, GONE, NEVER = Verdict.GOOD, Verdict.BAD, Verdict.GONE, Verdict.NEVER_PAID
FIRST, PUSH, SUBSCRIBE, TIMER = ClearedBy.FIRST, ClearedBy.PUSH, ClearedBy.SUBSCRIBE, ClearedBy.TIMER

# fmt: off
VERDICTS = [
    # subscribed, pushed, cleared, by,                  watched, verdict
    (200,         900,    1000,    PUSH,                30_000,  GOOD),
    (200,         None,   1000,    SUBSCRIBE,           30_000,  GOOD),
    (200,         None,   100,     FIRST,               30_000,  GOOD),
    (0,           900,    1000,    PUSH,                1_000,   GOOD),
    # --- the subscription is confirmed in time, or it is not
    (2_999,       None,   100,     FIRST,               30_000,  GOOD),
    (3_000,       None,   100,     FIRST,               30_000,  BAD),
    (3_000,       3_100,  3_200,   PUSH,                30_000,  BAD),
    (None,        None,   100,     FIRST,               30_000,  BAD),
    (None,        None,   2_100,   TIMER,               30_000,  BAD),
    (None,        None,   2_100,   TIMER,               3_000,   BAD),
    (None,        None,   2_100,   TIMER,               2_999,   GONE),
    (None,        None,   None,    None,                3_000,   BAD),
    # --- a poll was first, and the push came soon after, or it did not
    (200,         2_050,  2_000,   TIMER,               30_000,  GOOD),
    (200,         1_900,  2_000,   TIMER,               30_000,  GOOD),
    (200,         3_999,  2_000,   TIMER,               30_000,  GOOD),
    (200,         4_000,  2_000,   TIMER,               30_000,  BAD),
    (200,         None,   2_000,   TIMER,               4_000,   BAD),
    (200,         None,   2_000,   TIMER,               3_999,   GONE),
    (200,         None,   5_000,   ClearedBy.SAFETY_NET, 30_000, BAD),
    (200,         None,   9_000,   ClearedBy.RETURN,    30_000,  GONE),
    (200,         10_999, 9_000,   ClearedBy.RETURN,    30_000,  GOOD),
    (200,         None,   9_000,   ClearedBy.MOVED,     30_000,  BAD),
    (200,         None,   9_000,   ClearedBy.LEASE,     30_000,  BAD),
    (200,         None,   28_000,  ClearedBy.LAST,      30_000,  BAD),
    (200,         None,   30_008,  ClearedBy.LAST,      30_009,  BAD),
    (200,         None,   28_500,  TIMER,               30_000,  BAD),
    (200,         None,   28_500,  TIMER,               29_999,  GONE),
    # --- nobody saw it paid
    (200,         None,   None,    None,                29_999,  GONE),
    (200,         None,   None,    None,                30_000,  NEVER),
    (200,         900,    None,    None,                30_000,  NEVER),
    (None,        None,   None,    None,                30_000,  NEVER),
]
# fmt: on


@pytest.mark.parametrize(("subscribed", "pushed", "cleared", "by", "watched", "verdict"), VERDICTS)
def test_a_report_says_whether_push_alone_would_have_cleared_the_alert(
    subscribed: int | None,
    pushed: int | None,
    cleared: int | None,
    by: ClearedBy | None,
    watched: int,
    verdict: Verdict,
) -> None:
    """On both sides of every boundary, one millisecond apart."""
    assert verdict_of(reading(subscribed, pushed, cleared, by, watched)) is verdict
