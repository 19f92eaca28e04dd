"""CORS headers: scripts of any origin may read answers and errors. There are no cookies, so no user is at risk."""

from aiohttp import web

ISSUED_AT = "Reverb-Sidecar-Issued-At"
"""Unix milliseconds of an answer, with 200 and 304 alike. Only a newer one renews the client's copy."""

READABLE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"ETag, Age, Retry-After, {ISSUED_AT}",
}


def preflight(path: str, method: str, headers: str) -> web.RouteDef:
    """Return the route of the preflight request for this method and these request headers."""
    allowed = {
        **READABLE,
        "Access-Control-Allow-Methods": method,
        "Access-Control-Allow-Headers": headers,
        "Access-Control-Max-Age": "86400",
    }

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=allowed)

    return web.options(path, answer)
