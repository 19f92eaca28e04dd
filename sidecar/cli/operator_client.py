"""Requests to the operator listener of a running sidecar, with the token of the caller."""

import asyncio
import os
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
import typer

from sidecar.cli.program import CANNOT_KNOW, NO, fail, read_file
from sidecar.config import Address, Config

_TIMEOUT_S = 10.0

Body = TypeVar("Body")
Url = Annotated[
    str,
    typer.Option("--url", help="The operator listener, such as http://localhost:8701; default: that of --config."),
]


class Unanswered(Exception):  # noqa: N818 - the negative result of a request
    """The sidecar did not answer or refused; with a message and the exit code."""

    def __init__(self, message: str, code: int = CANNOT_KNOW) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def address_and_environment(config: Path, url: str, environment: str) -> tuple[str, str]:
    """Return the operator listener and the environment that must answer, from the options or from the file."""
    if not url:
        read = read_file(config)
        return operator_url(read), environment or read.environment
    if "@" in urlsplit(url).netloc:
        fail("--url has a name or a password, which could end up in logs: set SIDECAR_TOKEN instead")
    if not environment:
        fail("--url needs --environment: an address does not tell which deployment answers")
    return url.rstrip("/"), environment


def get(address: str, path: str, kind: type[Body]) -> tuple[bytes, Body]:
    """Return the response to a GET request, as it is and decoded. Raises `Unanswered`."""
    body = asyncio.run(_request(address, "GET", path, None, own_token()))
    try:
        return body, msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise Unanswered(f"the server at {address} is not a sidecar, or one of another version") from error


def get_or_fail(config: Path, path: str, kind: type[Body]) -> tuple[bytes, Body]:
    """Return the response of the sidecar with this configuration; exit with a message if there is none."""
    try:
        return get(operator_url(read_file(config)), path, kind)
    except Unanswered as error:
        fail(error.message, error.code)


def post_or_fail(config: Path, path: str, body: object) -> bytes:
    """Return the response to a POST request; exit with a message if there is none."""
    token = own_token()
    if not token:
        fail("operator actions need your token: set SIDECAR_TOKEN or SIDECAR_TOKEN_FILE; its role must be `operate`")
    try:
        return asyncio.run(_request(operator_url(read_file(config)), "POST", path, body, token))
    except Unanswered as error:
        fail(error.message, error.code)


def own_token() -> str:
    """Return the caller's token; empty: none is set."""
    token = os.environ.get("SIDECAR_TOKEN", "")
    path = os.environ.get("SIDECAR_TOKEN_FILE", "")
    if path and not token:
        try:
            token = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            fail(f"SIDECAR_TOKEN_FILE: {path} cannot be read ({type(error).__name__})")
    if not token.isascii() or not token.isprintable():
        fail("SIDECAR_TOKEN has characters that are not printable ASCII")
    return token


def operator_url(config: Config) -> str:
    """Return the URL of the operator listener on this machine."""
    return local_url(config.listen.operator)


def local_url(address: Address) -> str:
    """Return the URL of a listener on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{address.port}"


async def _request(url: str, method: str, path: str, body: object, token: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else msgspec.json.encode(body)
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), headers=headers) as session,
            session.request(method, url + path, data=data, allow_redirects=False) as response,
        ):
            answer = await response.read()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unanswered(
            f"no sidecar answers at {url} ({type(error).__name__}); start it with `sidecar run`, or see listen.operator"
        ) from error
    if response.status != HTTPStatus.OK:
        code = NO if response.status == HTTPStatus.CONFLICT else CANNOT_KNOW
        raise Unanswered(_message(answer, response.status), code)
    return answer


def _message(answer: bytes, status_code: int) -> str:
    try:
        return str(msgspec.json.decode(answer)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the operator listener answered {status_code}; is another server listening there?"
