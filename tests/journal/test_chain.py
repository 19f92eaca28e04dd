"""The chain in the file: a changed byte is found, a missing end too when the head is known, and housekeeping is none."""

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sidecar.core.facts.chain import is_chained, link_of
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import (
    FallCause,
    Fell,
    Heartbeat,
    Record,
)
from sidecar.core.fold.checkpoints import EVERY_MS, checkpoint_of
from sidecar.core.fold.state import State
from sidecar.journal.maintenance import Maintenance
from sidecar.journal.sqlite import batches
from sidecar.journal.sqlite.backup import backup, restore
from sidecar.journal.sqlite.verification import inspect
from tests.core.golden import OLD_PEOPLE, folded, golden
from tests.core.world import DAY, World, on

from .files import opened
from .test_retention_and_snapshots import SCHEMAS, resumed, write


@contextlib.contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as somebody who may write it, and knows what is in it."""
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        yield file


def short() -> World:
    """Return a short life: a policy, a fall on the bottom rung, a word of a person's, and a heartbeat."""
    world = World(decides=False)
    world.append(Fell(replica="a", version=1, cause=FallCause.ALARM, detail="alarm of payments"))
    world.hold()
    world.beat()
    return world


COLUMNS = {
    "body": ("SELECT body FROM observations WHERE seq = ?", "UPDATE observations SET body = ? WHERE seq = ?"),
    "key": ("SELECT key FROM observations WHERE seq = ?", "UPDATE observations SET key = ? WHERE seq = ?"),
    "at_ms": ("SELECT at_ms FROM observations WHERE seq = ?", "UPDATE observations SET at_ms = ? WHERE seq = ?"),
    "head": ("SELECT head FROM chain WHERE seq = ?", "UPDATE chain SET head = ? WHERE seq = ?"),
}
EARLIER = "UPDATE observations SET at_ms = at_ms - 1 WHERE seq = ?"


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_byte_in_a_decision_is_found_wherever_it_is(tmp_path: Path, column: str) -> None:
    """Each byte of a row in turn: the decision, its key, its stamp, and the head after it."""
    path, world = tmp_path / "j.db", short()
    write(path, world.records)
    (seq,) = [each.seq for each in world.records if isinstance(each.observation, Fell)]
    assert inspect(path).defects == ()
    look, change = COLUMNS[column]
    with changing(path) as file:
        (value,) = file.execute(look, (seq,)).fetchone()
    for changed in changes(value):
        with changing(path) as file:
            file.execute(change, (changed, seq))
        assert inspect(path).defects, f"{column} became {changed!r}"
    with changing(path) as file:
        file.execute(change, (value, seq))
    assert inspect(path).defects == ()


def changes(value: bytes | str | int) -> list[bytes | str | int]:
    """Return the value with each of its bytes changed, one by one."""
    if isinstance(value, int):
        return [value ^ 1 << 8 * byte for byte in range(8)]
    body = value if isinstance(value, bytes) else value.encode()
    assert len(body) > 5
    found = [body[:index] + bytes([body[index] ^ 1]) + body[index + 1 :] for index in range(len(body))]
    return list(found) if isinstance(value, bytes) else [each.decode("latin-1") for each in found]


@pytest.mark.parametrize("kind", ["Fell", "Held", "PolicyAdopted"])
def test_a_changed_record_is_named_and_no_other(tmp_path: Path, kind: str) -> None:
    """The defect has the number of the record, where the investigation starts."""
    path, world = tmp_path / "j.db", short()
    write(path, world.records)
    (seq,) = [each.seq for each in world.records if type(each.observation).__name__ == kind]
    with changing(path) as file:
        file.execute(EARLIER, (seq,))
    assert [each for each in inspect(path).defects if not re.search("earlier stamp|^one of", each)] == [
        f"record {seq} is not as it was written, or a link before it is not: the chain breaks here"
    ]


# fmt: off
GONE = [
    # what somebody removed                                    what is found
    ("DELETE FROM observations WHERE seq = :fell",             "record {fell} is missing: the chain has it"),
    ("DELETE FROM chain WHERE seq = :fell",                    "record {fell} is not as it was written"),
    ("DELETE FROM observations WHERE seq > :fell",             "record {held} is missing: the chain has it"),
    ("DELETE FROM chain",                                      "record {policy} is not as it was written"),
]
# fmt: on


@pytest.mark.parametrize(("what", "defect"), GONE)
def test_a_row_missing_from_one_of_the_two_tables_is_found(tmp_path: Path, what: str, defect: str) -> None:
    """A record without its head and a head without its record are defects."""
    path, world = tmp_path / "j.db", short()
    write(path, world.records)
    names = {type(each.observation).__name__: each.seq for each in world.records}
    places = {"fell": names["Fell"], "held": names["Held"], "policy": names["PolicyAdopted"]}
    with changing(path) as file:
        file.execute(what, places)
    assert any(each.startswith(defect.format(**places)) for each in inspect(path).defects)


