"""`kill -9` under load. The long version is `make chaos`."""

from pathlib import Path

from tests.harm.kill import campaign


async def test_what_was_answered_survives_kill_9_at_any_moment_and_nothing_is_there_twice(tmp_path: Path) -> None:
    """Each webhook and ack with a 2xx is in the journal, once; and the state is that of an uninterrupted fold."""
    load, audited = await campaign(tmp_path, rounds=6, seed=20)
    assert len(load.kept) > 20, "the load was no load"
    assert audited.found.records > len(load.kept)
