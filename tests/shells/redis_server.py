"""A real redis-server of one's own, on loopback, on a free port."""

import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.e2e.processes import free_port
from tests.waiting import HANGS_AFTER_S

BINARY = Path(__file__).parents[2] / ".tools" / "redis-server"


class RedisServer:
    """Keeps its entries on disk, so that it can be killed and come back."""

    def __init__(self, folder: Path, *options: str) -> None:
        assert BINARY.exists(), "redis-server is missing: `make .tools/redis-server` fetches it"
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, frozen or not."""
        self.kill()

    def start(self, *options: str) -> None:
        """Start it, this once with other options too, and wait until it answers, be it that it is loading."""
        command = [str(BINARY), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *self._options, *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(500):
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=HANGS_AFTER_S) as connection,
            ):
                connection.sendall(b"PING\r\n")
                if connection.recv(100):
                    return
            time.sleep(0.01)
        raise AssertionError("redis-server does not answer")

    def client(self) -> redis.Redis:
        """Return a client, as the backend has one."""
        password = self._options[self._options.index("--requirepass") + 1] if "--requirepass" in self._options else None
        return redis.Redis(port=self.port, password=password, retry=Retry(NoBackoff(), 0))

    def freeze(self) -> None:
        """Make it take connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Make it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
