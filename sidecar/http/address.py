"""From which address does a request come? What a proxy says is believed only of as many proxies as there are."""

import ipaddress

from aiohttp import web


def client_address(request: web.Request, proxies: int) -> str:
    """Return the address of who asks, as a key for limits; of IPv6 the network, because a client has all of it.

    Every proxy adds to the end of `X-Forwarded-For` who connected to it; what stands before that, the client may have
    written itself.
    """
    address = request.remote or ""
    if proxies > 0:
        told = [part.strip() for header in request.headers.getall("X-Forwarded-For", []) for part in header.split(",")]
        address = _without_port(told[-proxies]) if len(told) >= proxies else address
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped) if mapped is not None else str(ipaddress.ip_network((int(known) >> 64 << 64, 64)))
    return str(known)


def _without_port(told: str) -> str:
    """Return the address alone; some proxies tell the port as well, and so of IPv6 set it in brackets."""
    if told.startswith("["):
        return told[1:].partition("]")[0]
    return told.partition(":")[0] if told.count(":") == 1 else told
