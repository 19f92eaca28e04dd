"""Several Reverb nodes over one Redis, by its effects: every broadcast goes over the bus, also to its own node."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from sidecar import clock
from sidecar.demo.standin.reverb_channels import Channels


class Node(Protocol):
    """A node, as the bus needs it."""

    is_dead: bool
    channels: Channels

    async def exit(self) -> None:
        """End the process."""
        ...

    def deliver(self, frames: list[tuple[str, str]], *, but: str | None) -> None:
        """Send frames to the members of their channels on this node."""
        ...


class Bus:
    """The pub/sub channel that nodes share."""

    def __init__(self, *, gives_up_after_s: float = 60.0) -> None:
        self.nodes: list[Node] = []
        self.foreign_subscribers = 0
        """Other subscribers: with one, every call that counts something takes 10 s."""
        self._gives_up_after_s = gives_up_after_s
        self._down_since_s: float | None = None

    @property
    def is_down(self) -> bool:
        """Whether Redis is down."""
        return self._down_since_s is not None

    def add(self, node: Node) -> None:
        """Connect a node."""
        self.nodes.append(node)

    def publish(self, deliver: Callable[[Node], None]) -> None:
        """Deliver on every node. While Redis is down the event is lost, though the API answered 200."""
        if not self.is_down:
            for node in self.nodes:
                if not node.is_dead:
                    deliver(node)

    def receive_garbage(self) -> "asyncio.Future[list[None]]":
        """Make every node exit, as one message on the channel that is not JSON does."""
        return asyncio.gather(*(node.exit() for node in self.nodes))

    def go_down(self) -> None:
        """Lose Redis; after a minute of it every node exits."""
        self._down_since_s = clock.monotonic_s()
        asyncio.get_running_loop().call_later(self._gives_up_after_s, self._give_up, self._down_since_s)

    def come_back(self) -> None:
        """Restore Redis; messages published meanwhile are lost."""
        self._down_since_s = None

    def _give_up(self, since_s: float) -> None:
        if self._down_since_s == since_s:
            self.receive_garbage()
