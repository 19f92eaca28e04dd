"""How often webhooks usually are accepted, and from when on their silence is unusual."""

import pytest

from sidecar.core.facts.observations import IgnoreReason, PaymentIgnored, PaymentSucceeded
from sidecar.core.fold.checkpoint_rules import with_current_rules
from sidecar.core.fold.webhooks import GAPS_MAX, Webhooks
from tests.core.world import DAY, HOUR, MINUTE, SECOND, START_MS, on

# fmt: off
GAPS = [
    # gaps between events,                              the usual gap,  unusual from, after the last one
    ((),                                                None,           1 * HOUR),
    ((5 * MINUTE,) * 20,                                5 * MINUTE,     1 * HOUR),     # ten gaps are less than an hour
    ((8 * HOUR,) * 20,                                  8 * HOUR,       80 * HOUR),
    ((6 * MINUTE + 1000,) * 20,                         361 * SECOND,   3610 * SECOND),
    ((1 * MINUTE,) * 18 + (14 * HOUR,) * 2,             1 * MINUTE,     1 * HOUR),     # nights do not count
    ((8 * HOUR,) * 15 + (1 * SECOND,) * 5,              8 * HOUR,       80 * HOUR),    # nor does a lunch break
    ((1 * HOUR,) * 30 + (2 * HOUR,) * 20,               2 * HOUR,       20 * HOUR),    # the last twenty
]
# fmt: on


@pytest.mark.parametrize(("gaps_ms", "usual_ms", "unusual_ms"), GAPS)
def test_the_usual_gap_is_the_median_of_the_last_twenty(
    gaps_ms: tuple[int, ...], usual_ms: int | None, unusual_ms: int
) -> None:
    """A mean would go by the nights, and one burst would hide a shop with three payments a day."""
    webhooks, at_ms = Webhooks(), START_MS
    for gap_ms in gaps_ms:
        at_ms += gap_ms
        webhooks.accept(at_ms // 1000, at_ms)
    assert webhooks.usual_gap_ms(START_MS) == usual_ms
    assert webhooks.silent_from_ms(START_MS) == at_ms + unusual_ms
    assert len(webhooks.made_s) <= GAPS_MAX + 1


def test_a_backlog_that_is_delivered_at_once_has_the_gaps_of_its_payments() -> None:
    """By arrival the usual gap would be a second, and the next quiet evening a fault. Its order does not matter."""
    webhooks = Webhooks()
    for number in (*range(10, 21), *range(10)):
        webhooks.accept((START_MS + number * 4 * HOUR) // 1000, START_MS + 4 * DAY)
    assert webhooks.usual_gap_ms(START_MS) == 4 * HOUR


def test_few_webhooks_have_their_mean_since_the_journal_began() -> None:
    """A median of one gap would be an accident."""
    webhooks = Webhooks()
    for day in (1, 2, 3):
        webhooks.accept(0, START_MS + day * DAY)
    assert webhooks.usual_gap_ms(START_MS) == DAY
    assert webhooks.silent_from_ms(START_MS) == START_MS + 13 * DAY
    assert webhooks.silent_from_ms(START_MS, START_MS + 5 * DAY) == START_MS + 15 * DAY


def test_the_journal_counts_signed_webhooks_and_no_listed_payments() -> None:
    """A payment that was listed says nothing about the secret; one outside the filter was signed too."""
    world = on(0)
    before = world.state.webhooks.count
    paid = PaymentSucceeded(payment_intent="pi_x", event_id="e", created_s=7, signed_s=None, user_ref=None)
    world.see(paid)
    assert world.state.webhooks.count == before
    world.see(PaymentIgnored(payment_intent="pi_y", event_id="f", reason=IgnoreReason.OTHER_LIVEMODE))
    world.pay()
    assert (world.state.webhooks.count, world.state.webhooks.accepted_ms) == (before + 2, world.now_ms)


def test_an_old_checkpoint_knows_how_many_there_were() -> None:
    """Its shop must not be warned by one forged request after the upgrade, nor must one that never had a payment."""
    old = {"now_ms": START_MS + 30 * DAY, "tally": {"succeeded": 80, "ignored": {"missing_metadata": 10}}}
    webhooks = Webhooks(**with_current_rules(old)["webhooks"])
    assert (webhooks.count, webhooks.usual_gap_ms(START_MS)) == (90, 8 * HOUR)
    assert with_current_rules({"now_ms": 1})["webhooks"] == {"count": 0, "accepted_ms": 0}
