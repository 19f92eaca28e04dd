"""Commands of operators against a real sidecar: note, freeze, thaw, explain, and verify with a former head."""

import asyncio
import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner, Result

from sidecar.cli import cli
from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.windows import DAY_MS
from tests.e2e.processes import READ_TOKEN, SECRETS, SidecarProcess
from tests.e2e.test_main_job import LAX

WHY = ("--reason", "pupils return")
WEEKLY = ("freeze", "weekends", "--weekly", "fri,sat", *WHY)


class Terminal:
    """A person's terminal beside a sidecar. The commands run in this process: a Python for each would cost minutes."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def say(self, *arguments: str, token: str = SECRETS["SIDECAR_TOKEN"]) -> Result:
        """Run a command."""
        env = {name: None for name in os.environ if name.startswith(("SIDECAR_", "STRIPE_"))}
        return CliRunner().invoke(
            cli, [*arguments, "--config", str(self._config)], env={**env, "SIDECAR_TOKEN": token, "COLUMNS": "200"}
        )


async def _is_ready(process: SidecarProcess) -> None:
    async with aiohttp.ClientSession() as session:
        await process.ready(session)


def test_what_people_do_is_shown_explained_and_in_the_chain(tmp_path: Path) -> None:
    """One session, as a release manager has it: freeze, look, ask why, note a release, thaw; then audit the journal."""
    with SidecarProcess(tmp_path, LAX) as process:
        asyncio.run(_is_ready(process))
        say = Terminal(process.config).say
        shown = say("freeze", "term", "--until", "2099-01-01", *WHY)
        assert (shown.exit_code, "within 400 days" in shown.stderr) == (2, True)
        hours = ("--at", "17:00", "--for", "63h", "--utc-offset", "+01:00")
        in_a_month = stamp(json.loads(say("status", "--json").stdout)["now_ms"] + 30 * DAY_MS)[:10]
        shown = say(*WEEKLY, *hours, "--expires", in_a_month)
        assert (shown.exit_code, shown.stderr) == (0, "")
        assert "ada: freeze: weekends forbids climbing in its windows until" in shown.stdout
        assert "freeze weekends of ada: pupils return (" in " ".join(say("status").stdout.split())
        (freeze,) = json.loads(say("status", "--json").stdout)["freezes"]
        assert freeze["freeze"]["window"] == {
            "type": "weekly", "days": [4, 5], "from_minute": 1020, "lasts_minutes": 3780, "utc_offset_minutes": 60,
        }  # fmt: skip
        noted = say("note", "--reason", "a new form", "--release", "2027.1")
        assert "ada: note: the release 2027.1 is noted (record " in noted.stdout
        seq = re.findall(r"record (\d+)", noted.stdout)[0]
        assert "The freeze weekends of ada" in say("explain").stdout
        assert "ada noted the release 2027.1." in say("explain", seq).stdout
        assert json.loads(say("explain", seq, "--json").stdout)["seq"] == int(seq)
        assert [say("explain", wrong).exit_code for wrong in ("1", "x")] == [2, 2]
        assert say("thaw", "weekend", *WHY).exit_code == 1
        assert "weekends is thawed" in say("thaw", "weekends", *WHY).stdout
        assert [say("explain", token=token).exit_code for token in (READ_TOKEN, "guessed-token-0123")] == [0, 2]
        assert say("note", *WHY, token=READ_TOKEN).exit_code == 2
        head = json.loads(say("status", "--json").stdout)["chain"]
        assert process.stop() == 0
    _audit(process, head, int(seq))


def test_an_override_is_set_listed_and_cleared(tmp_path: Path) -> None:
    """As the help shows it, without a reason of one's own."""
    with SidecarProcess(tmp_path, LAX) as process:
        asyncio.run(_is_ready(process))
        say = Terminal(process.config).say
        assert "ada: override: push_only for the user " in say("override", "7").stdout
        assert say("override", "7", "--mode", "timer_polling", "--for", "1d", *WHY).exit_code == 0
        shown = " ".join(say("status").stdout.split())
        assert re.search(r"override \d+ of ada, timer_polling for the user [0-9a-f]{8} until", shown)
        assert say("override", "7", "--for", "25h").exit_code == 2
        assert json.loads(say("override", "--clear", "7", "--json").stdout)["shape"] == "override/1"
        assert say("override", "--clear", "7").exit_code == 1
        assert "override" not in say("status").stdout


def _audit(process: SidecarProcess, head: str, seq: int) -> None:
    say = Terminal(process.config).say
    sound = say("verify", "--head", head.upper())
    assert (sound.exit_code, f"the head of their chain is {head}" in sound.stdout) == (0, True)
    assert "all records up to it are unchanged" in sound.stdout
    exits = [say("verify", "--head", each).exit_code for each in (head[:16], head[:15], "0" * 64)]
    assert exits == [0, 2, 1]
    with closing(sqlite3.connect(process.journal)) as file, file:
        file.execute("UPDATE observations SET body = replace(body, '2027.1', '2027.2') WHERE seq = ?", (seq,))
    changed = say("verify")
    assert (changed.exit_code, f"record {seq} is not as it was written" in changed.stdout) == (1, True)
    noted = say("verify", "--head", head)
    assert (noted.exit_code, "all records up to it are unchanged" in noted.stdout) == (1, False)


# fmt: off
WRONG = [
    # arguments                                                                          message
    (("freeze", "term", *WHY),                                                           "give either --until"),
    (("freeze", "term", "--until", "2027-02-01", "--weekly", "fri", *WHY),               "give either --until"),
    (("freeze", "term", "--until", "1.2.2027", *WHY),                                    "--until is a date such as"),
    (("freeze", "term", "--from", "x", "--until", "2027-02-01", *WHY),                   "--from is a date such as"),
    (WEEKLY,                                                                             "needs an end, such as --expires"),
    ((*WEEKLY, "--expires", "x"),                                                        "--expires is a date such as"),
    ((*WEEKLY, "--expires", "2027-02-01", "--at", "24:00"),                              "--at is a time of day"),
    ((*WEEKLY, "--expires", "2027-02-01", "--for", "2w"),                                "--for is a duration"),
    ((*WEEKLY, "--expires", "2027-02-01", "--utc-offset", "CET"),                        "--utc-offset is the offset"),
    (("freeze", "x", "--weekly", "fry", "--expires", "2027-02-01", *WHY),                "--weekly has days of mon"),
    (("override", "7", "--for", "soon"),                                                 "--for is a duration"),
    (("override", "7", "--mode", "push"),                                                "push_only"),
    (("verify", "--head", "xyz"),                                                        "--head is 16 to 64 hex digits"),
]
# fmt: on


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_an_invalid_option_is_refused_with_an_example(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """Exit 2 before any request to a sidecar, and an example of a valid value."""
    config = tmp_path / "sidecar.yaml"
    config.write_text("environment: test\n")
    shown = Terminal(config).say(*arguments)
    assert (shown.exit_code, message in " ".join(shown.stderr.split())) == (2, True), shown.stderr
