"""A Reverb that loses the broadcast of some payments, and the connection of some users."""

import asyncio

from sidecar.demo.standin.reverb import Reverb
from sidecar.pusher.signing import App

APP = App(app_id="501", key="liverefresh-key", secret="liverefresh-secret")
OTHER = App(app_id="501", key="liverefresh-key", secret="another-secret")
"""The credentials of an app with another REVERB_APP_SECRET."""


def channel_of(user_id: str) -> str:
    """Return a user's own channel."""
    return f"private-live-refresh.{user_id}"


def observer_channel_of(sidecar: str) -> str:
    """Return a sidecar's own observer channel: the payments of another sidecar would be acks without an event."""
    return f"private-reverb-sidecar.{sidecar}"


class LosingReverb(Reverb):
    """One node; it loses a broadcast for every socket, after its API's 200."""

    def __init__(self) -> None:
        super().__init__(APP)
        self.loses: set[str] = set()
        """Payments whose broadcast is lost."""

    def deliver(self, frames: list[tuple[str, str]], *, but: str | None) -> None:
        """Deliver the broadcast unless it is lost."""
        super().deliver([each for each in frames if not any(name in each[1] for name in self.loses)], but=but)

    def is_joined(self, user_id: str) -> bool:
        """Return whether the user's own channel has a member."""
        return channel_of(user_id) in self.channels.names()

    async def cut(self, user_id: str) -> None:
        """Cut the connections of a user, without a Close frame, and return once Reverb has noticed."""
        while self.is_joined(user_id):
            for socket_id in self.sockets:
                if self.channels.is_member(channel_of(user_id), socket_id):
                    await self.sockets.drop(socket_id)
            await asyncio.sleep(0.01)
