"""The view of the demo's page: the whole world at one moment, as one value. Times are Unix ms of its clock."""

import msgspec

from sidecar.console.status import GateStatus, IndicatorStatus
from sidecar.core.facts.policy import Mode, Rung
from sidecar.core.facts.reports import Flow
from sidecar.core.release.comparison import Comparison
from sidecar.demo.world.switches import Switch


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
    """One event."""

    at_ms: int
    kind: str
    """stripe, app, reverb, browser, sidecar, person or switch."""
    who: str
    text: str
    payment: str | None = None


class PayerView(msgspec.Struct, kw_only=True):
    """One payment from the payer's side; times not reached are None. `History` owns and updates it."""

    payment: str
    user_id: str
    flow: Flow
    mode: Mode = Mode.TIMER_POLLING
    """The mode that their browser follows."""
    paid_ms: int
    """When Stripe took the payment."""
    pushed_ms: int | None = None
    """When the push arrived."""
    cleared_ms: int | None = None
    """When "Pay now" was cleared."""
    cleared_by: str | None = None
    """The refetch that cleared it: first, push, subscribe, timer, safety_net, return, moved, lease or last."""
    is_visitor: bool = False


class SwitchView(Switch, frozen=True, kw_only=True):
    """One switch with its state."""

    is_on: bool = False
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
    """Totals."""

    payments: int
    cleared: int
    waiting: int
    """Payers whose page shows "Pay now"."""
    webhooks: int
    """Deliveries to the sidecar, repeated ones included."""
    broadcasts: int
    reports: int


class WorldUrls(msgspec.Struct, frozen=True, kw_only=True):
    """The URLs of the listeners and pages."""

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
