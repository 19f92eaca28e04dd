"""Random damage of each of the journal's files, while it runs and while it is stopped: `python -m tests.harm.damage`.

Each case truncates, alters or swaps one file, starts the sidecar's journal on what is left, and compares the state with the
state of everything that was acknowledged. Damage is *refused* by the running process or by the start, or *found* by the
checks behind a start whose state is right, or *harmless*: the state is right, and no check finds a defect. Any other state,
or an append that is answered wrongly, is *wrong*.
"""

import argparse
import asyncio
import collections
import enum
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from sidecar.core.facts.observations import Observation, PaymentSucceeded, Record
from sidecar.core.facts.operator_actions import Held
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State, encode
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.journal.sqlite.mark import Marks
from sidecar.journal.sqlite.verification import inspect
from sidecar.ports import SidecarError
from tests.core.world import on

FILES = ("", "-wal", "-shm", ".mark")
NAME = "journal.db"
_APPENDS = 12
_RECHECK_EVERY = 4
_BLOCK = 512
_PAGE = 4096


class Verdict(enum.StrEnum):
    """What a case showed."""

    REFUSED = "refused"
    """Noticed by the running process, or by the start; no answer was given."""
    FOUND = "found"
    """The state is right, and the check behind the start finds the damage."""
    HARMLESS = "harmless"
    """The state is right, and there is no defect."""
    SIGNAL = "signal"
    """SIGBUS ended the process, and the start after it is right or refused."""
    WRONG = "wrong"


class Image(msgspec.Struct, frozen=True):
    """The files of a journal after `kill -9` (`now`) and after a clean stop (`closed`), and its records.

    With an `older` moment of them, and those of `another` journal.
    """

    folder: Path
    records: Sequence[Record]


def truncate(dice: random.Random, path: Path, image: Image) -> None:
    """Cut the file at a random length."""
    del image
    os.truncate(path, dice.randrange(path.stat().st_size))


def flip(dice: random.Random, path: Path, image: Image) -> None:
    """Flip up to four bits."""
    del image
    with path.open("r+b") as file:
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(path.stat().st_size)
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 1 << dice.randrange(8)]))


