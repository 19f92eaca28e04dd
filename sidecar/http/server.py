"""A listener: its address, its routes, its limits and its shutdown."""

import asyncio
import contextlib
import errno
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.web_request import BaseRequest

from sidecar import clock
from sidecar.config import Address
from sidecar.http.address import client_address
from sidecar.http.body import answer_later, check_expectation
from sidecar.http.connections import BANNER, HEAD_WITHIN_S, OPERATOR_MAX, Connection, Refused, with_path
from sidecar.http.errors import REFUSALS, error_response, failed, nowhere, to_error_response, to_ofrep_error_response
from sidecar.http.guard import Guard
from sidecar.http.quotas import Shares
from sidecar.http.rate_limits import INSIDE, LIMITS, Limit, RateLimiter, Refusal, Turns
from sidecar.http.traffic import CLASSES, SLOW_S, Traffic
from sidecar.parts.cors import READABLE
from sidecar.parts.metrics import counted
from sidecar.parts.routes import ELSEWHERE, LISTENERS, PUBLIC, declared_paths, path_name
from sidecar.ports import ErrorCode, SidecarError

_SHUTDOWN_S = 5.0
_BACKLOG = 1024
_REST = "/{elsewhere:.*}"
_ANY_TIME = contextlib.nullcontext()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _refusable(kinds: Sequence[type]) -> Iterator[tuple[str, ...]]:
    for listener, path in declared_paths(kinds):
        for reason in Refusal:
            yield listener, path, reason.value


def _public(kinds: Sequence[type]) -> Iterator[tuple[str, ...]]:
    return ((path,) for listener, path in declared_paths(kinds) if listener == PUBLIC)


def _answerable(kinds: Sequence[type]) -> Iterator[tuple[str, ...]]:
    return ((path, code) for (path,) in _public(kinds) for code in CLASSES)


