"""The HTTP API of the Reverb stand-in: routes, signatures, answers byte for byte as Reverb writes them."""

import email.utils
import hashlib
import hmac
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from sidecar.demo.standin.reverb_channels import php_json
from sidecar.pusher.signing import App

_PHRASES = {413: "Request Entity Too Large", 422: "Unprocessable Content"}


class Refused(Exception):  # noqa: N818 - a result, not an error of the stand-in
    """An error as Reverb answers it: HTTP/1.1, no headers, plain text."""

    def __init__(self, status: int, text: str, headers: str = "") -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


def internal_error() -> Refused:
    """Return what Reverb answers when it stumbles."""
    return Refused(500, "Internal server error.")


class Broadcast(NamedTuple):
    """One event for some channels."""

    channels: list[str]
    event: str
    data: str
    socket_id: str | None
    is_batch: bool

    def frame(self, channel: str) -> str:
        """Return what a member of the channel receives; the order of the keys is Reverb's."""
        if self.is_batch:
            return php_json({"event": self.event, "channel": channel, "data": self.data})
        return php_json({"event": self.event, "data": self.data, "channel": channel})


class Raw(web.StreamResponse):
    """Bytes as they are, after which the connection is closed: aiohttp writes no such heads by itself."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything at once."""
        if request.transport is not None:
            request.transport.write(self._content)
        self.force_close()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: all was written."""

    def __repr__(self) -> str:
        return "<Raw>"


def succeeded(content: object, *, status: int = 200, now_s: float) -> Raw:
    """Return an answer in JSON: HTTP/1.0, with the odd spacing of Reverb's headers."""
    body = php_json(content).encode()
    head = (
        f"HTTP/1.0 {status} {_phrase(status)}\r\nCache-Control:  no-cache, private\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type:   application/json\r\nDate:           {email.utils.formatdate(now_s, usegmt=True)}\r\n\r\n"
    )
    return Raw(head.encode() + body)


def refused(error: Refused) -> Raw:
    """Return an error as Reverb writes it."""
    return Raw(f"HTTP/1.1 {error.status} {_phrase(error.status)}\r\n{error.headers}\r\n{error.text}".encode())


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def check_signature(app: App, method: str, path: str, query: str, body: bytes) -> dict[str, str]:
    """Return the parameters of a call that is signed. Raises `Refused` with 401 for any other.

    Neither the key nor the time is checked; the body's MD5 is Reverb's own, and only if there is a body.
    """
    params = dict(parse_qsl(query, keep_blank_values=True))
    signature = params.pop("auth_signature", "")
    params.pop("body_md5", None)
    signed = dict(params)
    if body:
        signed["body_md5"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
    plain = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
    made = hmac.digest(app.secret.encode(), f"{method}\n{path}\n{plain}".encode(), "sha256").hex()
    if not hmac.compare_digest(made.encode(), signature.encode(errors="surrogatepass")):
        raise Refused(401, "Authentication signature invalid.")
    return params


def decoded(body: bytes) -> dict[str, Any]:
    """Return the object in a body. Raises `Refused` with 500 for anything else, as Reverb does."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise internal_error() from error
    if not isinstance(content, dict):
        raise internal_error()
    return content


def broadcast_of(content: Mapping[str, Any]) -> Broadcast | dict[str, list[str]]:
    """Return the event of a call of `events`, or its validation errors by field."""
    wrong: dict[str, list[str]] = {}
    for field in ("name", "data"):
        value = content.get(field)
        if value is None or value == "":
            wrong[field] = [f"The {field} field is required."]
        elif not isinstance(value, str):
            wrong[field] = [f"The {field} field must be a string."]
    channels, channel = content.get("channels"), content.get("channel")
    if not channels and not channel:
        wrong["channels"] = ["The channels field is required when channel is not present."]
        wrong["channel"] = ["The channel field is required when channels is not present."]
    elif channels and not isinstance(channels, list):
        wrong["channels"] = ["The channels field must be an array."]
    if wrong:
        return wrong
    names = [str(name) for name in channels] if channels else [str(channel)]
    return Broadcast(names, content["name"], content["data"], content.get("socket_id"), is_batch=False)


def batch_of(content: Mapping[str, Any]) -> list[Broadcast] | dict[str, list[str]]:
    """Return the events of a call of `batch_events`, or what is wrong with it, by field."""
    batch = content.get("batch")
    if not isinstance(batch, list) or not batch:
        return {"batch": ["The batch field is required."]}
    wrong = {
        f"batch.{index}.{field}": [f"The batch.{index}.{field} field is required."]
        for index, item in enumerate(batch)
        for field in ("name", "data", "channel")
        if not isinstance(item, dict) or not item.get(field)
    }
    if wrong:
        return wrong
    return [Broadcast([i["channel"]], i["name"], i["data"], i.get("socket_id"), is_batch=True) for i in batch]


Info = Callable[[str, set[str]], dict[str, object]]


def wanted(info: object) -> set[str]:
    """Return the attributes that a comma-separated `info` names."""
    return {part.strip() for part in str(info).split(",")} if info else set()
