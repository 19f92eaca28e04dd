"""The Laravel app's half: its own tests, its style, its documentation, and what a real sidecar makes of what it tells.

It wants Debian's `php-cli`, `php-curl`, `php-xml`, `php-mbstring`, `phpunit` and `php-codesniffer`, and for one test a
`redis-server`. No Laravel: the framework is played by the stand-ins in `StandIns`.
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
from sidecar.core.facts.observations import AckSeen, UserAuthSeen
from sidecar.journal import open_journal
from sidecar.tokens import BrowserTokens, user_ref
from tests.e2e.processes import ACK_TOKEN, SECRETS, SidecarProcess, until
from tests.shells.redis_server import RedisServer

ROOT = Path(__file__).parents[1]
BROWSER_SECRET = "browser-secret-for-the-tests-0123456789"  # noqa: S105 - a test's own
IDENTITY_KEY = SECRETS["SIDECAR_IDENTITY_KEY"]
USER, STRANGER = user_ref(IDENTITY_KEY, "7"), user_ref(IDENTITY_KEY, "8")
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
"""What `Live/tell.php` tells of payments, in this order: stage, payment, user, contexts, reason."""
AUTHS = [("no_pattern", USER), ("ok", USER), ("guest", USER), ("refused", None)]
"""And of requests for channel 7. A guest's vote is the channel's owner's; a stranger's refusal is nobody's."""


def run(*command: str | Path, **environment: str) -> str:
    """Run a command in the package's folder, and return what it prints; fails with that."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(**environment: str) -> dict[str, Any]:
    """Let the app of the example tell what happened to it; return how that went."""
    answer: dict[str, Any] = json.loads(
        run(
            "php",
            ROOT / "tests" / "Live" / "tell.php",
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


async def journalled(sidecar: SidecarProcess) -> tuple[list[AckSeen], list[UserAuthSeen]]:
    """Return the acks and the auth reports in a stopped sidecar's journal."""
    journal = await open_journal(SqlitePlace(path=str(sidecar.journal)))
    try:
        facts = [record.observation for record in await journal.read(0, 10_000)]
    finally:
        await journal.close()
    return (
        [fact for fact in facts if isinstance(fact, AckSeen)],
        [fact for fact in facts if isinstance(fact, UserAuthSeen)],
    )


async def counted(sidecar: SidecarProcess, session: aiohttp.ClientSession, metric: str) -> Counter[str]:
    """Return the counts of a metric by their result, those that are not zero."""
    async with session.get(f"{sidecar.operator}/metrics") as response:
        lines = re.findall(
            rf'^reverb_sidecar_{metric}_total{{.*?result="(\w+)".*?}} (\d+)', await response.text(), re.MULTILINE
        )
    return Counter({result: int(count) for result, count in lines if float(count)})


def check(acks: list[AckSeen], auths: list[UserAuthSeen]) -> None:
    """Assert that the journal has exactly what the app told, in the order in which it happened."""
    assert [(ack.stage, ack.payment_intent, ack.user_ref, ack.contexts, ack.reason) for ack in acks] == ACKS
    assert {(ack.source, ack.release) for ack in acks} == {("backend", "5f2c9e7a1b30")}
    assert [(auth.result, auth.user_ref) for auth in auths] == AUTHS


def test_its_own_tests_pass() -> None:
    """PHPUnit: the plain classes, and the thin part against stand-ins of the framework; in any order."""
    assert re.search(
        r"^OK \(\d+ tests, \d+ assertions\)$", run("phpunit", "--configuration", "phpunit.xml"), re.MULTILINE
    )


def test_its_code_is_psr_12() -> None:
    """PHP_CodeSniffer finds nothing, not even a line that is too long."""
    run("phpcs", "-q", "--standard=phpcs.xml")


def test_the_readme_shows_the_change_that_the_tests_run() -> None:
    """The diff of the app's three files is the one between the example's "before" and "after"."""
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
    """And none that there is not."""
    names = set(re.findall(r"'(SIDECAR_\w+)'", (ROOT / "config" / "reverb-sidecar.php").read_text()))
    assert set(re.findall(r"^\| `(SIDECAR_\w+)`", (ROOT / "README.md").read_text(), re.MULTILINE)) == names


