"""All attacks against one process while genuine webhooks flow. The long version is `make attack`."""

from pathlib import Path

from tests.harm.attack import KINDS, run


async def test_under_every_attack_no_genuine_webhook_is_lost_and_no_forgery_is_taken(tmp_path: Path) -> None:
    """Each kind is tried, webhooks go on during and after it, and no answer names a library or repeats the request."""
    rows = await run(tmp_path, times=2)
    assert [row.name for row in rows] == list(KINDS)
    assert all(row.inputs > 0 and row.genuine >= 5 for row in rows)
    assert sum(row.inputs for row in rows) > 500
