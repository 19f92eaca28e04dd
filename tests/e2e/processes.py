"""Real processes for the end-to-end tests: a sidecar, and localstripe. Both listen on loopback, on free ports."""

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.waiting import HANGS_AFTER_S

WEBHOOK_SECRET = "whsec_end_to_end_0123456789"
ACK_TOKEN = "ack-token-for-the-tests-0123456789"
OPERATOR_TOKEN = "operator-token-for-the-tests-01234"
READ_TOKEN = "read-token-for-the-tests-0123456789"
SECRETS = {
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "SIDECAR_ACK_TOKEN": ACK_TOKEN,
    "SIDECAR_OPERATOR_TOKENS": f"ada:operate:{OPERATOR_TOKEN},reader:read:{READ_TOKEN}",
    "SIDECAR_IDENTITY_KEY": "identity-key-for-the-tests-012345",
    "SIDECAR_TOKEN": OPERATOR_TOKEN,
}

WITHOUT_RIGHTS = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
"""A prefix for a command. Root without capabilities may write only where permissions let it."""

LOCALSTRIPE_ON_LOOPBACK = """
import runpy, socket, sys
class OnLoopback(socket.socket):
    def bind(self, address):
        host, *rest = address
        super().bind(("::ffff:127.0.0.1" if host == "::" else host, *rest))
socket.socket = OnLoopback
runpy.run_module("localstripe.server", run_name="__main__")
"""
"""localstripe has no option for the address it listens on, and would take all of this machine's."""


_FIRST, _BELOW = 11_000, 32_000
"""Ports outside the ephemeral range that no browser blocks."""
_tried = itertools.count(101 * os.getpid())


def free_port() -> int:
    """Return a free port outside the ephemeral range."""
    while True:
        port = _FIRST + next(_tried) % (_BELOW - _FIRST)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def until(
    condition: Callable[[], Coroutine[Any, Any, Any]], what: str, *, within_s: float = HANGS_AFTER_S
) -> Any:
    """Poll until the answer is truthy, and return it; fail with the description."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                answer = await condition()
                if answer:
                    return answer
                await asyncio.sleep(0.05)
    except TimeoutError:
        message = f"not within {within_s} s: {what}"
        raise AssertionError(message) from None


@contextmanager
def localstripe() -> Iterator[str]:
    """Run localstripe as a process; yield its URL."""
    port = free_port()
    command = [sys.executable, "-c", LOCALSTRIPE_ON_LOOPBACK, "--from-scratch", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


class SidecarProcess:
    """A `sidecar run` process, with its log in a file."""

    def __init__(self, folder: Path, config: str) -> None:
        self.public_port, self.operator_port = free_port(), free_port()
        self.public = f"http://127.0.0.1:{self.public_port}"
        self.operator = f"http://127.0.0.1:{self.operator_port}"
        self.journal = folder / "sidecar.db"
        self.config = folder / "sidecar.yaml"
        self.log = folder / "sidecar.log"
        self.config.write_text(
            f"journal: sqlite:{self.journal}\n"
            f"listen: {{public: 127.0.0.1:{self.public_port}, operator: 127.0.0.1:{self.operator_port}}}\n{config}"
        )
        self.environment: Mapping[str, str] = os.environ
        """The environment of the process; the secrets are added."""
        self.prefix: Sequence[str] = ()
        """A command that runs the process, with its arguments."""
        self.process: subprocess.Popen[bytes] | None = None
        """The process that was started last."""

    def __enter__(self) -> Self:
        """Start the process."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self, *arguments: str) -> None:
        """Start the process; `ready` waits for it."""
        with self.log.open("ab") as log:
            command = [*self.prefix, sys.executable, "-m", "sidecar", "run", "--config", str(self.config), *arguments]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**self.environment, **SECRETS})

    def stop(self) -> int:
        """Stop the process with SIGTERM; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=HANGS_AFTER_S)

    def kill(self) -> None:
        """End the process at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=HANGS_AFTER_S)

    def cli(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run another command of the same configuration."""
        return subprocess.run(
            [sys.executable, "-m", "sidecar", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=HANGS_AFTER_S,
            check=False,
            env=os.environ | SECRETS | (env or {}),
        )

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one kind."""
        parsed = []
        for line in self.log.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                parsed.append(json.loads(line))
        return [line for line in parsed if line.get("event") == event]

    async def ready(self, session: aiohttp.ClientSession) -> None:
        """Wait until it is ready."""

        async def is_ready() -> bool:
            with suppress(aiohttp.ClientError):
                async with session.get(f"{self.public}/readyz") as response:
                    return response.status == 200
            return False

        try:
            await until(is_ready, "ready")
        except AssertionError as error:
            error.add_note(self.log.read_text()[-2000:])
            raise

    async def flag(self, session: aiohttp.ClientSession, targeting_key: str = "anyone") -> dict[str, Any]:
        """Return the flag's answer."""
        url = f"{self.public}/flags/payment-refresh?targeting_key={targeting_key}"
        async with session.get(url) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def status(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        """Return the status."""
        async with session.get(f"{self.operator}/api/status") as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def ack(self, session: aiohttp.ClientSession, **ack: object) -> int:
        """Post an ack as the backend does; return the HTTP status."""
        headers = {"Authorization": f"Bearer {ACK_TOKEN}"}
        async with session.post(f"{self.public}/acks", json=ack, headers=headers) as response:
            return response.status