async def test_a_sidecar_takes_what_the_app_tells_by_http(tmp_path: Path) -> None:
    """Paid, dispatched, skipped and four answers to requests for a channel: all accepted, and journalled as meant."""
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, CONFIG) as sidecar:
            await sidecar.ready(session)
            went = await asyncio.to_thread(told, **by_http(sidecar))
            assert await counted(sidecar, session, "ack_requests") == {"accepted": len(ACKS) + len(AUTHS)}
            assert sidecar.stop() == 0
            assert [message for message, _ in went["logged"]] == ["Failed to confirm payment after webhook"]
            check(*await journalled(sidecar))


async def test_a_sidecar_takes_the_apps_browser_tokens() -> None:
    """A token that the app makes now is that of its user, for a quarter of an hour."""
    bearer = BrowserTokens([BROWSER_SECRET]).check((await asyncio.to_thread(told))["token"])
    assert bearer.user_id == "7"
    assert 890 < bearer.lasts_s <= 900


async def test_a_sidecar_takes_what_the_app_adds_to_the_stream(tmp_path: Path) -> None:
    """The same by XADD, into a database with a password that is not the first; the stream is trimmed by age."""
    with RedisServer(tmp_path, "--requirepass", "hush") as server:
        place = server.url.removesuffix("/0") + "/3"
        config = f"{CONFIG}acks:\n  redis_stream: {{url: '{place}'}}\n"
        async with aiohttp.ClientSession() as session:
            sidecar = SidecarProcess(tmp_path, config)
            sidecar.environment = {**os.environ, "SIDECAR_REDIS_PASSWORD": "hush"}
            with sidecar:
                await sidecar.ready(session)
                went = await asyncio.to_thread(
                    told, SIDECAR_TRANSPORT="redis", SIDECAR_REDIS_URL=place, SIDECAR_REDIS_PASSWORD="hush"
                )
                assert [message for message, _ in went["logged"]] == ["Failed to confirm payment after webhook"]

                async def all_read() -> bool:
                    counts = await counted(sidecar, session, "ack_stream_entries")
                    return counts == {"accepted": len(ACKS) + len(AUTHS)}

                await until(all_read, "all entries are read")
                assert sidecar.stop() == 0
            check(*await journalled(sidecar))


@pytest.mark.parametrize("is_frozen", [True, False])
async def test_a_sidecar_that_is_away_costs_the_webhook_a_bounded_time(tmp_path: Path, is_frozen: bool) -> None:  # noqa: FBT001
    """Frozen or dead: every request is over within its budget, nothing is thrown, and each loss is in the log."""
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, CONFIG) as sidecar:
            await sidecar.ready(session)
            assert sidecar.process is not None
            sidecar.process.send_signal(signal.SIGSTOP if is_frozen else signal.SIGKILL)
            went = await asyncio.to_thread(told, **by_http(sidecar))
            slowest, took_ms = max(went["took_ms"], key=lambda each: each[1])
            assert took_ms < BUDGET_MS + SLACK_MS, slowest
            lost = [fields["lost"] for _, fields in went["logged"] if "lost" in fields]
            assert sum(lost) == len(ACKS) + len(AUTHS)


async def test_a_frozen_redis_costs_the_webhook_a_bounded_time(tmp_path: Path) -> None:
    """It takes the connection and answers nothing: each request is over within its budget."""
    with RedisServer(tmp_path) as server:
        server.freeze()
        went = await asyncio.to_thread(told, SIDECAR_TRANSPORT="redis", SIDECAR_REDIS_URL=server.url)
        slowest, took_ms = max(went["took_ms"], key=lambda each: each[1])
        assert took_ms < BUDGET_MS + SLACK_MS, slowest
        assert any("Redis did not answer in time" in fields.get("why", "") for _, fields in went["logged"])


async def test_a_wrong_ack_token_is_told_in_words_and_costs_no_payment(tmp_path: Path) -> None:
    """The log says what to look at; the secret itself is nowhere in it."""
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, CONFIG) as sidecar:
            await sidecar.ready(session)
            wrong = {"SIDECAR_URL": sidecar.public, "SIDECAR_ACK_TOKEN": "not-the-token-0123456789"}
            went = await asyncio.to_thread(told, **wrong)
            said = json.dumps(went["logged"])
            assert "401 the bearer token is not SIDECAR_ACK_TOKEN" in said
            assert wrong["SIDECAR_ACK_TOKEN"] not in said
            assert await counted(sidecar, session, "ack_requests") == {"token_invalid": len(ACKS) + len(AUTHS)}
