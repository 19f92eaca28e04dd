"""Runs something in a loop of the world's."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sidecar.demo.world.loop import WorldLoop
from sidecar.demo.world.network import Network
from sidecar.demo.world.pace import Pace

T = TypeVar("T")


def lived(life: Coroutine[Any, Any, T], pace: Pace, *, in_memory: bool = True) -> T:
    """Return what comes of it."""
    with asyncio.Runner(loop_factory=lambda: WorldLoop(pace, Network() if in_memory else None)) as runner:
        return runner.run(life)
