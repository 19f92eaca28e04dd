"""A slow proxy between page and sidecar: answers wait until they are released."""

import asyncio

import aiohttp
from aiohttp import web


class HoldingProxy:
    """Forward requests at once, and answers later."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.is_open = asyncio.Event()
        """Set: answers pass."""
        self.held = 0
        """Answers that had to wait."""

    async def get(self, request: web.Request) -> web.Response:
        """Forward a request, and its answer once answers pass."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._origin}/{request.match_info['path']}", params=request.query) as answer,
        ):
            body = await answer.read()
        names = (
            "Content-Type",
            "Cache-Control",
            "ETag",
            *(n for n in answer.headers if n.startswith(("Access-", "Reverb-"))),
        )
        self.held += not self.is_open.is_set()
        await self.is_open.wait()
        return web.Response(status=answer.status, body=body, headers={name: answer.headers[name] for name in names})
