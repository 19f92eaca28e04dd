"""The Laravel package: its own tests, its style, its documentation, and its acks and reports in a real sidecar.

It requires Debian's `php-cli`, `php-curl`, `php-xml`, `php-mbstring`, `phpunit` and `php-codesniffer`, and for one test
a `redis-server`. It requires no Laravel: the stand-ins in `StandIns` replace the framework.
"""
# ruff: noqa: INP001, S101, S106, S603, PLR2004 - a test, in a folder of PHP

import asyncio
import difflib
import json
import os
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.config import SqlitePlace
from sidecar.core.facts.observations import AckReceived, UserAuthReported
from sidecar.journal import open_journal
from sidecar.tokens import BrowserTokens, user_ref
from tests.e2e.processes import ACK_TOKEN, SECRETS, SidecarProcess, until
from tests.shells.redis_server import RedisServer

ROOT = Path(__file__).parents[1]
BROWSER_SECRET = "browser-secret-for-the-tests-0123456789"  # noqa: S105 - a test's own
IDENTITY_KEY = SECRETS["SIDECAR_IDENTITY_KEY"]
USER = user_ref(IDENTITY_KEY, "7")
CONFIG = "environment: test\nstripe: {livemode: false}\n"
BUDGET_MS, SLACK_MS = 250, 1750

ACKS = [
    ("paid", "pi_good", USER, (), None),
    ("dispatched", "pi_good", USER, ("bookings",), None),
    ("paid", "pi_bad", USER, (), None),
    ("skipped", "pi_bad", USER, ("bookings",), "failed"),
    ("skipped", "pi_unconfirmed", None, (), "failed"),
    ("skipped", "pi_gift", None, (), "no_booking"),
]
"""The acks of `Live/app.php`, in this order: stage, payment, user, contexts, reason."""
AUTHS = [("no_pattern", USER), ("ok", USER), ("guest", USER), ("refused", None)]
"""Its reports about channel 7. A guest's request counts for the channel's owner, another user's for no user."""


def run(*command: str | Path, **environment: str) -> str:
    """Run a command in the package's folder and return its output; fail with the output."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_app(**environment: str) -> dict[str, Any]:
    """Run the app of the example against a sidecar; return its times, its log and a browser token."""
    answer: dict[str, Any] = json.loads(
        run(
            "php",
            ROOT / "tests" / "Live" / "app.php",
            SIDECAR_IDENTITY_KEY=IDENTITY_KEY,
            SIDECAR_BROWSER_SECRET=BROWSER_SECRET,
            SIDECAR_RELEASE="5f2c9e7a1b30",
            **environment,
        )
    )
    return answer


def by_http(sidecar: SidecarProcess) -> dict[str, str]:
    """Return the environment of an app that sends its acks by `POST /acks`."""
    return {"SIDECAR_URL": sidecar.public, "SIDECAR_ACK_TOKEN": ACK_TOKEN}


async def journalled(sidecar: SidecarProcess) -> tuple[list[AckReceived], list[UserAuthReported]]:
    """Return the acks and the auth reports in a stopped sidecar's journal."""
    journal = await open_journal(SqlitePlace(path=str(sidecar.journal)))
    try:
        facts = [record.observation for record in await journal.read(0, 10_000)]
    finally:
        await journal.close()
    return (
        [fact for fact in facts if isinstance(fact, AckReceived)],
        [fact for fact in facts if isinstance(fact, UserAuthReported)],
    )


async def counted(sidecar: SidecarProcess, session: aiohttp.ClientSession, metric: str) -> Counter[str]:
    """Return the counts of a metric by result, without zeros."""
    async with session.get(f"{sidecar.operator}/metrics") as response:
        lines = re.findall(
            rf'^reverb_sidecar_{metric}_total{{.*?result="(\w+)".*?}} (\d+)', await response.text(), re.MULTILINE
        )
    return Counter({result: int(count) for result, count in lines if float(count)})


def check(acks: list[AckReceived], auths: list[UserAuthReported]) -> None:
    """Assert that the journal contains exactly the acks and reports of the app, in their order."""
    assert [(ack.stage, ack.payment_intent, ack.user_ref, ack.contexts, ack.reason) for ack in acks] == ACKS
    assert {(ack.source, ack.release) for ack in acks} == {("backend", "5f2c9e7a1b30")}
    assert [(auth.result, auth.user_ref) for auth in auths] == AUTHS


def test_its_own_tests_pass() -> None:
    """PHPUnit passes, in random order: the plain classes, and the thin part against stand-ins of the framework."""
    assert re.search(
        r"^OK \(\d+ tests, \d+ assertions\)$", run("phpunit", "--configuration", "phpunit.xml"), re.MULTILINE
    )


def test_its_code_is_psr_12() -> None:
    """PHP_CodeSniffer reports nothing, not even a line that is too long."""
    run("phpcs", "-q", "--standard=phpcs.xml")


def test_the_readme_shows_the_change_that_the_tests_run() -> None:
    """The README's diff of the app's three files equals the one between the example's "before" and "after"."""
    readme = (ROOT / "README.md").read_text()
    before, after = ROOT / "example" / "before", ROOT / "example" / "after"
    names = sorted(file.relative_to(before) for file in before.rglob("*.php"))
    assert names == sorted(file.relative_to(after) for file in after.rglob("*.php"))
    for name in names:
        old, new = [(folder / name).read_text().splitlines() for folder in (before, after)]
        diff = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
        text = "\n".join(line.rstrip() for line in diff)
        assert f"```diff\n{text}\n```" in readme, text


