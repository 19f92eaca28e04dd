"""A warning where webhooks are only refused for their signature, and none where somebody forges them."""

import copy

import pytest

from sidecar.core.fold.serving import served
from sidecar.core.fold.webhooks import Webhooks
from sidecar.probes.webhook_signatures import WebhookSignatures
from tests.core.world import DAY, HOUR, MINUTE, on
from tests.shells.running import Running, event, running
from tests.shells.test_flag import EASY

WRONG = "whsec_" + "0" * 32


class Watched:
    """A shop whose webhooks came every `gap_ms` until now, and its watch of signatures."""

    def __init__(self, gap_ms: int | None = 5 * MINUTE) -> None:
        self.state = copy.deepcopy(on(1).state)
        self.now_ms = self.began_ms = self.state.now_ms
        self.state.history.since_ms = self.now_ms
        self.state.webhooks = Webhooks()
        for _ in range(20 if gap_ms else 0):
            self.wait(gap_ms or 0)
            self.accept()
        self.watch = WebhookSignatures(self.state, lambda: self.now_ms)

    def wait(self, span_ms: int) -> None:
        """Advance the journal's clock."""
        self.now_ms += span_ms

    def accept(self) -> None:
        """Fold an accepted webhook, of any replica."""
        self.state.webhooks.accept(self.now_ms // 1000, self.now_ms)

    @property
    def is_warned(self) -> bool:
        """Whether there is a warning; the metric must agree."""
        assert bool(self.watch.warning()) is bool(self.watch.is_only_refused())
        return bool(self.watch.warning())


# fmt: off
SILENCES = [
    # usual gap,      refused,     asked, after the last accepted,   warned
    (5 * MINUTE,      10 * MINUTE,  1 * HOUR - 1,                     False),
    (5 * MINUTE,      10 * MINUTE,  1 * HOUR,                         True),
    (5 * MINUTE,      2 * HOUR,     2 * HOUR,                         True),
    (8 * HOUR,        8 * HOUR,     80 * HOUR - 1,                    False),
    (8 * HOUR,        8 * HOUR,     80 * HOUR,                        True),
    (None,            1 * MINUTE,   1 * HOUR - 1,                     False),   # none was ever accepted
    (None,            1 * MINUTE,   1 * HOUR,                         True),
    (5 * MINUTE,      2 * HOUR,     26 * HOUR - 1,                    True),    # Stripe retries for days
    (5 * MINUTE,      2 * HOUR,     26 * HOUR,                        False),   # one forged request in a quiet week
]
# fmt: on


@pytest.mark.parametrize(("gap_ms", "refused_ms", "asked_ms", "is_warned"), SILENCES)
def test_a_warning_needs_a_refusal_and_an_unusual_silence(
    *, gap_ms: int | None, refused_ms: int, asked_ms: int, is_warned: bool
) -> None:
    """On both sides of each limit."""
    shop = Watched(gap_ms)
    shop.wait(refused_ms)
    shop.watch.refused()
    shop.wait(asked_ms - refused_ms)
    assert shop.is_warned is is_warned


def test_silence_alone_is_no_warning() -> None:
    """Nobody paid over the holidays."""
    shop = Watched()
    shop.wait(20 * DAY)
    assert not shop.is_warned


def test_forged_signatures_beside_good_ones_cause_nothing() -> None:
    """Anybody can send them, at any rate and for as long as they like."""
    shop = Watched()
    for _ in range(2000):
        shop.wait(5 * MINUTE)
        shop.watch.refused()
        shop.accept()
        shop.watch.refused()
        assert not shop.is_warned


@pytest.mark.parametrize("how", ["another replica", "a duplicate here"])
def test_one_accepted_webhook_ends_the_warning(how: str) -> None:
    """Also on another replica, and also one that the journal has already."""
    shop = Watched()
    shop.wait(2 * HOUR)
    shop.watch.refused()
    shop.watch.refused()
    assert "this process refused 2. " in shop.watch.warning()
    if how == "another replica":
        shop.accept()
    else:
        shop.watch.verified()
    assert not shop.is_warned
    shop.wait(2 * HOUR)
    assert not shop.is_warned
    shop.watch.refused()
    assert "this process refused 1. " in shop.watch.warning()


def test_a_warning_says_since_when_and_changes_no_answer() -> None:
    """A suspension would let anybody switch push off."""
    shop = Watched()
    before = served(shop.state, 0)
    shop.wait(3 * HOUR)
    shop.watch.refused()
    assert "none was accepted since " in shop.watch.warning()
    assert "3 h ago" in shop.watch.warning()
    assert served(shop.state, 0) == before
    never = Watched(None)
    never.wait(2 * HOUR)
    never.watch.refused()
    assert "none was accepted ever; " in never.watch.warning()


def test_before_the_first_policy_there_is_no_warning() -> None:
    """The journal has not begun."""
    shop = Watched()
    shop.state.policy = None
    shop.watch.refused()
    shop.wait(DAY)
    assert not shop.is_warned


async def is_warned(sidecar: Running) -> bool:
    """Return whether the status warns, and check that the metric agrees."""
    warnings = [each for each in (await sidecar.status())["warnings"] if "refused for their signature" in each]
    assert await sidecar.metric("reverb_sidecar_webhooks_only_refused") == len(warnings)
    return bool(warnings)


async def test_the_status_and_the_metric_of_a_sidecar_with_a_wrong_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """From day one: none was ever accepted. A good one ends it, and bad ones beside it change nothing."""
    monkeypatch.setattr("sidecar.core.fold.webhooks.HOUR_MS", 0)
    async with running(EASY) as sidecar:
        assert not await is_warned(sidecar)
        for number in range(3):
            assert (await sidecar.deliver(event(f"pi_{number}"), secret=WRONG))[0] == 400
        assert await is_warned(sidecar)
        monkeypatch.setattr("sidecar.core.fold.webhooks.HOUR_MS", HOUR)
        assert (await sidecar.deliver(event("pi_0")))[0] == 200
        assert not await is_warned(sidecar)
        assert (await sidecar.deliver(event("pi_1"), secret=WRONG))[0] == 400
        assert (await sidecar.deliver(event("pi_1"), age_s=3600))[0] == 400
        assert not await is_warned(sidecar)
