"""The demo's world in a thread, for a visitor's browser: started from a journal, then in real time."""

import asyncio
import functools
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

import msgspec

from sidecar.console.status import Status
from sidecar.core.facts.policy import Mode
from sidecar.demo.page import Pages
from sidecar.demo.show import FREE, HEADLESS_STARTS_MS, Show, folder_for, installed, loop_of
from sidecar.demo.world.operator_view import is_push
from sidecar.demo.world.pace import Pace
from sidecar.demo.world.switches import Key
from sidecar.demo.world.world import World, running_world
from sidecar.logs import LineCounts
from tests.demo.sharing import copy_journal
from tests.demo.worlds import LATER_MS, LATER_PAYER, live
from tests.e2e.processes import free_port

Answer = TypeVar("Answer")
_SHOW = Show(ports=msgspec.structs.replace(FREE, sidecar_reverb=free_port(), sidecar_app=free_port()))
"""The sidecar finds Reverb and the app at the ports of the climb: elsewhere they would be others, without a proof."""
_SETTLES_S = 0.0001
_WITHIN_S = 3600.0


class VisitedWorld:
    """A handle on a world in another thread's event loop."""

    def __init__(self, world: World, pace: Pace) -> None:
        self.over = asyncio.Event()
        """Set in the world's loop to end it."""
        self._world, self._pace = world, pace
        self._loop = asyncio.get_running_loop()

    @property
    def page_url(self) -> str:
        """Return the URL of the demo's page."""
        return self._world.urls.page

    async def does(self, action: Callable[[World], Awaitable[Answer]]) -> Answer:
        """Run an action in the world's loop, and return its result."""

        async def do() -> Answer:
            return await action(self._world)

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(do(), self._loop))

    async def jumps(self, is_met: Callable[[Status], object]) -> None:
        """Advance the world until a condition is met; then run in real time."""

        async def jump(world: World) -> None:
            self._pace.speed = None
            came = await world.watching.until(lambda status: status is not None and is_met(status), _WITHIN_S)
            self._pace.waited(0, 0, 1)  # the skipped time took no real time
            self._pace.set_speed(1)
            assert came, world.watching.status

        await self.does(jump)

    async def turn(self, key: Key, *, on: bool) -> None:
        """Turn a switch, and return once its action is done."""

        async def turn(world: World) -> None:
            world.turn(key, on=on)
            await asyncio.sleep(0)
            async with world.switchboard._one_by_one:
                pass

        await self.does(turn)


def climbed(folder: Path) -> dict[Mode, Path]:
    """Climb to the top in a headless world, and return its journals from the moment each push mode was served."""
    journals = {mode: folder / f"{mode}.db" for mode in (Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY)}

    def needs_only_a_person(status: Status | None) -> bool:
        closed = [gate.name for gate in status.gates if not gate.passes] if status is not None else []
        return is_push(status) and closed == ["approval"]

    async def climb(world: World) -> None:
        for mode, journal in journals.items():
            assert await world.watching.until(functools.partial(is_push, mode=mode), _WITHIN_S), mode
            with closing(sqlite3.connect(folder / "demo.db")) as kept, closing(sqlite3.connect(journal)) as copy:
                kept.backup(copy)
            if mode is not Mode.PUSH_ONLY:
                assert await world.watching.until(needs_only_a_person, _WITHIN_S), "it needs an approval"
                await world.watching.action("approve", "a test")

    live(folder, climb, show=msgspec.structs.replace(_SHOW, is_headless=True))
    return journals


@asynccontextmanager
async def visited(journal: Path | None = None) -> AsyncIterator[VisitedWorld]:
    """Run the demo's world with its pages on free ports, started from a copy of the journal."""
    ours = asyncio.get_running_loop()
    began: asyncio.Future[VisitedWorld] = ours.create_future()
    pace = Pace(starts_ms=HEADLESS_STARTS_MS + LATER_MS, settles_s=_SETTLES_S)

    async def be(folder: Path) -> None:
        if journal is not None:
            copy_journal(journal, folder / "demo.db")
        lines = LineCounts()
        async with running_world(
            ports=_SHOW.ports, folder=folder, pace=pace, seed=7, lines=lines, pages=Pages, first_payer=LATER_PAYER
        ) as world:
            handle = VisitedWorld(world, pace)
            ours.call_soon_threadsafe(began.set_result, handle)
            await handle.over.wait()

    def run() -> None:
        try:
            with folder_for(_SHOW) as folder, asyncio.Runner(loop_factory=loop_of(_SHOW, pace)) as runner:
                runner.run(be(folder))
        except BaseException as error:
            ours.call_soon_threadsafe(_fail, began, error)
            raise

    with installed(_SHOW, pace):
        thread = threading.Thread(target=run, name="world")
        thread.start()
        try:
            world = await began
            yield world
            await world.does(_over(world))
        finally:
            await asyncio.to_thread(thread.join)


def _fail(began: "asyncio.Future[VisitedWorld]", error: BaseException) -> None:
    if not began.done():
        began.set_exception(error)


def _over(handle: VisitedWorld) -> Callable[[World], Awaitable[None]]:
    async def end(_: World) -> None:
        handle.over.set()

    return end
