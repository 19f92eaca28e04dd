"""The decision log: each decision, operator action and policy with its author and evidence, from the journal."""

import enum
from collections.abc import Sequence
from typing import assert_never

import msgspec

from sidecar.console.adoptions import adoptions
from sidecar.console.overrides import short
from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.gate_readings import GateReading
from sidecar.core.facts.observations import (
    Chained,
    Climbed,
    Decision,
    EpochRenewed,
    FallCause,
    Fell,
    PolicyAdopted,
)
from sidecar.core.facts.operator_actions import (
    Approved,
    EvidenceReset,
    Frozen,
    Held,
    Noted,
    Overridden,
    OverrideCleared,
    Resumed,
    RolledBack,
    Thawed,
)
from sidecar.core.facts.policy import Mode, Policy
from sidecar.core.facts.windows import Once, Replaced, Weekly
from sidecar.core.fold.state import MOVES_MAX, State
from sidecar.ports import ErrorCode, Journal, Link, SidecarError

LIMIT_MAX = 200
POLICIES_MAX = 200
"""How many policies, newest first, are searched for the one in force."""
_BEFORE_MAX = 2**63 - 1
_DIGITS_MAX = 18


def number_of(text: str) -> int | None:
    """Parse the number of a record; None: it is not a number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else None


class Kind(enum.StrEnum):
    """The kind of author."""

    DECISION = "decision"
    """The controller."""
    ACTION = "action"
    """An operator."""
    POLICY = "policy"
    """A policy from a file, adopted by an operator or by a process that started."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision, action or policy. Times are Unix milliseconds on the journal's clock."""

    seq: int
    """Its record in the journal."""
    at_ms: int
    kind: Kind
    what: str
    """`climbed`, `fell`, `epoch_renewed`, `held`, `resumed`, `approved`, `rolled_back`, `evidence_reset`, `noted`,
    `frozen`, `thawed`, `overridden`, `override_cleared` or `policy_adopted`."""
    who: str
    """The operator; of a decision the replica; of a policy who adopted it."""
    reason: str
    """The operator's reason, or the detail of a fall; empty: the gates are the reason."""
    text: str
    """Its effect, as a sentence without a full stop and without the reason."""
    head: str
    """The head of the chain after it, in hex."""
    is_in_force: bool | None = None
    """Of a climb: whether the flag moved; false: it had changed since the decision; None: no longer known. Of a policy:
    false: it was refused."""
    to_rung: int | None = None
    cause: FallCause | None = None
    gates: tuple[GateReading, ...] = ()
    """The gates when the climb was decided."""
    version: int | None = None
    """The version of the flag that it is based on."""
    guard_version: int | None = None
    indicator: str | None = None
    epoch: int | None = None
    """Of an approval that of payments; of a renewal the new one."""
    release: str | None = None
    name: str | None = None
    """The name of a freeze."""
    hold: int | None = None
    """The hold that was lifted, by its id; None: none, or a record of an older version."""
    replaced: Replaced | None = None
    """The freeze that this one replaced; None: none, or a record of an older version."""
    user_ref: str | None = None
    """The user of an override, by the keyed hash of its id."""
    mode: Mode | None = None
    """The mode of an override."""
    override: int | None = None
    """The override that was ended, by its id."""
    window: Once | Weekly | None = None
    expires_ms: int | None = None
    policy_hash: str | None = None
    """The policy in force; of a policy its own; None: none, or no longer known."""


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, action or policy, and the policy in force."""

    entry: Entry
    policy: Policy | None
    """The policy in force; of a policy itself; None: no longer known."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the decisions, actions and policies, newest first."""

    entries: tuple[Entry, ...]
    next_before: int | None
    """`before` for the next page; None: this is the last."""
    head: str
    """The head of the chain now, in hex. `sidecar verify --head HEAD` detects later changes and removals."""


async def page_of(journal: Journal, state: State, *, before: int | None, limit: int) -> Page:
    """Return up to `limit` entries before this record, newest first."""
    start = _BEFORE_MAX if before is None else before
    links = await journal.links(start, min(limit, LIMIT_MAX) + 1)
    shown = links[: min(limit, LIMIT_MAX)]
    policies = await _policies(journal, state, from_seq=shown[-1].record.seq if shown else 0)
    return Page(
        entries=tuple(entry_of(link, state, _in_force(policies, link)) for link in shown),
        next_before=shown[-1].record.seq if len(links) > len(shown) else None,
        head=state.chain,
    )


async def detail_of(journal: Journal, state: State, seq: int) -> Detail:
    """Return one. Raises `SidecarError` with `not_found` for any other record."""
    link = await link_at(journal, seq)
    policies = await _policies(journal, state, from_seq=seq)
    adopted = _in_force(policies, link)
    return Detail(entry=entry_of(link, state, adopted), policy=adopted.policy if adopted else None)