def cut(path: Path, after: int) -> None:
    """Remove the end of a journal as somebody does who knows all of its tables."""
    with changing(path) as file:
        file.execute("DELETE FROM observations WHERE seq > ?", (after,))
        file.execute("DELETE FROM chain WHERE seq > ?", (after,))
        file.execute("DELETE FROM snapshots WHERE seq > ?", (after,))
        check_anew(file)


def check_anew(file: sqlite3.Connection) -> None:
    """Write the checksums of all batches anew."""
    file.execute("DELETE FROM batches")
    batches.fill(file)


def test_a_missing_end_is_found_with_a_former_head(tmp_path: Path) -> None:
    """The file alone does not show it; this is why every notification and report has the head."""
    path, world = tmp_path / "j.db", short()
    write(path, world.records)
    whole = inspect(path)
    assert (whole.head, whole.links) == (world.state.chain, 3)
    for head in (whole.head, whole.head[:16]):
        assert inspect(path, head).defects == ()
    (held,) = [each.seq for each in world.records if type(each.observation).__name__ == "Held"]
    assert inspect(path, whole.head).noted_seq == held
    cut(path, held - 1)
    assert inspect(path).defects == ()
    (defect,) = inspect(path, whole.head).defects
    assert defect.startswith(
        f"the chain never had the head {whole.head[:12]}…: since then records were changed or the last"
    )


def test_an_older_head_confirms_all_records_up_to_it(tmp_path: Path) -> None:
    """A head of last month stays valid while the journal grows."""
    path, world = tmp_path / "j.db", short()
    noted = world.state.chain
    world.roll_back()
    write(path, world.records)
    found = inspect(path, noted)
    assert (found.defects, found.head != noted) == ((), True)


def forge(path: Path, seq: int, body: bytes) -> None:
    """Write another body, and all heads anew, as somebody does who has read `core.facts.chain`."""
    with changing(path) as file:
        file.execute("UPDATE observations SET body = ? WHERE seq = ?", (body, seq))
        head = ""
        rows = file.execute("SELECT seq, at_ms, body FROM chain JOIN observations USING (seq) ORDER BY seq").fetchall()
        for link_seq, at_ms, kept in rows:
            head = link_of(head, seq=link_seq, at_ms=at_ms, body=kept)
            file.execute("UPDATE chain SET head = ? WHERE seq = ?", (bytes.fromhex(head), link_seq))
        check_anew(file)


def test_a_forged_record_with_new_heads_is_found_with_a_former_head_and_with_later_checkpoints(
    tmp_path: Path,
) -> None:
    """Who may write the file can make a whole chain; not one that leads to a head that is known elsewhere."""
    path, world = tmp_path / "j.db", short()
    held = next(each for each in world.records if type(each.observation).__name__ == "Held")
    forged = msgspec.json.encode(held.observation).replace(b"ann", b"bob")
    write(path, world.records)
    forge(path, held.seq, forged)
    assert inspect(path).defects == ()
    assert inspect(path, world.state.chain).defects
    world.see(checkpoint_of(world.state, "a"))
    later = tmp_path / "later.db"
    write(later, world.records)
    assert inspect(later).defects == ()
    forge(later, held.seq, forged)
    (defect,) = inspect(later).defects
    assert defect.startswith(f"the checkpoint in record {world.state.seq} has another chain")


