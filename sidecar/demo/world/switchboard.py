"""The state of the switches: which are on, and whether the expected effect was observed."""

import asyncio
from collections.abc import Awaitable

import msgspec

from sidecar import clock
from sidecar.console.status import Status
from sidecar.demo.world.faults import ACTIONS, CAME, Seen
from sidecar.demo.world.stage import Stage
from sidecar.demo.world.switches import SWITCHES, Key
from sidecar.demo.world.view import SwitchView
from sidecar.ports import ErrorCode, SidecarError


class _Stand(msgspec.Struct, kw_only=True):
    is_on: bool = False
    turned_ms: int | None = None
    came_ms: int | None = None
    came: str = ""
    before: Status | None = None
    unanswered: int = 0


class Switchboard:
    """All switches of one world."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._stands = {switch.key: _Stand() for switch in SWITCHES}
        self._one_by_one = asyncio.Lock()

    def turn(self, key: str, *, on: bool) -> None:
        """Turn a switch. Raises `SidecarError` with `not_found`."""
        if key not in set(Key):
            raise SidecarError(ErrorCode.NOT_FOUND, f"there is no switch {key}; there are {', '.join(Key)}")
        which = Key(key)
        stand = self._stands[which]
        if stand.is_on is on:
            return
        if on:
            self._stands[which] = _Stand(
                is_on=True,
                turned_ms=clock.wall_ms(),
                before=self._world.watching.last,
                unanswered=self._world.history.unanswered,
            )
        else:
            stand.is_on = False
        title = next(switch.title for switch in SWITCHES if switch.key is which)
        self._world.history.note("switch", "switch", f"{title}: {'on' if on else 'off'}")
        acting = ACTIONS[which](self._world, on=on)
        if acting is not None:
            self._world.group.create_task(self._after(acting), name="world.switch")

    async def _after(self, acting: Awaitable[None]) -> None:
        async with self._one_by_one:
            await acting

    def recover(self) -> None:
        """Turn everything off."""
        for key, stand in self._stands.items():
            if stand.is_on:
                self.turn(key, on=False)

    def is_on(self, key: Key) -> bool:
        """Return whether a switch is on."""
        return self._stands[key].is_on

    def came(self, key: Key) -> str:
        """Return the observed effect since it was turned on; empty: none yet."""
        return self._stands[key].came

    def look(self) -> None:
        """Check for the expected effects."""
        for key, stand in self._stands.items():
            before = stand.before or self._world.watching.last
            if not stand.is_on or stand.came_ms is not None or before is None:
                continue
            unanswered = self._world.history.unanswered - stand.unanswered
            stand.came = CAME[key](Seen(before=before, now=self._world.watching.status, unanswered=unanswered))
            if stand.came:
                stand.came_ms = clock.wall_ms()
                self._world.history.note("switch", "as expected", stand.came)

    def views(self) -> tuple[SwitchView, ...]:
        """Return what is shown of them."""
        return tuple(
            SwitchView(
                **msgspec.structs.asdict(switch),
                is_on=stand.is_on,
                turned_ms=stand.turned_ms,
                came_ms=stand.came_ms,
                came=stand.came,
            )
            for switch, stand in zip(SWITCHES, self._stands.values(), strict=True)
        )
