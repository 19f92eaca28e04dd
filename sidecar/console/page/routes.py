"""The console's routes: the page, its assets, and the stream that says when to look again."""

from collections.abc import Callable

from aiohttp import web

from sidecar import clock
from sidecar.console.page.news import News
from sidecar.console.page.over_time import Range
from sidecar.console.page.pages import Page, get_asset, page
from sidecar.console.page.view import view_of
from sidecar.console.status import Status
from sidecar.core.state import State

_KEPT_S = 0.5
"""So long one rendering serves all who ask, while nothing that they would wait for changes."""


class Console:
    """The pages of one process."""

    def __init__(self, state: State, status: Callable[[], Status], news: News) -> None:
        self._state = state
        self._status = status
        self._news = news
        self._kept: dict[Range | None, tuple[bytes, float, Page]] = {}
        """The last rendering of each range."""
        page("console/dialog.html")  # so that all templates are compiled before anybody waits for one

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the console."""
        return [
            web.get("/", self.get_console),
            web.get("/assets/{name}", get_asset),
            web.get("/api/stream", self._news.serve, allow_head=False),
        ]

    async def get_console(self, request: web.Request) -> web.Response:
        """Answer with the console."""
        if self._state.policy is None:
            return page("starting.html").answer(request, status=503)
        return self._console(_range(request.query.get("range"))).answer(request)

    def _console(self, chosen: Range | None) -> Page:
        outlook, now_s = self._news.outlook(), clock.monotonic_s()
        kept = self._kept.get(chosen)
        if kept is not None and kept[0] == outlook and now_s - kept[1] < _KEPT_S:
            return kept[2]
        made = page("console.html", view=view_of(self._status(), self._state, chosen))
        self._kept[chosen] = (outlook, now_s, made)
        return made


def _range(asked: str | None) -> Range | None:
    """Return the range that was asked for; None: none, or there is no such range."""
    return Range(asked) if asked in set(Range) else None