class Listener:
    """One listening address with its routes."""

    def __init__(
        self,
        name: str,
        address: Address,
        routes: Sequence[web.RouteDef] = (),
        *,
        connections_max: int = OPERATOR_MAX,
        address_max: int | None = None,
        proxies: int = 0,
        lag_s: Callable[[], float] = lambda: 0.0,
        head_within_s: float = HEAD_WITHIN_S,
        before_stop: Callable[[], Awaitable[None]] | None = None,
        limits: Mapping[str, Limit] = LIMITS,
        guard: Guard | None = None,
    ) -> None:
        self.name = name
        self._refused_count = 0
        self._address = address
        self._connections_max = connections_max
        self._shares = Shares(address_max) if address_max is not None else None
        self._proxies = proxies
        self._lag_s = lag_s
        self._head_within_s = head_within_s
        self._limits = limits
        self._before_stop = before_stop
        """Ends long responses, so that the shutdown need not wait for them."""
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._rate_limiters: dict[str, RateLimiter] = {}
        self._traffic: defaultdict[str, Traffic] = defaultdict(Traffic)
        self._routes: set[tuple[str, str]] = set()
        self._guard = guard
        self._turns = Turns()
        self._app = web.Application()
        self._app.on_response_prepare.append(_without_versions)
        if guard is not None:
            self._app.on_response_prepare.append(guard.adorn)
        self._runner = web.AppRunner(self._app, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
        self.add(routes)
        self._rate_limiter(_REST)

    def add(self, routes: Sequence[web.RouteDef]) -> None:
        """Add routes, before `start`."""
        for route in routes:
            handler = self._limited(route.handler, route.path)
            self._routes.add((route.method, path_name(route.path)))
            kwargs = {**route.kwargs, "expect_handler": answer_later}
            self._app.add_routes([web.RouteDef(route.method, route.path, handler, kwargs)])

    def routes(self) -> set[tuple[str, str]]:
        """Return the methods and paths of all routes."""
        return self._routes

    @counted(
        "refused_requests",
        "Requests that a route refused because of its rate, its requests in flight, or the event loop's lag.",
        {"listener": (), "route": (), "reason": ()},
        series=_refusable,
    )
    def refused_requests(self) -> dict[tuple[str, ...], float]:
        """Return how many requests were refused, by listener, path and reason."""
        return {
            (self.name, path, reason.value): count
            for path, rate_limiter in self._rate_limiters.items()
            for reason, count in rate_limiter.refused.items()
        }

    @counted(
        "requests",
        "Answers of the public listener by route and class of the status, refused requests among them.",
        {"route": (), "code": ()},
        series=_answerable,
    )
    def requests(self) -> dict[tuple[str, ...], float]:
        """Return how many requests were answered, by path and class of the status; of the public listener."""
        return {(path, code): count for path, each in self._public_traffic() for code, count in each.answers.items()}

    @counted(
        "request_seconds",
        "Seconds from a request's head to its answer, summed over the answers of a public route; streams are left out.",
        {"route": ()},
        series=_public,
    )
    def request_seconds(self) -> dict[tuple[str, ...], float]:
        """Return how long the answers took together, in seconds, by path; of the public listener."""
        return {(path,): each.took_s for path, each in self._public_traffic()}

    @counted(
        "slow_requests", f"Answers of a public route that took {SLOW_S:g} s or longer.", {"route": ()}, series=_public
    )
    def slow_requests(self) -> dict[tuple[str, ...], float]:
        """Return how many answers were slow, by path; of the public listener."""
        return {(path,): each.slow for path, each in self._public_traffic()}

    def _public_traffic(self) -> list[tuple[str, Traffic]]:
        return [(path, self._traffic[path]) for path in self._rate_limiters] if self.name == PUBLIC else []

    @counted(
        "refused_connections", "Connections above the limit of a listener, or of one address.", {"listener": LISTENERS}
    )
    def refused_connections(self) -> dict[str, float]:
        """Return how many connections were refused, by listener."""
        return {self.name: self._refused_count}

    def in_flight(self, path: str) -> int:
        """Return the number of concurrent requests of a path."""
        return self._rate_limiters[path].in_flight

    def bind(self) -> str:
        """Bind the address, and return its URL; clients that connect wait until `start`.

        Raises `SidecarError` with `address_in_use`.
        """
        host, port = self._address.host, self._address.port
        try:
            self._socket = _taken(host, port)
        except OSError as error:
            raise SidecarError(ErrorCode.ADDRESS_IN_USE, _why_not(self.name, self._address, error)) from error
        return f"http://{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        """Serve the clients of the bound address."""
        assert self._socket is not None  # noqa: S101 - the composition binds first
        elsewhere = self._limited(self._elsewhere, _REST)
        self._app.router.add_route(
            "*", _REST, elsewhere, expect_handler=answer_later
        )  # the last route: it matches all other paths
        await self._runner.setup()
        self._give_paths()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=self._socket, backlog=_BACKLOG)

    async def stop(self) -> None:
        """Stop listening; complete requests are answered, others are cut off after some seconds."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        if self._before_stop is not None:
            await self._before_stop()
        await self._runner.cleanup()

    def _rate_limiter(self, path: str) -> RateLimiter:
        """Return the rate limiter of a path, which all of its methods share."""
        path = path_name(path)
        if path not in self._rate_limiters:
            self._rate_limiters[path] = RateLimiter(self._limits.get(path, INSIDE), self._lag_s)
        return self._rate_limiters[path]

    async def _elsewhere(self, request: web.Request) -> web.StreamResponse:
        allowed: set[str] = set()
        for resource in self._app.router.resources():
            if resource.canonical != ELSEWHERE:
                _, methods = await resource.resolve(request)
                allowed |= methods
        return nowhere(allowed)

    def _give_paths(self) -> None:
        """Give every request a path, so that the routes and their limits have all of them."""
        server = self._runner.server
        assert server is not None  # noqa: S101 - `start` has set it up
        make_request = server.request_factory

        def make(message: RawRequestMessage, *rest: Any) -> BaseRequest:
            return make_request(with_path(message), *rest)

        server.request_factory = make

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None  # noqa: S101 - `start` has set it up
        if len(server.connections) >= self._connections_max:
            self._refuse()
            return Refused()
        return Connection(
            server, asyncio.get_running_loop(), self._head_within_s, shares=self._shares, refuse=self._refuse
        )

    def _limited(self, handler: Handler, path: str) -> Handler:
        limited = _limited(handler, self._rate_limiter(path), self._guard, self._turns, self._proxies)
        return _measured(limited, self._traffic[path_name(path)])

    def _refuse(self) -> None:
        self._refused_count += 1


def _taken(host: str, port: int) -> socket.socket:
    """Bind an address, also on an event loop with a network of its own (the demo's). Raises `OSError`."""
    take: Callable[[str, int], socket.socket | None] = getattr(asyncio.get_running_loop(), "take_address", _elsewhere)
    taken = take(host, port)
    if taken is None:
        family, *_, sockaddr = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.create_server(sockaddr[:2], family=family, backlog=_BACKLOG)
    return taken


def _elsewhere(_host: str, _port: int) -> None:
    """Return nothing: the event loop has no network of its own."""


def _limited(handler: Handler, rate_limiter: RateLimiter, guard: Guard | None, turns: Turns, proxies: int) -> Handler:
    """Return a handler that enforces the route's limit, and answers errors with a code and a sentence.

    It is no middleware: `aiohttp` builds the chain of middlewares for each request, which costs as much as the rest.
    """
    is_for_scripts = rate_limiter.limit.is_for_scripts
    to_response = to_ofrep_error_response if rate_limiter.limit.is_ofrep else to_error_response

    async def answer(request: web.Request) -> web.StreamResponse:
        address = client_address(request, proxies) if rate_limiter.needs_address else ""
        refusal = rate_limiter.enter(address)
        if refusal is not None:
            await asyncio.sleep(rate_limiter.refused_after_s)
            response: web.StreamResponse = to_response(REFUSALS[refusal], request)
        else:
            connection = request.protocol
            assert isinstance(connection, Connection)  # noqa: S101 - the listeners have no other
            connection.begin_request(request.content)
            try:
                if guard is not None:
                    guard.check(request)
                check_expectation(request)
                async with turns.one() if rate_limiter.limit.is_costly else _ANY_TIME:
                    response = await handler(request)
            except SidecarError as error:
                response = to_response(error, request)
            except web.HTTPException as error:
                response = error_response("http_error", error.reason, error.status)
            except (ConnectionError, TimeoutError):
                raise
            except Exception:  # noqa: BLE001 - logged with its traceback, and answered: the server goes on
                response = to_response(failed(request), request)
            finally:
                rate_limiter.leave(address)
                connection.end_request()
        if request.writer.output_size and not response.prepared:
            raise ConnectionAbortedError  # another response has begun: the connection can only be cut off
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        if is_for_scripts and response.status >= web.HTTPBadRequest.status_code:
            headers.update(READABLE)
        return response

    return answer


def _measured(handler: Handler, traffic: Traffic) -> Handler:
    """Return a handler that counts its answers, and how long they took."""

    async def answer(request: web.Request) -> web.StreamResponse:
        began_s = clock.monotonic_s()
        response = await handler(request)
        is_whole = isinstance(response, web.Response)
        traffic.answered(response.status, clock.monotonic_s() - began_s if is_whole else 0.0)
        return response

    return answer


async def _without_versions(_: web.Request, response: web.StreamResponse) -> None:
    """Name no library in any answer, also in those that a library makes."""
    response.headers["Server"] = BANNER


def _why_not(name: str, address: Address, error: OSError) -> str:
    where = f"listen.{name}: cannot listen on {address}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}: another process uses it; stop that process, or choose another port (0: any free port)"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{where}: not permitted; choose a port from 1024"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine has no such address; 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses"
    return f"{where}: {error.strerror or error}"
