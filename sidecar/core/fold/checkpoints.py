"""The complete state as an observation, so that older records can be removed and a full fold is still possible.

The problem: a fold from the beginning needs every record, and payments are stored for 35 days.

What we do: the state is appended to the journal once a day. A full fold starts from the oldest remaining checkpoint.
The format outlives the code that wrote it: a field is only ever added, with a default, or `_UPGRADES` converts it.

Other rules would conclude something else from the same records: a climb that was decided under the old ones would count
as stale, and the flag be back on the bottom rung. So what an older version concluded stands. The new version continues
from its state, records that in a checkpoint of its own, and a full fold starts there.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from sidecar.core.facts.observations import Checkpoint
from sidecar.core.fold.checkpoint_names import with_current_names
from sidecar.core.fold.checkpoint_rules import with_current_rules
from sidecar.core.fold.state import FOLD_VERSION, State, decode, encode
from sidecar.core.statistics.indicators import INDICATORS

EVERY_MS = 24 * 3_600_000


def _with_all_indicators(content: dict[str, Any]) -> dict[str, Any]:
    """Version 3 judges Reverb too: its indicators begin with nothing, in their place."""
    kept = content["streams"]
    return {**content, "streams": {row.name: kept.get(row.name, {}) for row in INDICATORS}}


_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    2: _with_all_indicators,
    5: with_current_names,
    6: with_current_rules,
}
"""Fold version → what makes of its state, as JSON, that of the next version; where it is missing, defaults suffice."""


def is_due(state: State) -> bool:
    """Return whether the last checkpoint is a day old, or of other rules. Before the first policy none is worth it."""
    is_old = state.now_ms - state.checkpointed_ms >= EVERY_MS or state.upgraded_from != 0
    return state.policy is not None and is_old


def checkpoint_of(state: State, replica: str) -> Checkpoint:
    """Return the checkpoint of this state."""
    return Checkpoint(
        replica=replica,
        fold_version=FOLD_VERSION,
        folded_seq=state.seq,
        day=state.now_ms // EVERY_MS,
        upgraded_from=state.upgraded_from or None,
        state=msgspec.Raw(encode(msgspec.structs.replace(state, upgraded_from=0))),
    )


def restored(checkpoint: Checkpoint) -> State:
    """Return the state of a checkpoint, converted to this fold version. Raises like `upgraded`."""
    return upgraded(bytes(checkpoint.state), checkpoint.fold_version)


def upgraded(body: bytes, version: int) -> State:
    """Return an encoded state of a fold version, converted to this one.

    Raises `msgspec.DecodeError` if it is damaged, and `ValueError` if a later fold version wrote it.
    """
    if version > FOLD_VERSION:
        message = f"it is of fold version {version}, and this version reads up to {FOLD_VERSION}"
        raise ValueError(message)
    if version < FOLD_VERSION:
        content: dict[str, Any] = msgspec.json.decode(body)
        for step in range(version, FOLD_VERSION):
            content = _UPGRADES.get(step, dict)(content)
        body = msgspec.json.encode({**content, "fold_version": FOLD_VERSION, "upgraded_from": version})
    return decode(body)