async def test_the_removal_of_old_records_breaks_no_chain(tmp_path: Path) -> None:
    """A head from before the removal is still found, and the state ends in the same head."""
    world = on(1)
    for _ in range(3):
        world.good(5)
        world.append(checkpoint_of(world.state, "a"))
        world.roll_back()
        world.sleep(EVERY_MS)
        world.beat()
    world.hold()
    noted = folded(world.records[: len(world.records) // 4]).chain
    path = tmp_path / "j.db"
    write(path, world.records)
    async with opened(path) as journal:
        retention_ms = journal.now_ms() - world.records[-1].at_ms + EVERY_MS
        await Maintenance(journal, world.state, replica="a", retention_ms=retention_ms).trim()
    found = inspect(path, noted)
    assert (found.defects, found.trimmed_seq > 0, found.head) == ((), True, world.state.chain)
    assert (await resumed(path)).chain == world.state.chain
    with changing(path) as file:
        (first,) = file.execute("SELECT min(seq) FROM chain").fetchone()
        file.execute(EARLIER, (first,))
    assert inspect(path).defects, "also of what no fold reads any more"


async def test_a_checkpoint_without_a_chain_gets_its_head_from_the_journal(tmp_path: Path) -> None:
    """Otherwise a replica that starts from it would compute other heads."""
    world = on(1)
    state = msgspec.json.decode(msgspec.json.encode(world.state))
    del state["chain"]
    old = msgspec.structs.replace(checkpoint_of(world.state, "a"), fold_version=4, state=msgspec.Raw(encoded(state)))
    world.now_ms += 40 * DAY
    world.append(old)
    world.hold()
    path = tmp_path / "j.db"
    write(path, world.records)
    async with opened(path) as journal:
        assert await journal.trim(world.now_ms) > 0
        assert (await journal.load_snapshot()).chain == folded(world.records[: old.folded_seq]).chain != ""
    assert (await resumed(path)).chain == world.state.chain
    assert inspect(path).defects == ()


def encoded(state: dict[str, object]) -> bytes:
    """Return a state as a sidecar of version 4 wrote it."""
    return msgspec.json.encode({**state, "fold_version": 4})


async def test_a_file_without_a_chain_gets_one_from_its_records(tmp_path: Path) -> None:
    """The heads are those of the stored bytes, even if this version would write others."""
    path, records = tmp_path / "j.db", golden(OLD_PEOPLE)
    with changing(path) as file:
        file.execute(SCHEMAS[0])
        file.execute(f"PRAGMA application_id = {0x52765363}")
        file.execute("PRAGMA user_version = 1")
        for each in records:
            body = each.kept or msgspec.json.encode(each.observation)
            row = (each.seq, each.at_ms, identity(each.observation), body)
            file.execute("INSERT INTO observations VALUES (?, ?, ?, ?)", row)
    async with opened(path):
        pass
    found = inspect(path)
    assert (found.defects, found.head) == ((), folded(records).chain)


def test_a_backup_has_the_chain_and_a_restore_adds_a_link_to_it(tmp_path: Path) -> None:
    """A head from before the backup stays valid; one from after it detects the restore."""
    path, world = tmp_path / "j.db", short()
    write(path, world.records)
    backup(path, tmp_path / "b.db", is_forced=False)
    noted = world.state.chain
    restore(tmp_path / "b.db", path, reason="the disk failed", is_replacing=True)
    found = inspect(path, noted)
    assert (found.defects, found.links) == ((), 4)
    assert found.head != noted
    assert inspect(tmp_path / "b.db", found.head).defects


def test_a_journal_without_a_decision_has_no_head(tmp_path: Path) -> None:
    """Its absence is not a defect."""
    path = tmp_path / "j.db"
    write(path, [Record(seq=1, at_ms=1000, observation=Heartbeat(replica="a", beat=1))])
    found = inspect(path)
    assert (found.defects, found.links, found.head, State().chain) == ((), 0, "", "")


async def test_links_are_listed_newest_first_in_pages(tmp_path: Path) -> None:
    """Each has the head of the state after it."""
    world = short()
    path = tmp_path / "j.db"
    write(path, world.records)
    chained = [each for each in world.records if is_chained(each.observation)]
    async with opened(path) as journal:
        newest = await journal.links(10**9, 2)
        assert [each.record.seq for each in newest] == [chained[2].seq, chained[1].seq]
        (oldest,) = await journal.links(chained[1].seq, 5)
        assert (oldest.record.seq, oldest.record.observation) == (chained[0].seq, chained[0].observation)
        assert oldest.head == folded(world.records[: chained[0].seq]).chain
        assert newest[0].head == world.state.chain
        found = await journal.find("policy_adopted:0")
        assert found is not None
        assert found == oldest.record
        assert await journal.find("policy_adopted:1") is None


def test_a_changed_record_that_cannot_be_decoded_is_a_defect(tmp_path: Path) -> None:
    """A damaged page is a defect too, and never a traceback."""
    path, world = tmp_path / "j.db", short()
    write(path, world.records)
    shutil.copy(path, tmp_path / "bad.db")
    with changing(path) as file:
        file.execute("UPDATE observations SET body = x'ff' WHERE seq = 2")
    assert [re.split("r?e?ad: |: ", each)[0] for each in inspect(path).defects] == [
        "one of the records 1 to 6 is not as it was written, or its checksum is not",
        "record 2 is not as it was written, or a link before it is not",
        f"The journal {path} has a record 2 that cannot be ",
    ]
    with (tmp_path / "bad.db").open("r+b") as file_of_bytes:
        file_of_bytes.seek(4096)
        file_of_bytes.write(b"\xff" * 4096)
    assert inspect(tmp_path / "bad.db").defects
