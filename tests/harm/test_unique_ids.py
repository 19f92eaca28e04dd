"""A small soak of ids that nobody saw before; `make ids` takes a million for each endpoint."""

from pathlib import Path

from tests.harm.unique_ids import ENDPOINTS, faults, soak


async def test_ids_that_nobody_saw_before_make_no_series_and_use_up_no_memory(tmp_path: Path) -> None:
    """Payments, users, keys, addresses, releases, flags, paths and tokens of every endpoint."""
    found, changed = await soak(tmp_path, 200, list(ENDPOINTS))
    assert faults(found, changed) == []
