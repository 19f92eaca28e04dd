"""The scenarios are played once, together, before the first test that asks for a result."""

import pytest

from tests.payers.sharing import played_once
from tests.payers.stage import Result


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Result]:
    """Return the result of every scenario, by its key."""
    own = tmp_path_factory.getbasetemp()
    return played_once(own if worker_id == "master" else own.parent)
