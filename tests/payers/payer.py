"""One payer: what their page is told, what is wrong in their world, and what the backend saw of them."""

import asyncio
from typing import Any

import msgspec

from sidecar.core.facts.reports import Flow


class Payer(msgspec.Struct, kw_only=True):
    """A user with one booking to pay; what is wrong may be changed at any time."""

    name: str
    """Also the PaymentIntent's, with `pi_` before it."""
    user_id: str
    flow: Flow = Flow.IN_PAGE
    flag_url: str
    report_url: str
    webhook_url: str
    """Where Stripe delivers for the sidecar."""
    echo: dict[str, Any]
    """The options of the page's Echo."""

    paid_after_s: float | None = 0.5
    """So long after the page's first refetch the backend has done its webhook; None: at once, before any."""
    paid_at: asyncio.Event | None = None
    """The backend does its webhook when this is set; None: by time."""
    tells_page_s: float = 0.0
    """So long after the broadcast the page is told that Stripe took the payment; 0: at once, without waiting for that."""
    stale_s: float = 0.0
    """So long after the commit the read replica still shows the booking as not paid."""
    names_payment: bool = True
    """Stripe's return URL has `payment_intent`; a page that lost it must remember."""

    found: list[bool] = []
    """What each refetch found, in order."""
    reports: list[bytes] = []
    """What the page sent to the backend's recorder."""
    succeeded: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Stripe has taken the payment."""
    refetched: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """The page has asked for the bookings at least once since."""
    broadcast: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Reverb's API has taken the broadcast."""
    succeeded_s: float | None = None
    """When Stripe took the payment, on our monotonic clock, as are all these."""
    began_s: float | None = None
    """When the page was told of it, or the return page began."""
    paid_s: float | None = None
    """When the booking was committed as paid."""
    broadcast_s: float | None = None

    @property
    def payment_intent(self) -> str:
        """The PaymentIntent."""
        return f"pi_{self.name}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the page is told."""
        return {
            "payment_intent": self.payment_intent,
            "user_id": self.user_id,
            "flow": self.flow,
            "flag_url": self.flag_url,
            "report_url": self.report_url,
            "echo": self.echo,
        }
