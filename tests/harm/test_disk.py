"""A full disk, a damaged file, or one of a later version: one sentence, 503s, and timers."""

import contextlib
import os
import resource
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.harm.accounting import assert_sound
from tests.harm.load import Load, ended, under_load
from tests.shells.running import event, sign


async def pay(sidecar: SidecarProcess, session: aiohttp.ClientSession, name: str) -> tuple[int, dict[str, Any], str]:
    """Deliver a webhook; return the status, the answer, and when to try again."""
    body = msgspec.json.encode(event(name, livemode=False))
    url = f"{sidecar.public}/stripe/webhook"
    async with session.post(url, data=body, headers={"Stripe-Signature": sign(body)}) as response:
        return response.status, await response.json(), response.headers.get("Retry-After", "")


async def climbed(sidecar: SidecarProcess, session: aiohttp.ClientSession) -> None:
    """Pay, one payment after the other, until push is served: several open ones would suspend it.

    On a busy machine some are read late, and then unmeasured, or broadcast late; later ones make up for them.
    """
    paid = 0

    async def have_ended() -> bool:
        return len(sidecar.lines("payment.settled")) >= paid

    async def is_climbed() -> bool:
        nonlocal paid
        if await have_ended():
            await sidecar.ack(session, stage="delivered", payment_intent=f"pi_first_{paid}")
            assert (await pay(sidecar, session, f"pi_first_{paid}"))[0] == 200
            paid += 1
        return await served(sidecar, session, "push_with_safety_net")

    await until(is_climbed, "push is served")
    await until(have_ended, "all are settled")


async def served(sidecar: SidecarProcess, session: aiohttp.ClientSession, mode: str) -> bool:
    """Return whether the flag answers this mode."""
    return bool((await sidecar.flag(session))["mode"] == mode)


async def test_a_full_disk_gives_503_and_timers_until_there_is_space(
    tmp_path: Path,
) -> None:
    """No event with a 2xx is lost, and freeing space is enough to recover."""
    load = Load(7)
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, LAX) as sidecar:
            await sidecar.ready(session)
            await climbed(sidecar, session)
            task = await under_load(load, sidecar, 0.5, kept=21)
            assert sidecar.process is not None
            _, hard = resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (65_536, hard))

            async def is_full() -> bool:
                status, answer, retry_after = await pay(sidecar, session, "pi_while_full")
                return (status, answer["code"], retry_after) == (503, "journal_unavailable", "5")

            await until(is_full, "webhooks get a 503")
            await until(lambda: served(sidecar, session, "timer_polling"), "the lease lapses")
            await ended(task)
            resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (hard, hard))

            async def has_permits() -> bool:
                return (await pay(sidecar, session, "pi_after"))[0] == 200

            await until(has_permits, "webhooks are taken again")
            await sidecar.ready(session)
            assert sidecar.stop() == 0
    assert len(load.kept) > 20
    assert load.statuses <= {200, 503}
    assert_sound(sidecar.journal, load)


def _corrupt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1024:] = b"\xff" * (len(content) - 1024)
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _zero(path: Path) -> None:
    path.write_bytes(b"\x00" * path.stat().st_size)


