"""What lets a script of any origin read an answer, and an error as well. Without cookies, so nobody is at risk."""

from aiohttp import web

ISSUED_AT = "Reverb-Sidecar-Issued-At"
"""Unix milliseconds at which an answer was given; on 200 and 304 alike. Only a newer one renews."""

READABLE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"ETag, Age, Retry-After, {ISSUED_AT}",
}


def preflight(path: str, method: str, headers: str) -> web.RouteDef:
    """Return the route that lets a script of any origin ask with this method and these headers."""
    allowed = {
        **READABLE,
        "Access-Control-Allow-Methods": method,
        "Access-Control-Allow-Headers": headers,
        "Access-Control-Max-Age": "86400",
    }

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=allowed)

    return web.options(path, answer)
