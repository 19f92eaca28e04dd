"""The console's routes: the page, its detail pages, assets, and the stream of live updates."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar, cast
from urllib.parse import quote

import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.console import decisions
from sidecar.console.explanation import explain_decision
from sidecar.console.labels import sentence
from sidecar.console.page import decision, payment, versions
from sidecar.console.page.live_updates import LiveUpdates
from sidecar.console.page.log import SHOWN_MAX, entry_line
from sidecar.console.page.over_time import OverTime, Range, over_time
from sidecar.console.page.pages import Begun, Page, get_asset, page, sent
from sidecar.console.page.verdict import question_of
from sidecar.console.page.view import View, view_of
from sidecar.console.payment_timelines import PaymentTimelines
from sidecar.console.status import Status
from sidecar.console.versions import versions_of
from sidecar.core.facts.policy import Policy
from sidecar.core.fold.state import State
from sidecar.core.release.checks import Question
from sidecar.core.release.readiness import Readiness
from sidecar.parts.part import Part
from sidecar.parts.routes import OPERATOR, get
from sidecar.ports import ErrorCode, Journal, SidecarError

_KEPT_S = 0.5
"""How long one rendering is served to all requests while the change key stays the same."""
_DRAWN_MS = 20_000
_LISTED = 50


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """The flag and environment in every heading."""

    flag: str
    environment: str


class _Rendering:
    """The console at one moment: rendered once for concurrent requests, and sent in two pieces."""

    def __init__(self, view: View, plots: Callable[[], OverTime | None]) -> None:
        self._view = view
        self._plots = plots
        self._begun = Begun("console.html", view=view)
        self._rest: Page | None = None

    def pieces(self) -> Iterator[Page]:
        """Yield the two answers, which are cheap, then the rest, which takes most of the time."""
        yield self._begun.first
        if self._rest is None:
            try:
                self._rest = self._begun.rest("below.html", view=self._view, plots=self._plots())
            except Exception:
                yield self._begun.rest("unfinished.html")  # for people; the script detects the cut connection
                raise
        yield self._rest


Handler = TypeVar("Handler", bound=Callable[..., Awaitable[web.Response]])


def _in_html(handler: Handler) -> Handler:
    """Decorate a handler: a missing thing is answered as a page, not as JSON, because a person followed a link."""

    @functools.wraps(handler)
    async def answer(console: "Console", request: web.Request) -> web.Response:
        try:
            return await handler(console, request)
        except SidecarError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
            return page("missing.html", message=sentence(error.message)).answer(request, status=404)

    return cast("Handler", answer)


class Console(Part):
    """The pages of one process."""

    def __init__(
        self,
        journal: Journal,
        state: State,
        timelines: PaymentTimelines,
        *,
        status: Callable[[], Status],
        readiness: Callable[[Question], Readiness],
        live_updates: LiveUpdates,
    ) -> None:
        self._journal = journal
        self._state = state
        self._status = status
        self._readiness = readiness
        self._timelines = timelines
        self._live_updates = live_updates
        self._kept: dict[Range | None, tuple[bytes, float, _Rendering]] = {}
        """The last rendering of each range."""
        self._drawn: dict[Range | None, tuple[bytes, OverTime | None]] = {}
        """The last plots of each range."""
        self._rendering = asyncio.Lock()
        page("missing.html", message="")  # compiles all templates before the first request

    @get("/assets/{name}", on=OPERATOR)
    async def get_asset(self, request: web.Request) -> web.StreamResponse:
        """Answer with a style sheet, a script or a picture."""
        return await get_asset(request)

    @get("/", on=OPERATOR)
    async def get_console(self, request: web.Request) -> web.StreamResponse:
        """Return the console; everything below the two answers is rendered after these were sent."""
        if self._state.policy is None:
            return page("starting.html").answer(request, status=503)
        rendering = await self._console(_range(request.query.get("range")))
        return await sent(request, rendering.pieces())

    @get("/decisions", on=OPERATOR)
    @_in_html
    async def get_decisions(self, request: web.Request) -> web.Response:
        """Return decisions, actions and policies, newest first; `?before=` a record: those before it."""
        text = request.query.get("before")
        before = None if text is None else _number(text)
        listed = await decisions.page_of(self._journal, self._state, before=before, limit=_LISTED)
        now_ms = self._journal.now_ms()
        return page(
            "decisions.html",
            place=self._place(),
            lines=[entry_line(entry, now_ms) for entry in listed.entries],
            next_before=listed.next_before,
            head=listed.head,
        ).answer(request)

    @get("/decisions/{seq}", on=OPERATOR)
    @_in_html
    async def get_decision(self, request: web.Request) -> web.Response:
        """Return one of them with its evidence."""
        detail = await decisions.detail_of(self._journal, self._state, _number(request.match_info["seq"]))
        view = decision.view_of(detail, explain_decision(detail), self._journal.now_ms())
        return page("decision.html", place=self._place(), view=view).answer(request)

    @get("/versions", on=OPERATOR)
    async def get_versions(self, request: web.Request) -> web.Response:
        """Return the versions of the flag, newest first, with what changed in each."""
        found = versions.table_of(await versions_of(self._journal, self._state), self._journal.now_ms())
        return page("versions.html", place=self._place(), versions=found).answer(request)

    @get("/payments", on=OPERATOR)
    async def find_payment(self, request: web.Request) -> web.Response:
        """Redirect from the form to the page of a payment."""
        asked = request.query.get("id", "").strip()
        location = f"/payments/{quote(asked, safe='')}" if asked else "/"
        return web.Response(status=303, headers={"Location": location, "Cache-Control": "no-store"})

    @get("/payments/{payment_intent}", on=OPERATOR)
    @_in_html
    async def get_payment(self, request: web.Request) -> web.Response:
        """Return the timeline of a payment."""
        timeline = await self._timelines.of(request.match_info["payment_intent"])
        view = payment.view_of(timeline, self._journal.now_ms())
        return page("payment.html", place=self._place(), view=view).answer(request)

    def _policy(self) -> Policy:
        policy = self._state.policy
        if policy is None:
            raise SidecarError(ErrorCode.NOT_READY, "no policy is in force yet; try again in a second")
        return policy

    def _place(self) -> _Place:
        policy = self._policy()
        return _Place(flag=policy.flag, environment=policy.environment)

    async def _console(self, chosen: Range | None) -> _Rendering:
        async with self._rendering:  # concurrent requests share one rendering
            change_key, now_s = self._live_updates.change_key(), clock.monotonic_s()
            kept = self._kept.get(chosen)
            if kept is not None and kept[0] == change_key and now_s - kept[1] < _KEPT_S:
                return kept[2]
            decided, trouble = await self._last_decisions()
            status = self._status()
            asked = self._readiness(question_of(self._policy()))
            view = view_of(status, self._state, decided=decided, asked=asked, log_trouble=trouble)
            rendering = _Rendering(view, functools.partial(self._plots, chosen, status.now_ms))
            self._kept[chosen] = (change_key, now_s, rendering)
            return rendering

    def _plots(self, chosen: Range | None, now_ms: int) -> OverTime | None:
        """Return the plots. They cost more than the rest of the page, so they are cached until something happens."""
        history = self._state.history
        shown = (now_ms // _DRAWN_MS, self._state.policy_hash, history.events[-1:], history.spans[-1:])
        key = msgspec.json.encode(shown)  # spans are changed in place
        if chosen not in self._drawn or self._drawn[chosen][0] != key:
            self._drawn[chosen] = (key, over_time(self._state, now_ms, chosen))
        return self._drawn[chosen][1]

    async def _last_decisions(self) -> tuple[decisions.Page, str]:
        """Return the last decisions; if the journal cannot be read, none and the error."""
        try:
            return await decisions.page_of(self._journal, self._state, before=None, limit=SHOWN_MAX), ""
        except SidecarError as error:
            return decisions.Page(entries=(), next_before=None, head=""), f"The journal cannot be read: {error.message}"


def _range(asked: str | None) -> Range | None:
    """Return the requested range; None: none or an unknown one."""
    return Range(asked) if asked in set(Range) else None


def _number(text: str) -> int:
    number = decisions.number_of(text)
    if number is None:
        raise SidecarError(ErrorCode.NOT_FOUND, "the number of a record is a whole number, in digits")
    return number
