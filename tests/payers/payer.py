"""One payer: the settings of their page, the faults around them, and what the backend recorded."""

import asyncio
from typing import Any

import msgspec

from sidecar.core.facts.reports import Flow


class Payer(msgspec.Struct, kw_only=True):
    """A user with one booking to pay; the faults may be changed at any time."""

    name: str
    """Also the PaymentIntent's, with `pi_` before it."""
    user_id: str
    sidecar: str
    """The name of the sidecar that receives their webhooks."""
    flow: Flow = Flow.IN_PAGE
    flag_url: str
    report_url: str
    webhook_url: str
    """Where Stripe delivers for the sidecar."""
    echo: dict[str, Any]
    """The options of the page's Echo."""

    paid_after_s: float | None = 0.5
    """Delay from the page's first refetch to the backend's webhook; None: before any refetch."""
    paid_at: asyncio.Event | None = None
    """The backend processes its webhook when this is set; None: after the delay."""
    tells_page_s: float = 0.0
    """Delay from the broadcast to Stripe's confirmation in the page; 0: at once, before the broadcast."""
    stale_s: float = 0.0
    """Time after the commit in which the read replica shows the booking as not paid."""
    names_payment: bool = True
    """Stripe's return URL has `payment_intent`; without it the page must have stored it."""

    found: list[bool] = []
    """The result of each refetch, in order."""
    reports: list[bytes] = []
    """What the page sent to the backend's recorder."""
    succeeded: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Stripe has taken the payment."""
    refetched: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """The page has asked for the bookings at least once since."""
    broadcast: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Reverb's API has taken the broadcast."""
    succeeded_s: float | None = None
    """When Stripe took the payment, on the scenarios' clock (`Pace`), like all of these."""
    began_s: float | None = None
    """When the page received Stripe's confirmation, or the return page began."""
    paid_s: float | None = None
    """When the booking was committed as paid."""
    broadcast_s: float | None = None

    @property
    def payment_intent(self) -> str:
        """The PaymentIntent."""
        return f"pi_{self.name}"

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings of the page."""
        return {
            "payment_intent": self.payment_intent,
            "user_id": self.user_id,
            "flow": self.flow,
            "flag_url": self.flag_url,
            "report_url": self.report_url,
            "echo": self.echo,
        }
