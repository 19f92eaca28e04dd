"""A new journal says so: in the log, in the status, in the metrics, and why in its record if an operator began it."""

from pathlib import Path

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from sidecar import clock
from sidecar.cli import cli
from sidecar.cli.here import here
from sidecar.config import SqlitePlace
from sidecar.core.facts.operator_actions import Noted
from sidecar.journal.novelty import new_journal_warning
from sidecar.journal.sqlite.backup import begin_anew
from sidecar.rules.upkeep import NEW_FOR_S
from tests.journal.files import everything
from tests.shells.running import CONFIG, running
from tests.shells.test_clock import DAY_MS

_CREATED = "reverb_sidecar_journal_created_timestamp_seconds"


async def test_a_first_start_is_a_warning_in_log_status_and_metrics(tmp_path: Path) -> None:
    """The next start is none, and the time of the first stays in the metrics."""
    config = msgspec.structs.replace(CONFIG, journal=SqlitePlace(path=str(tmp_path / "journal.db")))
    seen, began = [], clock.wall_ms() / 1000
    for _ in range(2):
        with structlog.testing.capture_logs() as logs:
            async with running(config) as sidecar:
                warnings = " ".join((await sidecar.status())["warnings"])
                created_s = await sidecar.metric(_CREATED)
        seen.append((created_s, [line["log_level"] for line in logs if line["event"] == "journal.created"]))
        assert "The journal is new: it began " in warnings
    assert began <= seen[0][0] <= clock.wall_ms() / 1000
    assert seen == [(seen[0][0], ["warning"]), (seen[0][0], [])]


@pytest.mark.parametrize(("created_ms", "age_ms", "warns"), [(1, DAY_MS - 1, True), (1, DAY_MS, False), (0, 5, False)])
def test_a_journal_is_new_for_a_day(created_ms: int, age_ms: int, *, warns: bool) -> None:
    """As long as the alert fires; a journal without a policy has not begun."""
    assert bool(new_journal_warning(created_ms, created_ms + age_ms)) is warns
    assert 1000 * NEW_FOR_S == DAY_MS


async def test_journal_init_is_noted_in_the_new_journal(tmp_path: Path) -> None:
    """The reason stays in the record, and no later start repeats it."""
    path, file = tmp_path / "journal.db", tmp_path / "sidecar.yaml"
    file.write_text(f"environment: test\njournal: sqlite:{path}\njournal_must_exist: true\n")
    for reason in ("", "\u200b"):
        refused = CliRunner().invoke(cli, ["journal", "init", "--config", str(file), "--reason", reason])
        assert (refused.exit_code, "with a letter or a digit" in refused.output) == (2, True)
    done = CliRunner().invoke(cli, ["journal", "init", "--config", str(file), "--reason", "the disk failed"])
    assert (done.exit_code, "the next start begins a new journal" in done.output.replace("\n", " ")) == (0, True)
    config = msgspec.structs.replace(CONFIG, journal=SqlitePlace(path=str(path)), journal_must_exist=True)
    for _ in range(2):
        async with running(config):
            pass
    notes = [each.observation for each in await everything(path) if isinstance(each.observation, Noted)]
    assert notes == [Noted(actor="journal init", text="A new journal: the disk failed")]


async def test_a_journal_that_must_exist_gives_503_and_timers_until_it_is_back(tmp_path: Path) -> None:
    """The process listens, and `/readyz` has the ways back."""
    config = msgspec.structs.replace(
        CONFIG, journal=SqlitePlace(path=str(tmp_path / "journal.db")), journal_must_exist=True
    )
    async with running(config) as sidecar, sidecar.session.get(f"{sidecar.urls.public}/readyz") as response:
        assert response.status == 503
        text = await response.text()
    assert "is missing, and the configuration has `journal_must_exist: true`" in text
    assert "sidecar journal init" in text
    assert not (tmp_path / "journal.db").exists()


async def test_check_here_knows_whether_the_start_would_refuse_the_journal(tmp_path: Path) -> None:
    """It uses what the start uses: a lost journal is a problem, until a new one is intended."""
    path = tmp_path / "journal.db"
    config = msgspec.structs.replace(CONFIG, journal=SqlitePlace(path=str(path)))
    assert here(config, {}).machine == ()
    (problem,) = here(msgspec.structs.replace(config, journal_must_exist=True), {}).machine
    assert "is missing, and the configuration has `journal_must_exist: true`; restore a backup" in problem
    async with running(config):
        pass
    assert here(config, {}).machine == ()
    path.unlink()
    (problem,) = here(config, {}).machine
    assert "is missing, and its high-water mark says" in problem
    begin_anew(path, reason="the disk failed", is_replacing=False)
    assert here(msgspec.structs.replace(config, journal_must_exist=True), {}).machine == ()
