"""A cache between page and sidecar that ignores all headers: it repeats the first answer for an hour."""

import aiohttp
from aiohttp import web

from sidecar import clock

KEPT_S = 3600.0


class CachingProxy:
    """Keeps the first answer for every path, whatever is in the query and in `Cache-Control`."""

    def __init__(self, origin: str, *, tells_age: bool = True) -> None:
        self._origin = origin
        self._tells_age = tells_age
        self._kept: dict[str, tuple[float, int, dict[str, str], bytes]] = {}
        self.hits = 0
        """Answers that came from the cache."""

    async def warm(self, session: aiohttp.ClientSession, path: str, *, age_s: float) -> None:
        """Keep the present answer as if it had been asked for `age_s` ago."""
        self._kept[path] = (clock.monotonic_s() - age_s, *await self._fetch(session, path))

    async def get(self, request: web.Request) -> web.Response:
        """Answer from the cache, or ask and keep."""
        path = "/" + request.match_info["path"]
        kept = self._kept.get(path)
        if kept is None or clock.monotonic_s() - kept[0] >= KEPT_S:
            async with aiohttp.ClientSession() as session:
                kept = self._kept[path] = (clock.monotonic_s(), *await self._fetch(session, path))
        else:
            self.hits += 1
        since_s, status, headers, body = kept
        age = {"Age": str(int(clock.monotonic_s() - since_s))} if self._tells_age else {}
        return web.Response(status=status, headers=headers | age, body=body)

    async def _fetch(self, session: aiohttp.ClientSession, path: str) -> tuple[int, dict[str, str], bytes]:
        async with session.get(self._origin + path) as response:
            body = await response.read()
            dropped = {"Content-Length", "Transfer-Encoding", "Connection", "Date", "Server", "Content-Encoding"}
            headers = {name: value for name, value in response.headers.items() if name not in dropped}
            return response.status, headers, body
