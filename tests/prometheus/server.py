"""Prometheus as a child process, in its own folder and on a free port."""

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.e2e.processes import free_port, until
from tests.rules.promtool import tool

SCRAPES_EVERY_S = 1
_LOOKS_EVERY_S = 0.5
_GONE_WITHIN_S = 10


class Prometheus:
    """A running server, with Grafana's queries."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.began_s = time.time()
        self._session = session

    async def range(self, query: str, *, step_s: float = SCRAPES_EVERY_S) -> list[dict[str, Any]]:
        """Return the results of a query at each step since the beginning."""
        asked = {"query": query, "start": self.began_s, "end": time.time(), "step": step_s}
        return await self._asked("query_range", asked)

    async def now(self, query: str) -> list[dict[str, Any]]:
        """Return the current result of a query."""
        return await self._asked("query", {"query": query, "time": time.time()})

    async def exemplars(self, query: str) -> list[dict[str, Any]]:
        """Return the exemplars of the series of a query."""
        return await self._asked("query_exemplars", {"query": query, "start": self.began_s, "end": time.time()})

    async def api(self, path: str) -> dict[str, Any]:
        """Return the data of another API endpoint."""
        async with self._session.get(f"{self.url}/api/v1/{path}") as response:
            return dict((await response.json())["data"])

    async def has_scraped(self, times: int) -> None:
        """Wait until every target has been scraped a number of times."""

        async def is_done() -> bool:
            counts = await self.now(f"count_over_time(up[{1000 * (time.time() - self.began_s) + 1:.0f}ms])")
            return bool(counts) and all(float(each["value"][1]) >= times for each in counts)

        await until(is_done, f"{times} scrapes")

    async def _asked(self, path: str, form: Mapping[str, object]) -> list[dict[str, Any]]:
        async with self._session.post(
            f"{self.url}/api/v1/{path}", data={key: str(form[key]) for key in form}
        ) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{form['query']}: {answer.get('error')}"
        data = answer["data"]
        return list(data["result"] if isinstance(data, dict) else data)


async def ready(child: Process, url: str, session: aiohttp.ClientSession, log: Path) -> None:
    """Wait until a server of Prometheus' family is ready; one that has ended fails with its log."""

    async def is_ready() -> bool:
        assert child.returncode is None, log.read_text()  # noqa: ASYNC240 - a file of another process
        try:
            async with session.get(f"{url}/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    await until(is_ready, f"{log.stem} is ready")


@asynccontextmanager
async def prometheus(
    folder: Path, targets: Mapping[str, Mapping[str, str]], rules: str = ""
) -> AsyncIterator[Prometheus]:
    """Run a server that scrapes each target, by address, every second, with the target's labels."""
    port = free_port()
    (folder / "rules.yml").write_text(rules or "groups: []\n")
    every, looks = f"{SCRAPES_EVERY_S}s", f"{1000 * _LOOKS_EVERY_S:.0f}ms"
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": looks},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": "reverb-sidecar",
                "static_configs": [{"targets": [target], "labels": dict(labels)} for target, labels in targets.items()],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (folder / "prometheus.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            tool("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession() as session:
            it = Prometheus(f"http://127.0.0.1:{port}", session)
            await ready(child, it.url, session, folder / "prometheus.log")

            async def has_settled() -> bool:
                ups = await it.now('up == 1 unless on () ALERTS{alertname!~"ReverbSidecar(Watchdog|JournalCreated)"}')
                return len(ups) == len(targets)

            await until(has_settled, "Prometheus has discovered its targets, which it does every five seconds")
            it.began_s = time.time()
            yield it
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                async with asyncio.timeout(_GONE_WITHIN_S):
                    await child.wait()
            except TimeoutError:
                child.kill()
                await child.wait()
