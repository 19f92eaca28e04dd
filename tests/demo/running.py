"""Run a coroutine in the world's event loop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sidecar.demo.world.loop import WorldLoop
from sidecar.demo.world.network import Network
from sidecar.demo.world.pace import Pace

T = TypeVar("T")


def lived(life: Coroutine[Any, Any, T], pace: Pace, *, in_memory: bool = True) -> T:
    """Return its result."""
    with asyncio.Runner(loop_factory=lambda: WorldLoop(pace, Network() if in_memory else None)) as runner:
        return runner.run(life)