def _outdate(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")


def _spoil_a_record(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE observations SET body = '{}'")
        file.execute("DELETE FROM snapshots")


HARMS = {
    # damage                              message
    "damaged":         (_corrupt,        "restore it from a backup"),
    "cut short":       (_cut,            "restore it from a backup"),
    "zeroed":          (_zero,           "it is not a SQLite database"),
    "a later version": (_outdate,        "has schema version 99"),
    "a record":        (_spoil_a_record, "has a record 1 that cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("harm", "said"), HARMS.values(), ids=HARMS)
async def test_a_journal_that_cannot_be_had_is_answered_for_until_it_is_recovered(
    tmp_path: Path, harm: Callable[[Path], None], said: str
) -> None:
    """The log and `/readyz` have one sentence, webhooks get 503 so that Stripe retries, and timers are served."""
    sidecar = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with sidecar:
            await sidecar.ready(session)
            assert (await pay(sidecar, session, "pi_1"))[0] == 200
            assert sidecar.stop() == 0
        good = sidecar.journal.read_bytes()
        harm(sidecar.journal)
        with sidecar:

            async def is_said() -> bool:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{sidecar.public}/readyz") as response:
                        return response.status == 503 and said in await response.text()
                return False

            await until(is_said, "readyz says why")
            status, answer, retry_after = await pay(sidecar, session, "pi_2")
            assert (status, answer["code"], retry_after) == (503, "journal_unavailable", "5")
            assert said in answer["message"]
            assert await sidecar.ack(session, stage="delivered", payment_intent="pi_2") == 503
            assert (await sidecar.flag(session))["mode"] == "timer_polling"
            async with session.get(f"{sidecar.public}/healthz") as response:
                assert response.status == 200
            (line,) = sidecar.lines("journal.unavailable")
            assert said in line["message"]
            assert "Traceback" not in sidecar.log.read_text()
            sidecar.journal.write_bytes(good)
            await sidecar.ready(session)
            assert (await pay(sidecar, session, "pi_2"))[0] == 200
            assert sidecar.stop() == 0


async def test_damage_that_the_start_does_not_meet_is_found_by_the_check_beside_the_work(tmp_path: Path) -> None:
    """A restart reads a snapshot and the last records; then every page is verified, and damage gives timers."""
    sidecar = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with sidecar:
            await sidecar.ready(session)
            task = await under_load(Load(3), sidecar, 1.0)
            await ended(task)
            assert sidecar.stop() == 0
        content = bytearray(sidecar.journal.read_bytes())
        content[10 * 4096 : 14 * 4096] = b"\xff" * (4 * 4096)
        sidecar.journal.write_bytes(content)
        with sidecar:

            async def is_found() -> bool:
                with contextlib.suppress(aiohttp.ClientError):
                    return (await pay(sidecar, session, "pi_late"))[0] == 503
                return False

            await until(is_found, "the damage is found")
            assert (await sidecar.flag(session))["mode"] == "timer_polling"
            assert "damaged" in sidecar.lines("journal.unavailable")[0]["message"]


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
async def test_a_file_that_is_cut_under_a_running_sidecar_gives_503_until_nothing_is_missing(
    tmp_path: Path, suffix: str
) -> None:
    """No webhook gets a 2xx while records are missing, and `restore` ends it; nothing is, and it ends by itself."""
    copy = tmp_path / "copy.db"
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, LAX) as sidecar:
            await sidecar.ready(session)
            assert (await pay(sidecar, session, "pi_before"))[0] == 200
            assert sidecar.cli("backup", str(copy)).returncode == 0
            os.truncate(f"{sidecar.journal}{suffix}", 0)
            status, answer, _ = await pay(sidecar, session, "pi_after")
            assert (status, answer["code"]) == (503, "journal_unavailable")

            async def is_closed() -> bool:
                return bool(sidecar.lines("journal.unavailable"))

            await until(is_closed, "the journal is closed")
            said = sidecar.lines("journal.unavailable")[0]["message"]
            assert f"{sidecar.journal.name}{suffix} was cut from" in said
            if suffix != "-shm":

                async def is_restored() -> bool:  # the process may open the journal at this moment
                    done = sidecar.cli("restore", str(copy), "--replace", "--reason", "a file was cut")
                    return done.returncode == 0

                await until(is_restored, "the backup is restored")
            await sidecar.ready(session)
            assert (await pay(sidecar, session, "pi_after"))[0] == 200
            assert sidecar.stop() == 0
            assert sidecar.cli("verify").returncode == 0


async def test_a_bus_error_does_not_end_the_process_in_silence(tmp_path: Path) -> None:
    """The last lines on standard error name the signal and where it happened."""
    async with aiohttp.ClientSession() as session:
        with SidecarProcess(tmp_path, LAX) as sidecar:
            await sidecar.ready(session)
            assert sidecar.process is not None
            sidecar.process.send_signal(signal.SIGBUS)
            assert sidecar.process.wait(60) == -signal.SIGBUS
            assert "Fatal Python error: Bus error" in sidecar.log.read_text()
