"""The versions of the flag: who or what made each, and what changed from the one before.

A version is made by each climb and fall, by a rollback that moved the flag, and by each accepted policy. Climbs and
falls record the version that they are based on; the others are numbered between them.
"""

import itertools
from collections.abc import Iterator

import msgspec

from sidecar.console.adoptions import adoptions
from sidecar.console.decisions import Entry, page_of
from sidecar.core.facts.policy import Policy
from sidecar.core.fold.state import Move, State
from sidecar.ports import Journal

VERSIONS_MAX = 50
_READ_MAX = 200
"""Decisions and actions that are read for them."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs from the version before."""

    name: str
    """`rung`, or the key of the policy."""
    before: str
    """Empty: there was nothing, or it is no longer known."""
    after: str


class FlagVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version. Times are Unix milliseconds on the journal's clock."""

    version: int
    at_ms: int
    seq: int
    """The record in the journal that made it."""
    what: str
    """`climbed`, `fell`, `rolled_back` or `policy_adopted`."""
    who: str
    reason: str
    changes: tuple[Change, ...]
    """Empty: nothing that is served or required differs."""


async def versions_of(journal: Journal, state: State, *, limit: int = VERSIONS_MAX) -> tuple[FlagVersion, ...]:
    """Return the last versions, newest first."""
    listed = await page_of(journal, state, before=None, limit=_READ_MAX)
    accepted = [each async for each in adoptions(journal, state)]
    before = {seq: older.policy for (seq, _), (_, older) in itertools.pairwise(accepted)}
    policies = {seq: (fact.policy, before.get(seq)) for seq, fact in accepted}
    moves = {move.seq: move for move in state.moves}
    found, version = [], state.flag.version
    for entry in listed.entries:
        if not _made_one(entry, moves, policies):
            continue
        if entry.version is not None:
            version = entry.version + 1
        changes = (*_move(entry, moves.get(entry.seq)), *_policy(*policies.get(entry.seq, (None, None))))
        found.append(
            FlagVersion(
                version=version,
                at_ms=entry.at_ms,
                seq=entry.seq,
                what=entry.what,
                who=entry.who,
                reason=entry.reason,
                changes=changes,
            )
        )
        version -= 1
    return tuple(found[:limit])


def _made_one(entry: Entry, moves: dict[int, Move], policies: dict[int, tuple[Policy, Policy | None]]) -> bool:
    if entry.what == "policy_adopted":
        return entry.seq in policies
    is_decision = entry.what == "fell" or (entry.what == "climbed" and entry.is_in_force is not False)
    return is_decision or (entry.what == "rolled_back" and entry.seq in moves)


def _move(entry: Entry, move: Move | None) -> Iterator[Change]:
    if move is not None and move.from_rung != move.to_rung:
        yield Change(name="rung", before=str(move.from_rung), after=str(move.to_rung))
    elif move is None and entry.to_rung is not None:
        yield Change(name="rung", before="", after=str(entry.to_rung))


def _policy(after: Policy | None, before: Policy | None) -> Iterator[Change]:
    """Yield the keys that differ; of the first policy all."""
    old = msgspec.to_builtins(before) if before is not None else {}
    new = msgspec.to_builtins(after) if after is not None else {}
    for name, value in new.items():
        if name not in old or old[name] != value:
            yield Change(name=name, before=_text(old.get(name)), after=_text(value))


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
