"""What the fold gave yesterday it gives today, or its version went up; and what was kept by any version can be read."""

import json
from typing import get_args

import msgspec
import pytest

from sidecar.core.facts.observations import Checkpoint, Observation
from sidecar.core.facts.outcomes import ReportOutcome
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.checkpoints import restored
from sidecar.core.fold.state import FOLD_VERSION, encode
from tests.core.golden import DIGESTS, LIVES, PAYERS, SCHEMA, TESTER, checkpoint_path, digest, folded, golden, schema

_FIRST = 2
"""The first fold version that had checkpoints."""


def test_the_same_journal_gives_the_same_state_or_the_fold_version_went_up() -> None:
    """Snapshots of the old meaning must not be taken for the new one."""
    known = json.loads(DIGESTS.read_text())
    assert known.get(str(FOLD_VERSION)) == digest(), (
        "the fold gives another state: raise FOLD_VERSION in core/fold/state.py, then run: python -m tests.core.golden"
    )


@pytest.mark.parametrize("version", range(_FIRST, FOLD_VERSION + 1))
def test_a_checkpoint_of_every_version_is_read(version: int) -> None:
    """Records before it may be gone: there is no other way back."""
    checkpoint = msgspec.json.decode(checkpoint_path(version).read_bytes(), type=Checkpoint)
    assert checkpoint.fold_version == version
    state = restored(checkpoint)
    assert (state.fold_version, state.seq) == (FOLD_VERSION, checkpoint.folded_seq)
    assert state.policy is not None


def test_a_checkpoint_of_an_older_version_gets_what_was_added_since_by_default() -> None:
    """A field is only ever added with a default, or an upgrade says what it was."""
    checkpoint = msgspec.json.decode(checkpoint_path(FOLD_VERSION).read_bytes(), type=Checkpoint)
    content = msgspec.json.decode(checkpoint.state)
    del content["checkpointed_ms"]
    older = msgspec.structs.replace(
        checkpoint, fold_version=FOLD_VERSION - 1, state=msgspec.Raw(msgspec.json.encode(content | {"fold_version": 1}))
    )
    state = restored(older)
    assert (state.fold_version, state.checkpointed_ms) == (FOLD_VERSION, 0)
    assert encode(state) != bytes(checkpoint.state)


def test_a_checkpoint_of_a_later_version_is_refused() -> None:
    """This version cannot know what it means."""
    checkpoint = msgspec.json.decode(checkpoint_path(FOLD_VERSION).read_bytes(), type=Checkpoint)
    with pytest.raises(ValueError, match=f"of fold version {FOLD_VERSION + 1}, and this version reads up to"):
        restored(msgspec.structs.replace(checkpoint, fold_version=FOLD_VERSION + 1))


def test_the_documented_format_is_the_format() -> None:
    """`docs/checkpoint.schema.json` is written from the code."""
    assert SCHEMA.read_bytes() == schema()


def test_what_pins_the_fold_has_every_kind_of_fact_in_it() -> None:
    """A change of what is not in it would not be noticed, and old snapshots be taken for new ones."""
    seen = {type(record.observation).__name__ for kept in LIVES for record in golden(kept)}
    assert {kind.__name__ for kind in get_args(Observation)} == seen
    state = folded(golden(PAYERS))
    assert {*state.tally.reports, *folded(golden(TESTER)).tally.reports} == set(ReportOutcome)
    assert all(indicator.good_total and indicator.bad_total for indicator in state.indicators.values())
    assert [(move.to_rung, move.detail) for move in state.moves[-2:]] == [
        (2, "every gate passes"),
        (0, "alarm of reach"),
    ]
    assert state.tally.suspensions.get(SuspensionReason.REVERB_UNSTABLE, 0) == 1
