"""What the demo's page shows: the whole world at one moment, as one value. Times are Unix ms of its clock."""

import msgspec

from sidecar.console.status import GateStatus, IndicatorStatus
from sidecar.core.facts.policy import Mode, Rung
from sidecar.core.release.comparison import Comparison


class FlagView(msgspec.Struct, frozen=True, kw_only=True):
    """The flag's answer to a user in every share."""

    mode: Mode
    reason: str
    """A value of `core.fold.serving.Reason`; `no_sidecar`: there is no answer."""
    share_ppm: int
    """The mode of the current rung."""
    rung: int
    ladder: tuple[Rung, ...]
    version: int
    detail: str = ""
    """Why push is suspended, or what each latched alarm means, as sentences; empty: neither."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that flowed past."""

    at_ms: int
    kind: str
    """stripe, app, reverb, browser, sidecar, person or switch."""
    who: str
    text: str
    payment: str | None = None


class PayerView(msgspec.Struct, frozen=True, kw_only=True):
    """One payment from the payer's side. Stages not reached are None."""

    payment: str
    user_id: str
    flow: str
    """in_page or redirect."""
    stage: str
    """pending, paid, pushed or cleared: how far its broadcast got."""
    mode: Mode
    """What their browser follows."""
    paid_ms: int
    """When Stripe took the payment."""
    pushed_ms: int | None = None
    """When the push arrived."""
    cleared_ms: int | None = None
    """When "Pay now" was gone."""
    cleared_by: str | None = None
    """What refetch cleared it: first, push, subscribe, timer, safety_net, return, moved, lease or last."""
    is_visitor: bool = False


class SwitchView(msgspec.Struct, frozen=True, kw_only=True):
    """One switch, and what became of it."""

    key: str
    title: str
    text: str
    expect: str
    is_on: bool
    turned_ms: int | None = None
    """When it was last turned on; None: never."""
    came_ms: int | None = None
    """When the expected effect was observed; None: not yet."""
    came: str = ""
    """The observed effect, in a few words."""


class StoryStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the story."""

    key: str
    title: str
    text: str
    expect: str
    is_done: bool
    is_current: bool = False
    done_ms: int | None = None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How much has happened."""

    payments: int
    cleared: int
    waiting: int
    """Payers whose page shows "Pay now"."""
    webhooks: int
    """Deliveries to the sidecar, again and again ones included."""
    broadcasts: int
    reports: int


class WorldUrls(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are."""

    public: str
    operator: str
    page: str
    payer: str


class WorldView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page shows."""

    now_ms: int
    speed: int
    """Seconds of world time per second: 1, 5 or 20; less while a visitor's payment is in flight."""
    is_story: bool
    """The story turns the switches."""
    story: tuple[StoryStep, ...]
    story_failure: str = ""
    """Why the last run of the story did not complete."""
    flag: FlagView
    gates: tuple[GateStatus, ...]
    indicators: tuple[IndicatorStatus, ...]
    comparison: Comparison | None
    """None: the sidecar does not answer."""
    events: tuple[Event, ...]
    """The last 40, oldest first."""
    payers: tuple[PayerView, ...]
    """The last 12, oldest first; the visitor's own among them."""
    switches: tuple[SwitchView, ...]
    counts: Counts
    urls: WorldUrls
