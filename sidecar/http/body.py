"""Read a request's body within a maximum size and a timeout: `aiohttp` limits neither for a raw read."""

import asyncio

from aiohttp import web

from sidecar.ports import ErrorCode, SidecarError


async def read_body(request: web.Request, *, bytes_max: int, within_s: float) -> bytes:
    """Return the body. Raises `SidecarError`: `encoding_refused`, `body_too_large` or `body_too_slow`."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise SidecarError(ErrorCode.ENCODING_REFUSED, "the body is compressed; send it uncompressed")
    if request.content_length is not None and request.content_length > bytes_max:
        raise _too_large(bytes_max)
    if request.content.is_eof():  # most bodies arrive with their head: no timer is needed
        whole = request.content.read_nowait()
        if len(whole) > bytes_max:
            raise _too_large(bytes_max)
        return whole
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.content.iter_any():
                body.extend(chunk)
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
    except TimeoutError as error:
        message = f"the body did not arrive within {within_s:g} s"
        raise SidecarError(ErrorCode.BODY_TOO_SLOW, message) from error
    return bytes(body)


def _too_large(bytes_max: int) -> SidecarError:
    return SidecarError(ErrorCode.BODY_TOO_LARGE, f"the body is larger than {bytes_max} bytes")
