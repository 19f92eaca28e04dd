"""What the pages need of the world: to see it, to turn its switches, and to pay in it."""

from typing import Protocol

import msgspec

from sidecar.core.facts.reports import Flow
from sidecar.demo.page.view import WorldView


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays on the payer's page, and what their page must know: as an app would render it into its dashboard."""

    user_id: str
    flag_url: str
    report_url: str
    reverb_url: str
    """`ws://host:port`, as browsers see it."""
    app_key: str
    channel: str
    """With `private-`."""
    event: str
    """Its name on the wire."""
    auth_endpoint: str
    auth_token: str
    """What the app's own requests are authorised with."""


class Demo(Protocol):
    """The world. Nothing here waits: what takes time goes on by itself, and is seen in the view."""

    @property
    def speed(self) -> int:
        """Return how many seconds of the world pass in one of ours, as it is now. Asked often."""

    def view(self) -> WorldView:
        """Return all that the page shows."""

    def turn(self, key: str, *, on: bool) -> None:
        """Turn a switch. Raises `SidecarError` with `not_found`."""

    def tell(self) -> None:
        """Let the story be told, from its beginning; while it is told nothing happens."""

    def set_speed(self, speed: int) -> None:
        """Let so many seconds of the world pass in one of ours."""

    def visitor(self) -> Visitor:
        """Return who pays on the payer's page."""

    def token(self) -> str:
        """Sign the app's word for who the visitor is, for their browser's reports."""

    def intend(self, flow: Flow) -> str:
        """Let the app make a PaymentIntent for the visitor's next booking, and return its id: nothing is paid yet."""

    def pay(self, payment_intent: str) -> None:
        """Let Stripe take the visitor's payment: the webhooks go out. Raises `SidecarError` with `not_found`."""

    def is_paid(self, payment_intent: str) -> bool:
        """Say whether the app has this booking as paid: what a refetch finds. Counts as one."""
