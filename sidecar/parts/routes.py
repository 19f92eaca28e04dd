"""Routes, declared on the methods that answer: so the paths of all parts are known without running one."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from aiohttp import hdrs, web

from sidecar.parts.cors import preflight as preflight_of

PUBLIC, OPERATOR, METRICS = "public", "operator", "metrics"
"""The listeners, by the names of their addresses in the configuration."""
LISTENERS = (PUBLIC, OPERATOR, METRICS)

ELSEWHERE = "/{elsewhere}"
"""The name, in limits and metrics, of all paths without a route."""
_NOT_NAMED = re.compile(r"\{slash(es)?:[^}]*\}|:[^}]*(?=\})")
"""The parts of a pattern that are not in the name of its path."""

Method = TypeVar("Method", bound=Callable[..., Any])


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route of a part."""

    method: str
    path: str
    on: tuple[str, ...]
    """The listeners that have it."""
    preflight: str | None
    """The request headers that scripts of any origin may send; None: there is no preflight request."""
    allow_head: bool


def get(
    path: str, *, on: str | Iterable[str], preflight: str | None = None, allow_head: bool = True
) -> Callable[[Method], Method]:
    """Declare that a method answers GET requests of a path."""
    return _declare(hdrs.METH_GET, (path,), on, preflight, allow_head=allow_head)


def post(*paths: str, on: str | Iterable[str], preflight: str | None = None) -> Callable[[Method], Method]:
    """Declare that a method answers POST requests of these paths."""
    return _declare(hdrs.METH_POST, paths, on, preflight, allow_head=False)


def _declare(
    method: str, paths: Iterable[str], on: str | Iterable[str], preflight: str | None, *, allow_head: bool
) -> Callable[[Method], Method]:
    listeners = (on,) if isinstance(on, str) else tuple(on)

    def decorate(handler: Method) -> Method:
        vars(handler)["routes"] = [
            Route(method=method, path=path, on=listeners, preflight=preflight, allow_head=allow_head) for path in paths
        ]
        return handler

    return decorate


def declared_routes(kind: type) -> Iterator[tuple[str, Route]]:
    """Yield the routes that a class declares, with the names of the methods that answer them."""
    for each in reversed(kind.__mro__):
        for name, attribute in vars(each).items():
            for route in getattr(attribute, "__dict__", {}).get("routes", ()):
                yield name, route


def bound_routes(part: object, listener: str | None = None) -> list[web.RouteDef]:
    """Return the routes of an object on one listener, or on any."""
    routes = []
    for name, route in declared_routes(type(part)):
        if listener is None or listener in route.on:
            options = {"allow_head": route.allow_head} if route.method == hdrs.METH_GET else {}
            routes.append(web.RouteDef(route.method, route.path, getattr(part, name), options))
            if route.preflight is not None:
                routes.append(preflight_of(route.path, route.method, route.preflight))
    return routes


def path_name(pattern: str) -> str:
    """Return the name of a path in limits and metrics: its pattern without regular expressions."""
    return _NOT_NAMED.sub("", pattern)


def declared_paths(kinds: Iterable[type]) -> Iterator[tuple[str, str]]:
    """Yield (listener, name of a path) of all routes that these classes declare, and of the paths without a route."""
    routes = [route for kind in kinds for _, route in declared_routes(kind)]
    for listener in LISTENERS:
        paths = [path_name(route.path) for route in routes if listener in route.on]
        yield from ((listener, path) for path in dict.fromkeys((*paths, ELSEWHERE)))