def test_the_readme_names_every_variable_of_the_configuration() -> None:
    """The README's table and the configuration file name the same variables."""
    names = set(re.findall(r"'(SIDECAR_\w+)'", (ROOT / "config" / "reverb-sidecar.php").read_text()))
    assert set(re.findall(r"^\| `(SIDECAR_\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE)) == names


async def test_a_sidecar_accepts_facts_over_http(tmp_path: Path) -> None:
    """The sidecar accepts and journals `paid`, `dispatched`, `skipped` and four reports of authorisation requests."""
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, CONFIG) as sidecar:
            await sidecar.ready(session)
            result = await asyncio.to_thread(run_app, **by_http(sidecar))
            assert await counted(sidecar, session, "ack_requests") == {"accepted": len(ACKS) + len(AUTHS)}
            assert sidecar.stop() == 0
            assert [message for message, _ in result["logged"]] == ["Failed to confirm payment after webhook"]
            check(*await journalled(sidecar))


async def test_a_sidecar_accepts_the_apps_browser_tokens() -> None:
    """A new token of the app identifies its user, and is valid for a quarter of an hour."""
    bearer = BrowserTokens([BROWSER_SECRET], "test").check((await asyncio.to_thread(run_app))["token"])
    assert bearer.user_id == "7"
    assert 890 < bearer.lasts_s <= 900


async def test_a_sidecar_accepts_facts_from_the_stream(tmp_path: Path) -> None:
    """The sidecar reads the same facts from a Redis stream, in a database other than the first, with a password."""
    with RedisServer(tmp_path, "--requirepass", "hush") as server:
        place = server.url.removesuffix("/0") + "/3"
        config = f"{CONFIG}acks:\n  redis_stream: {{url: '{place}'}}\n"
        async with aiohttp.ClientSession() as session:
            sidecar = SidecarProcess(tmp_path, config)
            sidecar.environment = {**os.environ, "SIDECAR_REDIS_PASSWORD": "hush"}
            with sidecar:
                await sidecar.ready(session)
                result = await asyncio.to_thread(
                    run_app, SIDECAR_TRANSPORT="redis", SIDECAR_REDIS_URL=place, SIDECAR_REDIS_PASSWORD="hush"
                )
                assert [message for message, _ in result["logged"]] == ["Failed to confirm payment after webhook"]

                async def all_read() -> bool:
                    counts = await counted(sidecar, session, "ack_stream_entries")
                    return counts == {"accepted": len(ACKS) + len(AUTHS)}

                await until(all_read, "the sidecar reads all entries")
                assert sidecar.stop() == 0
            check(*await journalled(sidecar))


@pytest.mark.parametrize("is_frozen", [True, False])
async def test_an_unreachable_sidecar_delays_the_webhook_by_a_bounded_time(tmp_path: Path, is_frozen: bool) -> None:  # noqa: FBT001
    """If the sidecar is frozen or dead, every request ends within its budget, and the log contains each lost fact."""
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, CONFIG) as sidecar:
            await sidecar.ready(session)
            assert sidecar.process is not None
            sidecar.process.send_signal(signal.SIGSTOP if is_frozen else signal.SIGKILL)
            result = await asyncio.to_thread(run_app, **by_http(sidecar))
            slowest, took_ms = max(result["took_ms"], key=lambda each: each[1])
            assert took_ms < BUDGET_MS + SLACK_MS, slowest
            lost = [fields["lost"] for _, fields in result["logged"] if "lost" in fields]
            assert sum(lost) == len(ACKS) + len(AUTHS)


async def test_a_frozen_redis_delays_the_webhook_by_a_bounded_time(tmp_path: Path) -> None:
    """If Redis accepts the connection and does not respond, each request ends within its budget."""
    with RedisServer(tmp_path) as server:
        server.freeze()
        result = await asyncio.to_thread(run_app, SIDECAR_TRANSPORT="redis", SIDECAR_REDIS_URL=server.url)
        slowest, took_ms = max(result["took_ms"], key=lambda each: each[1])
        assert took_ms < BUDGET_MS + SLACK_MS, slowest
        assert any("Redis did not respond in time" in fields.get("reason", "") for _, fields in result["logged"])


async def test_a_wrong_ack_token_is_logged_and_fails_no_payment(tmp_path: Path) -> None:
    """The log names the wrong variable, and does not contain the secret."""
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, CONFIG) as sidecar:
            await sidecar.ready(session)
            wrong = {"SIDECAR_URL": sidecar.public, "SIDECAR_ACK_TOKEN": "not-the-token-0123456789"}
            result = await asyncio.to_thread(run_app, **wrong)
            logged = json.dumps(result["logged"])
            assert "401 the bearer token is not SIDECAR_ACK_TOKEN" in logged
            assert wrong["SIDECAR_ACK_TOKEN"] not in logged
            assert await counted(sidecar, session, "ack_requests") == {"token_invalid": len(ACKS) + len(AUTHS)}
