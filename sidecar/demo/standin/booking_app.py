"""A stand-in for the Laravel app, as far as channels go: login, the auth endpoint, CORS, and its faults.

It answers as `tests/captures/http-app` shows a real one to: the 403 has an empty message, JSON or a page by `Accept`.
"""

import asyncio
from collections.abc import Container, Mapping
from email.utils import formatdate

import msgspec
from aiohttp import web

from sidecar import clock, randomness
from sidecar.pusher.signing import App, channel_auth

CHANNEL = "private-live-refresh."
_FORBIDDEN_PAGE = "<!DOCTYPE html><html><head><title>Forbidden</title></head><body>403 Forbidden</body></html>"


class AppFaults(msgspec.Struct, kw_only=True):
    """The faults of the app; may be changed at any time."""

    status: int | None = None
    """The auth endpoint answers so, with `body` and `headers`."""
    body: str = ""
    headers: Mapping[str, str] = {}
    is_frozen: bool = False
    """It accepts requests and answers none."""
    signs_as: App | None = None
    """It signs with the key and secret of this application."""
    signs_for_socket: str | None = None
    signs_for_channel: str | None = None
    lets_everybody_in: bool = False
    """The channel's callback is true for everybody."""
    refuses: Container[str] = frozenset()
    """Users who get a 403 for their own channel."""
    has_cors: bool = True
    """Whether answers to other origins carry the CORS headers."""


class BookingApp:
    """The app: users with tokens or passwords, and channels that belong to them."""

    def __init__(self, app: App, *, origins: tuple[str, ...] = (), users: Mapping[str, str] | None = None) -> None:
        self.faults = AppFaults()
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        """The last requests: method, path, headers, body."""
        self.passwords: dict[str, tuple[str, str]] = {}
        """E-mail address → password and user id."""
        self._app = app
        self._origins = origins
        self._users = dict(users or {})
        self._sessions: dict[str, str | None] = {}
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> int:
        """Listen on loopback, and return the port."""
        site = web.Application()
        site.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(site, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def forget_sessions(self) -> None:
        """Expire every session."""
        self._sessions.clear()

    async def _serve(self, request: web.Request) -> web.Response:
        body = (await request.read())[:10_000].decode(errors="replace")
        seen = (request.method, request.path, dict(request.headers), body)
        self.requests = [*self.requests[-199:], seen]
        while self.faults.is_frozen:  # noqa: ASYNC110 - a switch that anybody may turn needs no event
            await asyncio.sleep(0.01)
        if request.method == "OPTIONS":
            response = web.Response(status=204)
        elif request.path in {"/broadcasting/auth", "/api/broadcasting/auth"}:
            response = await self._authorise(request)
            if request.method == "POST" and request.content_type != "application/json":
                self.answered(str((await request.post()).get("channel_name", "")), response.status)
        elif request.path == "/sanctum/csrf-cookie":
            response = self._csrf_cookie()
        elif request.path == "/login" and request.method == "POST":
            response = self._login(request, body)
        else:
            response = await self.elsewhere(request, body)
        self._allow(request, response)
        response.headers["Date"] = formatdate(clock.wall_ms() / 1000, usegmt=True)  # in world time
        return response

    async def elsewhere(self, request: web.Request, body: str) -> web.Response:  # noqa: ARG002 - for apps that do more
        """Answer what is not about channels."""
        return web.json_response({"message": f"The route {request.path} could not be found."}, status=404)

    def answered(self, channel: str, status: int) -> None:
        """Note how a request for a channel was answered."""

    def serve(self) -> web.RequestHandler | None:
        """Return a protocol for one more connection, for a proxy; None: it has stopped."""
        return None if self._runner is None or self._runner.server is None else self._runner.server()

    def _allow(self, request: web.Request, response: web.Response) -> None:
        origin = request.headers.get("Origin", "")
        if self.faults.has_cors and origin in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Vary"] = "Origin"
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = "POST"
                asked = request.headers.get("Access-Control-Request-Headers", "")
                response.headers["Access-Control-Allow-Headers"] = asked

    async def _authorise(self, request: web.Request) -> web.Response:
        faults = self.faults
        if faults.status is not None:
            return web.Response(status=faults.status, text=faults.body, headers=faults.headers)
        is_json = request.content_type == "application/json"
        fields: Mapping[str, object] = msgspec.json.decode(await request.read()) if is_json else await request.post()
        socket_id, channel = str(fields.get("socket_id", "")), str(fields.get("channel_name", ""))
        user_id = self._user_of(request)
        is_own = channel == f"{CHANNEL}{user_id}" and user_id not in faults.refuses
        if user_id is None or not (is_own or faults.lets_everybody_in):
            return _forbidden(request)
        signing = faults.signs_as or self._app
        auth = channel_auth(signing, faults.signs_for_socket or socket_id, faults.signs_for_channel or channel)
        return web.json_response({"auth": auth})

    def _user_of(self, request: web.Request) -> str | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return self._users.get(token) or self._sessions.get(request.cookies.get("booking_session", ""))

    def _csrf_cookie(self) -> web.Response:
        response = web.Response(status=204)
        session = randomness.token_hex(16)
        self._sessions[session] = None
        response.set_cookie("XSRF-TOKEN", f"{session}%3D", path="/", samesite="Lax")
        response.set_cookie("booking_session", session, path="/", httponly=True, samesite="Lax")
        return response

    def _login(self, request: web.Request, body: str) -> web.Response:
        session = request.cookies.get("booking_session", "")
        if session not in self._sessions or request.headers.get("X-XSRF-TOKEN") != f"{session}=":
            return web.json_response({"message": "CSRF token mismatch."}, status=419)
        content = msgspec.json.decode(body, type=dict[str, str])
        password, user_id = self.passwords.get(content.get("email", ""), ("", ""))
        if not password or password != content.get("password"):
            return web.json_response({"message": "These credentials do not match our records."}, status=422)
        del self._sessions[session]
        renewed = randomness.token_hex(16)
        self._sessions[renewed] = user_id
        response = web.Response(status=204)
        response.set_cookie("booking_session", renewed, path="/", httponly=True, samesite="Lax")
        return response


def _forbidden(request: web.Request) -> web.Response:
    wants_json = "json" in request.headers.get("Accept", "") or "X-Requested-With" in request.headers
    if wants_json:
        return web.Response(status=403, text='{\n    "message": ""\n}', content_type="application/json")
    return web.Response(status=403, text=_FORBIDDEN_PAGE, content_type="text/html")
