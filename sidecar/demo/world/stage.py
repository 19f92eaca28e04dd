"""The parts of the world that switches, story, visitor and view use."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from sidecar.core.facts.policy import Rung
from sidecar.demo.standin.backend import Backend
from sidecar.demo.standin.proxy import Proxy
from sidecar.demo.standin.reverb import Reverb
from sidecar.demo.standin.stripe import Stripe
from sidecar.demo.world.history import History
from sidecar.demo.world.operator_view import Watching
from sidecar.demo.world.sidecar_process import Running
from sidecar.demo.world.switches import Key
from sidecar.demo.world.view import StoryStep, SwitchView, WorldUrls
from sidecar.pusher.signing import App


class SwitchesState(Protocol):
    """The switches, as other parts of the world use them."""

    def turn(self, key: str, *, on: bool) -> None:
        """Turn a switch. Raises `SidecarError` with `not_found`."""

    def is_on(self, key: Key) -> bool:
        """Return whether a switch is on."""
        ...

    def recover(self) -> None:
        """Turn everything off."""

    def views(self) -> tuple[SwitchView, ...]:
        """Return the switches for display."""
        ...


class StoryState(Protocol):
    """The story, for display."""

    began_ms: int
    is_running: bool
    failure: str

    def views(self) -> tuple[StoryStep, ...]:
        """Return the steps for display."""
        ...


class Stage:
    """The stand-ins around the sidecar, and the state of the world."""

    app: Backend
    nodes: Sequence[Reverb]
    reverb_app: App
    reverb_proxies: tuple[Proxy, Proxy]
    """The public one, and the sidecar's own."""
    sidecars_proxies: tuple[Proxy, Proxy, Proxy]
    """The sidecar's outgoing connections: Reverb, the app, and the reference target."""
    stripe: Stripe
    sidecar: Running
    history: History
    watching: Watching
    switchboard: SwitchesState
    story: StoryState
    group: asyncio.TaskGroup
    ladder: tuple[Rung, ...]
    urls: WorldUrls
    speed: int
    """Seconds of world time per second."""