def swap(dice: random.Random, path: Path, image: Image) -> None:
    """Put the older file or that of another journal in its place, renamed or copied; or swap or zero blocks."""
    kind = dice.choice(("older", "another", "blocks", "zeros"))
    if kind in ("older", "another"):
        other = image.folder / kind / path.name
        if dice.random() < 0.5:
            shutil.copyfile(other, path)  # the same inode
        else:
            shutil.copyfile(other, path.with_name("put"))
            path.with_name("put").rename(path)
        return
    size = dice.choice((_BLOCK, _PAGE))
    content = bytearray(path.read_bytes())
    if len(content) < 2 * size:
        size = max(1, len(content) // 3)
    one, two = (size * dice.randrange(max(1, len(content) // size)) for _ in range(2))
    if kind == "zeros":
        content[one : one + size] = bytes(len(content[one : one + size]))
    elif one != two:
        first, second = content[one : one + size], content[two : two + size]
        if len(first) == len(second):
            content[one : one + size], content[two : two + size] = second, first
    with path.open("r+b") as file:
        file.write(content)


HARMS: dict[str, Callable[[random.Random, Path, Image], None]] = {"truncation": truncate, "bits": flip, "swap": swap}


def payment(name: str) -> PaymentSucceeded:
    """Return a payment that the policy judges."""
    return PaymentSucceeded(payment_intent=name, event_id=f"evt_{name}", created_s=1_790_000_000, signed_s=None)


async def _life(path: Path, seed: int, moments: dict[int, Path]) -> list[Record]:
    """Write a life with a snapshot in its middle; copy the files at some records, as `kill -9` leaves them."""
    world = on(1)
    for turn in range(6):
        world.good(4)
        world.append(Held(actor="ann", reason=f"hold {seed}, {turn}"))
    kept: list[Record] = []
    journal, state = await SqliteJournal.open(path), State()
    for record in world.records:
        appended = await journal.append(record.observation)
        kept.append(appended.record)
        fold(state, appended.record)
        if len(kept) == len(world.records) // 2:
            await journal.save_snapshot(state.seq, encode(state))
        if len(kept) in moments:
            await journal._loop.run_in_executor(journal._write_thread, journal._writer.mark)
            moments[len(kept)].mkdir()
            for suffix in FILES:
                shutil.copyfile(f"{path}{suffix}", moments[len(kept)] / f"{NAME}{suffix}")
    await journal.close()
    return kept


def image_of(folder: Path, seed: int) -> Image:
    """Write the files that the cases begin with."""
    (folder / "life").mkdir()
    length = 200
    records = asyncio.run(_life(folder / "life" / NAME, seed, {length - 30: folder / "older", length: folder / "now"}))
    asyncio.run(_life(folder / "life" / "another.db", seed + 1, {length: folder / "another"}))
    shutil.copytree(folder / "now", folder / "closed")
    asyncio.run(_started(folder / "closed" / NAME))
    return Image(folder, records[:length])


def folded(records: Sequence[Record]) -> State:
    """Return the state after these records."""
    state = State()
    for record in records:
        fold(state, record)
    return state


async def _started(path: Path) -> tuple[State, bool]:
    """Start as a sidecar does; return its state, and whether the check behind the start finds damage."""
    journal = await SqliteJournal.open(path)
    try:
        state = await journal.load_snapshot()
        while records := await journal.read(state.seq, 500):
            for record in records:
                fold(state, record)
        try:
            await journal.check()
        except SidecarError:
            return state, True
        return state, False
    finally:
        await journal.close()


def judged(path: Path, records: Sequence[Record]) -> Verdict:
    """Start on what is left, and compare its state with that of the records that were acknowledged."""
    try:
        state, is_found = asyncio.run(_started(path))
    except SidecarError:
        return Verdict.REFUSED
    expected = folded(records)
    if state.seq > expected.seq:  # stored without an answer: the sender tries again
        expected = folded([*records, *asyncio.run(_after(path, expected.seq))])
    if encode(state) != encode(expected):
        return Verdict.WRONG
    if is_found or inspect(path, "", Marks(path)).defects:
        return Verdict.FOUND
    return Verdict.HARMLESS


async def _after(path: Path, seq: int) -> Sequence[Record]:
    journal = await SqliteJournal.open(path)
    try:
        return await journal.read(seq, 1_000)
    finally:
        await journal.close()


def stopped(dice: random.Random, path: Path, suffix: str, harm: str, image: Image) -> Verdict:
    """Harm a file of a process that was killed, and start."""
    HARMS[harm](dice, path.with_name(path.name + suffix), image)
    return judged(path, image.records)


def running(dice: random.Random, path: Path, suffix: str, harm: str, image: Image) -> Verdict:
    """Harm a file under a process that appends and then stops, cleanly or not; then start."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = asyncio.run(_append(dice, path, suffix, harm, image))
        except BaseException:  # noqa: BLE001 - a forked process must not return into its parent's code
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    lines = path.with_name("acknowledged").read_bytes().splitlines()
    acknowledged = [msgspec.json.decode(line, type=Record) for line in lines]
    after = judged(path, [*image.records, *acknowledged])
    if after is Verdict.WRONG or (os.WIFEXITED(status) and os.WEXITSTATUS(status) > 1):
        return Verdict.WRONG
    if os.WIFSIGNALED(status):
        return Verdict.SIGNAL if os.WTERMSIG(status) == signal.SIGBUS else Verdict.WRONG
    return Verdict.REFUSED if os.WEXITSTATUS(status) else after


async def _append(dice: random.Random, path: Path, suffix: str, harm: str, image: Image) -> int:
    """Return 0: nothing was noticed, 1: the damage was, 2: an append was answered wrongly."""
    journal = await SqliteJournal.open(path)
    await journal.load_snapshot()
    known = next(each.observation for each in image.records if isinstance(each.observation, PaymentSucceeded))
    code = 0
    with path.with_name("acknowledged").open("wb") as file:
        try:
            for number in range(_APPENDS):
                if number == _APPENDS // 3:
                    HARMS[harm](dice, path.with_name(path.name + suffix), image)
                facts: list[tuple[Observation, bool]] = [(payment(f"pi_new_{number}"), False), (known, True)]
                for fact, is_known in facts:
                    appended = await journal.append(fact)
                    if appended.duplicate is not is_known:
                        return 2
                    if not is_known:
                        file.write(msgspec.json.encode(appended.record) + b"\n")
                        file.flush()
                if number % _RECHECK_EVERY == 0:
                    await journal.recheck()
        except SidecarError:
            code = 1
        if dice.random() < 0.5:
            await journal.close()
        elif code == 0:  # killed when the mark was written, at most a second after the last commit
            await journal._loop.run_in_executor(journal._write_thread, journal._writer.mark)
    return code


SITUATIONS = {"stopped": stopped, "running": running}
Counts = dict[tuple[str, str, str], collections.Counter[Verdict]]


def tried(cases: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Counts:
    """Try that many cases of each file in each situation; return the verdicts by situation, file and harm."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    counts: Counts = {}
    try:
        with tempfile.TemporaryDirectory() as place:
            image = image_of(Path(place), seed)
            for situation, suffix in ((each, suffix) for each in SITUATIONS for suffix in FILES):
                for number in range(cases):
                    harm = list(HARMS)[number % len(HARMS)]
                    verdict = _case(image, situation, suffix, harm, f"{seed}/{situation}/{suffix}/{number}")
                    counts.setdefault((situation, suffix, harm), collections.Counter())[verdict] += 1
                    if verdict is Verdict.WRONG:
                        say(f"WRONG: seed {seed}, {situation}, {NAME}{suffix}, {harm}, case {number}")
    finally:
        structlog.reset_defaults()
    return counts


def _case(image: Image, situation: str, suffix: str, harm: str, seed: str) -> Verdict:
    work = image.folder / "work"
    is_closed = suffix in ("", ".mark") and random.Random(seed).random() < 0.7
    shutil.copytree(image.folder / ("closed" if is_closed else "now"), work)
    try:
        return SITUATIONS[situation](random.Random(seed), work / NAME, suffix, harm, image)
    finally:
        shutil.rmtree(work)


def table(counts: Counts) -> str:
    """Return the counts, a line for each situation, file and harm."""
    head = ["", "file", "damage", *Verdict]
    rows = [
        [situation, f"{NAME}{suffix}", harm, *(str(found[verdict]) for verdict in Verdict)]
        for (situation, suffix, harm), found in counts.items()
    ]
    total: collections.Counter[Verdict] = sum(counts.values(), collections.Counter())
    rows.append(["all", "", "", *(str(total[verdict]) for verdict in Verdict)])
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def main() -> None:
    """Try the cases and print the table; exit with 1 if one is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500, help="of each file, running and stopped")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    counts = tried(given.cases, given.seed, print)
    print(table(counts))
    sys.exit(any(found[Verdict.WRONG] for found in counts.values()))


if __name__ == "__main__":
    main()
