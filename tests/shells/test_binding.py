"""A start on the journal of another environment or livemode: refused, before anything is appended."""

from pathlib import Path

import msgspec
import pytest

from sidecar import app
from sidecar.composition import Adoption, Sidecar
from sidecar.config import Config, SqlitePlace, Stripe, policy_of
from sidecar.console.adoptions import adoptions
from sidecar.console.decisions import detail_of, page_of
from sidecar.console.explanation import explain_decision
from sidecar.console.page.log import entry_line
from sidecar.core.facts.observations import PolicyAdopted
from sidecar.core.facts.policy import policy_hash
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite.backup import backup, restore
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, Journal, SidecarError
from tests.core.world import LAX, World
from tests.shells.running import CONFIG, SECRETS
from tests.shells.test_lifecycle import begun, journal_of

STAGING = msgspec.structs.replace(CONFIG, environment="staging", stripe=Stripe(livemode=False))
TEST_MODE = msgspec.structs.replace(CONFIG, stripe=msgspec.structs.replace(CONFIG.stripe, livemode=False))
WORD = Adoption(actor="ann", reason="I know better")


async def refused(journal: Journal, config: Config, adoption: Adoption | None = None) -> SidecarError:
    """Start a sidecar, which must be refused, and must append nothing."""
    before = len(await journal.read(0, 10_000))
    with pytest.raises(SidecarError) as caught:
        await begun(journal, config, adoption)
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert len(await journal.read(0, 10_000)) == before
    return caught.value


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (STAGING, "belongs to `environment: test` and `stripe.livemode: true`"),
        (TEST_MODE, "this configuration has `stripe.livemode: false`"),
    ],
)
@pytest.mark.parametrize("adoption", [None, WORD])
async def test_the_journal_of_another_environment_is_refused_in_words_and_untouched(
    config: Config, why: str, adoption: Adoption | None
) -> None:
    """Not even its own start is recorded: that would leave the payments of the right process unmeasured."""
    journal = MemoryJournal()
    await begun(journal, CONFIG)
    error = await refused(journal, config, adoption)
    assert why in error.message
    assert "another path in `journal`), or restore the setting" in error.message
    await begun(journal, CONFIG)


async def test_a_journal_of_an_earlier_version_is_bound_by_the_first_start() -> None:
    """It recorded the environment, and not the livemode."""
    world = World(LAX)
    await refused(await journal_of(world), msgspec.structs.replace(CONFIG, environment="staging"))
    journal = await journal_of(world)
    await begun(journal, TEST_MODE)
    await refused(journal, CONFIG)


async def test_of_two_processes_that_start_at_once_on_an_empty_journal_the_second_ends() -> None:
    """Both found it empty; the second finds the policy of the first, and ends."""
    journal = MemoryJournal()
    first, second = (Sidecar(config, SECRETS, journal, lines=LineCounts()) for config in (CONFIG, STAGING))
    assert (await first.is_fresh(), await second.is_fresh()) == (True, True)
    await first.announce()
    await second.announce()
    await first.begin(None)
    with pytest.raises(SidecarError, match="belongs to `environment: test`"):
        await second.begin(None)
    assert first.wiring.state.policy == policy_of(CONFIG)


async def test_a_policy_that_the_fold_refused_does_not_bind_the_journal() -> None:
    """A process of an earlier version appended it; the record stays, and means nothing."""
    journal = MemoryJournal()
    state = (await begun(journal, CONFIG)).wiring.state
    other = policy_of(STAGING)
    await journal.append(
        PolicyAdopted(
            policy=other, policy_hash=policy_hash(other), adoption=state.adoptions, actor="x", reason="an old version"
        )
    )
    await begun(journal, CONFIG)
    await refused(journal, STAGING)


async def test_a_policy_that_the_fold_refused_is_shown_as_refused_and_never_as_in_force() -> None:
    """Its record has a number too: counted among the accepted ones, it hid the newest policy."""
    journal = MemoryJournal()
    state = (await begun(journal, CONFIG)).wiring.state
    other = policy_of(STAGING)
    await journal.append(
        PolicyAdopted(policy=other, policy_hash=policy_hash(other), adoption=state.adoptions, actor="x", reason="old")
    )
    policy = msgspec.structs.replace(CONFIG.policy, cooldown_ms=CONFIG.policy.cooldown_ms + 1000)
    changed = msgspec.structs.replace(CONFIG, policy=policy)
    state = (await begun(journal, changed)).wiring.state
    newest, refused_entry, oldest = (await page_of(journal, state, before=None, limit=50)).entries
    assert [entry.is_in_force for entry in (newest, refused_entry, oldest)] == [None, False, None]
    assert newest.policy_hash == state.policy_hash
    assert [adopted.policy_hash async for _, adopted in adoptions(journal, state)] == state.policies[::-1]
    detail = await detail_of(journal, state, refused_entry.seq)
    assert detail.policy == policy_of(CONFIG)
    assert "it was refused" in " ".join(point.text for point in explain_decision(detail).points)
    assert entry_line(refused_entry, 0).what.endswith(", without effect: it was refused")


async def test_a_restored_backup_of_another_environment_is_refused_and_so_is_a_snapshot(tmp_path: Path) -> None:
    """The proof of staging is one file copy away from production."""
    journal = await SqliteJournal.open(tmp_path / "staging.db")
    sidecar = await begun(journal, STAGING)
    await sidecar.wiring.maintenance.save()
    await journal.close()
    backup(tmp_path / "staging.db", tmp_path / "copy.db", is_forced=False)
    restore(tmp_path / "copy.db", tmp_path / "production.db", reason="a mistake", is_replacing=False)
    config = msgspec.structs.replace(CONFIG, journal=SqlitePlace(path=str(tmp_path / "production.db")))
    before = (tmp_path / "production.db").read_bytes()
    with pytest.raises(SidecarError, match=r"belongs to `environment: staging` and `stripe.livemode: false`"):
        await app.run(config, SECRETS)
    assert (tmp_path / "production.db").read_bytes() == before
