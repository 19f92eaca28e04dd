"""A real operator listener over a prepared past, and the command line as a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from sidecar.config import Address, OperatorToken, Role
from sidecar.console.access import Access
from sidecar.console.release import Release
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.serving import Reason, Served
from sidecar.http.guard import Guard
from sidecar.http.server import Listener
from tests.e2e.processes import READ_TOKEN
from tests.release.prepared import Past

_TOKENS = (OperatorToken(name="reader", role=Role.READ, token=READ_TOKEN),)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The output of a command, and its exit code."""

    code: int
    out: str
    err: str


@asynccontextmanager
async def listening(
    past: Past, *, is_livemode: bool = True, reason: Reason = Reason.CURRENT_RUNG
) -> AsyncIterator[str]:
    """Serve a past on a real listener; yield its address."""
    release = Release(past.state, lambda: Served(mode=Mode.PUSH_ONLY, reason=reason), is_livemode=is_livemode)
    guard = Guard("127.0.0.1", admit=Access(_TOKENS).admit)
    listener = Listener("operator", Address(host="127.0.0.1", port=0), release.routes(), guard=guard)
    url = listener.bind()
    await listener.start()
    try:
        yield url
    finally:
        await listener.stop()


async def sidecar(words: Sequence[str], **variables: str) -> Recorded:
    """Run a command line to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sidecar",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **variables},
    )
    out, err = await process.communicate()
    return Recorded(code=process.returncode or 0, out=out.decode(), err=err.decode())
