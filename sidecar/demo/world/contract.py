"""The interface of the world to its pages: view, switches, story, speed and payments."""

from typing import Protocol

import msgspec
from aiohttp import web

from sidecar.core.facts.reports import Flow
from sidecar.demo.world.view import WorldView


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """The payer of the payer's page, with the values that an app would render into its dashboard."""

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
    """The bearer token of the app's requests."""


class Demo(Protocol):
    """The interface of the world to its pages. No method waits: effects appear in the view later."""

    @property
    def speed(self) -> int:
        """Return the present speed: seconds of world time per second. Called often."""

    def view(self) -> WorldView:
        """Return all that the page shows."""

    def turn(self, key: str, *, on: bool) -> None:
        """Turn a switch. Raises `SidecarError` with `not_found`."""

    def start_story(self) -> None:
        """Start the story from its beginning; no effect while it runs."""

    def set_speed(self, speed: int) -> None:
        """Set the speed: seconds of world time per second."""

    def visitor(self) -> Visitor:
        """Return the payer of the payer's page."""

    def token(self) -> str:
        """Return a token for the reports of the visitor's browser, signed by the app."""

    def intend(self, flow: Flow) -> str:
        """Create a PaymentIntent for the visitor's next booking, and return its id: nothing is paid yet."""

    def pay(self, payment_intent: str) -> None:
        """Take the visitor's payment at Stripe, which sends the webhooks. Raises `SidecarError` with `not_found`."""

    def is_paid(self, payment_intent: str, *, is_pushed: bool) -> bool:
        """Return whether this booking is paid in the app, as a refetch does, because of a push or not."""


class PageServer(Protocol):
    """The pages of one world."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all pages."""
        ...

    async def stop(self) -> None:
        """End open streams."""
