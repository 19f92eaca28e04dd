"""The gates of the next rung: one row per condition, with value, target, whether it passes, and what is missing."""

from collections.abc import Iterator, Sequence

from sidecar.core.decision.gate import Gate, GateRow, duration
from sidecar.core.decision.gate_rows import GATES
from sidecar.core.facts.policy import Lifecycle
from sidecar.core.fold.state import State

__all__ = ["GATES", "Gate", "GateRow", "duration", "first_closed", "gates"]


def gates(state: State, rows: Sequence[GateRow] = GATES) -> tuple[Gate, ...]:
    """Return the gates of the next rung; none at the top and before the first policy."""
    return tuple(_readings(state, rows))


def first_closed(state: State, rows: Sequence[GateRow] = GATES) -> Gate | None:
    """Return the first gate of the next rung that does not pass; None: all pass."""
    return next((gate for gate in _readings(state, rows) if not gate.passes), None)


def _readings(state: State, rows: Sequence[GateRow]) -> Iterator[Gate]:
    policy, rung = state.policy, state.next_rung
    if policy is None or rung is None:
        return
    is_off = policy.lifecycle is Lifecycle.REMOVED
    for row in rows:
        if is_off and not row.is_for_return:
            continue
        gate = row.read(state, policy, rung)
        if gate is not None:
            yield gate
