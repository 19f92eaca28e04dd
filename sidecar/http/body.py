"""Read a request's body within a maximum size and a timeout: `aiohttp` limits neither for a raw read.

A client may wait until it is asked for its body (`Expect: 100-continue`). `aiohttp` would ask before the limits, the
guard and the token, and would answer any other expectation with an echo of it and its own version.
"""

import asyncio

from aiohttp import HttpVersion11, web

from sidecar.ports import ErrorCode, SidecarError

_CONTINUE = "100-continue"


async def answer_later(_: web.Request) -> None:
    """Leave the expectation of a request to `check_expectation` and `read_body`, as a route's `expect_handler`."""


def check_expectation(request: web.Request) -> None:
    """Raise `SidecarError` with `expectation_refused` for an expectation other than to be asked for the body."""
    if request.headers.get("Expect", _CONTINUE).lower() != _CONTINUE:
        raise SidecarError(ErrorCode.EXPECTATION_REFUSED, f"the only expectation that is met is {_CONTINUE}")


async def _ask(request: web.Request) -> None:
    """Ask a client for its body that waits to be asked."""
    if "Expect" in request.headers and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # no response has begun


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
            await _ask(request)
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
