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
    """Return the caller's own token, so that an act stands in the record under the right name."""
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


async def ask(config: Config, method: str, path: str, body: object = None, *, token: str = "") -> bytes:
    """Ask the operator listener of the running sidecar. Exits with a sentence where it says no or is not there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.listen.operator.host, config.listen.operator.host)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{config.listen.operator.port}"
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
                fail(_message(answer, response.status), NO if is_no else CANNOT_KNOW)
            return answer
    except (aiohttp.ClientError, TimeoutError) as error:
        fail(
            f"no sidecar answers at {url} ({type(error).__name__}); start it with `sidecar run`, or see listen.operator"
        )


def _message(answer: bytes, status_code: int) -> str:
    try:
        return str(msgspec.json.decode(answer)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the operator listener answered {status_code}; is something else listening there?"
