"""The client's address of a request, from `X-Forwarded-For` only as far as the configured proxies wrote it."""

import functools
import ipaddress

from aiohttp import web


def client_address(request: web.Request, proxies: int) -> str:
    """Return the client's address as a key for limits; for IPv6 its network, because a client has all of it.

    Every proxy appends the address that connected to it to `X-Forwarded-For`; the client may have written what is
    before that.
    """
    address = request.remote or ""
    if proxies > 0:
        forwarded = [
            part.strip() for header in request.headers.getall("X-Forwarded-For", []) for part in header.split(",")
        ]
        address = _without_port(forwarded[-proxies]) if len(forwarded) >= proxies else address
    return address_key(address)


@functools.lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """Return an address as a key for limits; for IPv6 its /64 network; `unknown` for what is no address."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped) if mapped is not None else str(ipaddress.ip_network((int(known) >> 64 << 64, 64)))
    return str(known)


def _without_port(address: str) -> str:
    """Return an address without its port, which some proxies append; IPv6 is then in brackets."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
