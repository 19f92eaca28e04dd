"""How a command asks the operator listener of the running sidecar, and in whose name."""

import os
from http import HTTPStatus
from pathlib import Path

import aiohttp
import msgspec

from sidecar.cli.program import CANNOT_KNOW, NO, fail
from sidecar.config import Config

_TIMEOUT_S = 10.0


def own_token() -> str:
    """Return the caller's own token, so that an action stands in the record under the right name."""
    token = known_token()
    if not token:
        fail("acting needs your token: set SIDECAR_TOKEN, or SIDECAR_TOKEN_FILE, to one with the role `operate`")
    return token


def known_token() -> str:
    """Return the caller's token, which reading may need; empty: there is none."""
    token = os.environ.get("SIDECAR_TOKEN", "")
    path = os.environ.get("SIDECAR_TOKEN_FILE", "")
    if path and not token:
        try:
            token = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            fail(f"SIDECAR_TOKEN_FILE: {path} cannot be read ({type(error).__name__})")
    if not token.isascii() or not token.isprintable():
        fail("SIDECAR_TOKEN has characters that no token has")
    return token


class Unanswered(Exception):  # noqa: N818 - it is what happened
    """No sidecar answered, or it said no; why, in a sentence, and the exit code that this is."""

    def __init__(self, message: str, code: int = CANNOT_KNOW) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


async def ask(config: Config, method: str, path: str, body: object = None, *, token: str = "") -> bytes:
    """Ask the operator listener of the running sidecar. Exits with a sentence where it says no or is not there."""
    try:
        return await ask_at(address_of(config), method, path, body, token=token)
    except Unanswered as error:
        fail(error.message, error.code)


def address_of(config: Config) -> str:
    """Return where the operator listener of this configuration is reached from the same machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.listen.operator.host, config.listen.operator.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{config.listen.operator.port}"


async def ask_at(url: str, method: str, path: str, body: object = None, *, token: str = "") -> bytes:
    """Ask an operator listener. Raises `Unanswered` where it says no or is not there."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.request(
                method, url + path, data=None if body is None else msgspec.json.encode(body), allow_redirects=False
            ) as response,
        ):
            answer = await response.read()
            if response.status != HTTPStatus.OK:
                is_no = response.status == HTTPStatus.CONFLICT
                raise Unanswered(_message(answer, response.status), NO if is_no else CANNOT_KNOW)
            return answer
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unanswered(
            f"no sidecar answers at {url} ({type(error).__name__}); start it with `sidecar run`, or see listen.operator"
        ) from error


def _message(answer: bytes, status_code: int) -> str:
    try:
        return str(msgspec.json.decode(answer)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the operator listener answered {status_code}; is something else listening there?"