async def link_at(journal: Journal, seq: int) -> Link:
    """Return the link in this record. Raises `SidecarError` with `not_found` if there is none."""
    found = await journal.links(seq + 1, 1) if 0 < seq < _BEFORE_MAX else []
    if not found or found[0].record.seq != seq:
        message = f"record {seq} is not a decision, action or policy; `sidecar explain` and /api/decisions list them"
        raise SidecarError(ErrorCode.NOT_FOUND, message)
    return found[0]


async def _policies(journal: Journal, state: State, *, from_seq: int) -> list[tuple[int, PolicyAdopted]]:
    """Return the policies that may have been in force since this record, with their records, newest first."""
    found: list[tuple[int, PolicyAdopted]] = []
    async for seq, adopted in adoptions(journal, state):
        found.append((seq, adopted))
        if seq <= from_seq or len(found) >= POLICIES_MAX:
            break
    return found


def _in_force(policies: Sequence[tuple[int, PolicyAdopted]], link: Link) -> PolicyAdopted | None:
    return next((adopted for seq, adopted in policies if seq <= link.record.seq), None)


def entry_of(link: Link, state: State, adopted: PolicyAdopted | None) -> Entry:
    """Return a link as an entry; `adopted` is the policy in force."""
    fact = link.record.observation
    assert isinstance(fact, Chained)  # noqa: S101 - a link is one
    entry = _entry(fact, link)
    own_hash = fact.policy_hash if isinstance(fact, PolicyAdopted) else None
    in_force = _moved(link.record.seq, state) if isinstance(fact, Climbed) else None
    if own_hash is not None and own_hash not in state.policies:
        in_force = False
    return msgspec.structs.replace(
        entry, is_in_force=in_force, policy_hash=own_hash or (adopted.policy_hash if adopted else None)
    )


def _moved(seq: int, state: State) -> bool | None:
    """Return whether a climb moved the flag; None: its move is no longer remembered."""
    if any(move.seq == seq for move in state.moves):
        return True
    return False if len(state.moves) < MOVES_MAX or seq > state.moves[0].seq else None


_COPIED = frozenset(
    {
        "cause",
        "epoch",
        "expires_ms",
        "gates",
        "guard_version",
        "hold",
        "indicator",
        "mode",
        "name",
        "override",
        "release",
        "replaced",
        "to_rung",
        "user_ref",
        "version",
        "window",
    }
)
"""Fields that an entry has in common with observations."""


def _entry(fact: Chained, link: Link) -> Entry:
    copied = {name: getattr(fact, name) for name in fact.__struct_fields__ if name in _COPIED}
    if isinstance(fact, Fell | RolledBack):
        copied["to_rung"] = 0
    elif isinstance(fact, Approved):
        copied["to_rung"] = fact.rung
    kind = Kind.DECISION if isinstance(fact, Decision) else Kind.ACTION
    return Entry(
        seq=link.record.seq,
        at_ms=link.record.at_ms,
        kind=Kind.POLICY if isinstance(fact, PolicyAdopted) else kind,
        what=str(fact.__struct_config__.tag),
        who=fact.replica if isinstance(fact, Decision) else fact.actor,
        reason=_reason(fact),
        text=_text(fact),
        head=link.head,
        **copied,
    )


def _reason(fact: Chained) -> str:
    match fact:
        case Climbed() | EpochRenewed():
            return ""
        case Fell():
            return fact.detail
        case Noted():
            return fact.text
        case _:
            return fact.reason


def _text(fact: Chained) -> str:  # noqa: C901, PLR0912 - a table
    match fact:
        case Climbed():
            return f"climbed to rung {fact.to_rung}"
        case Fell():
            return f"fell to the bottom rung: {_FALLS[fact.cause]}"
        case EpochRenewed():
            return f"began epoch {fact.epoch} of {fact.indicator}, which proves sooner than the old one"
        case PolicyAdopted():
            return f"adopted the policy {fact.policy_hash[:12]}"
        case Noted():
            return "added a note" if fact.release is None else f"noted the release {fact.release}"
        case Held():
            return "held the flag: it does not climb until resumed"
        case Resumed():
            return "lifted the hold" if fact.hold is None else f"lifted the hold {fact.hold}"
        case Approved():
            return f"approved the climb to rung {fact.rung} in epoch {fact.epoch}"
        case RolledBack():
            return "rolled back to the bottom rung, and held the flag"
        case EvidenceReset():
            return "began a new epoch in every indicator"
        case Frozen(replaced=Replaced() as replaced):
            old = f"that of {replaced.actor} (record {replaced.id}: {replaced.reason})"
            return f"froze climbing: {fact.name}, in place of {old}"
        case Frozen():
            return f"froze climbing: {fact.name}"
        case Thawed():
            return f"thawed {fact.name}"
        case Overridden():
            return f"chose {fact.mode} for the user {short(fact.user_ref)} until {stamp(fact.expires_ms)}"
        case OverrideCleared():
            return f"ended the override {fact.override}"
        case _:
            assert_never(fact)


_FALLS = {
    FallCause.ALARM: "an alarm",
    FallCause.BLIND: "a visibility gap of over 24 hours",
    FallCause.SUSPENSION: "Reverb unstable for too long or too often",
    FallCause.ROLLBACK: "a rollback",
}
