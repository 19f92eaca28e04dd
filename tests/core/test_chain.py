"""The chain of decisions, actions and policies: what is a link of it, and that it is the same for ever."""

import hashlib

import msgspec
import pytest

from sidecar.core.facts.chain import is_chained, link
from sidecar.core.facts.observations import (
    Heartbeat,
    Observation,
    PolicyAdopted,
    Record,
)
from sidecar.core.facts.operator_actions import Held, Noted
from sidecar.core.facts.policy import policy_hash
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State
from tests.core.golden import OLD_JOURNAL, OLD_PAYERS, OLD_PEOPLE, folded, golden
from tests.core.world import POLICY, on

# fmt: off
HEADS = {
    OLD_JOURNAL: "0107763133cb09b74af49ddd98457f18b352f34682b518288203d02f94e1a37a",
    OLD_PAYERS:  "2cbd94951682a43fd09cc89b16ac98c132d59452472cb0dd2461e3c5123754ea",
    OLD_PEOPLE:  "28d85ddc87b985c9e68fbebfb13de30d66dbd06c1ac4961c6df25b5dc89d5755",
}
# fmt: on
"""Of the golden journals. They never change, in no version: people have noted heads like these."""


def test_the_chain_of_a_journal_is_the_same_in_every_version() -> None:
    """A head that was noted outside would prove nothing once a new version computes another."""
    assert {kept: folded(golden(kept)).chain for kept in HEADS} == HEADS


def record(observation: Observation, seq: int = 1, at_ms: int = 1000, kept: bytes | None = None) -> Record:
    """Return a record."""
    return Record(seq=seq, at_ms=at_ms, observation=observation, kept=kept)


HELD = Held(actor="ann", reason="launch")


def test_a_head_is_the_hash_of_the_head_before_the_place_the_stamp_and_the_bytes() -> None:
    """Anybody can compute it without us, from the journal's file alone."""
    body = b'{"type":"held","actor":"ann","reason":"launch"}'
    place = (1).to_bytes(8, "big") + (1000).to_bytes(8, "big")
    first = hashlib.sha256(bytes(32) + place + body).hexdigest()
    assert link("", record(HELD)) == first
    second = hashlib.sha256(bytes.fromhex(first) + (7).to_bytes(8, "big") + (1000).to_bytes(8, "big") + body)
    assert link(first, record(HELD, seq=7)) == second.hexdigest()


# fmt: off
OTHERS = [
    ("another place",  record(HELD, seq=2)),
    ("another time",   record(HELD, at_ms=1001)),
    ("another person", record(Held(actor="bob", reason="launch"))),
    ("another fact",   record(Noted(actor="ann", text="launch"))),
    ("other bytes",    record(HELD, kept=b'{"type":"held", "actor":"ann","reason":"launch"}')),
]
# fmt: on


@pytest.mark.parametrize(("name", "other"), OTHERS)
def test_whatever_is_altered_alters_the_head(name: str, other: Record) -> None:
    """Each row is something that somebody may wish had been otherwise."""
    assert link("", other) != link("", record(HELD)), name


def test_the_bytes_that_were_kept_count_and_not_what_a_later_version_would_write() -> None:
    """A policy of last year has not the keys that were added since; its link must not change with the version."""
    adopted = PolicyAdopted(policy=POLICY, policy_hash=policy_hash(POLICY), adoption=0, actor="ann", reason="new")
    content = msgspec.json.decode(msgspec.json.encode(adopted))
    del content["policy"]["payers_on_rung"]
    kept = msgspec.json.encode(content)
    old = Record(seq=1, at_ms=1000, observation=msgspec.json.decode(kept, type=PolicyAdopted), kept=kept)
    place = (1).to_bytes(8, "big") + (1000).to_bytes(8, "big")
    assert link("", old) == hashlib.sha256(bytes(32) + place + kept).hexdigest()


def test_the_state_has_the_head_after_the_last_link_also_before_the_first_policy() -> None:
    """What people did before the first policy has no effect, and stands in the record all the same."""
    state = State()
    fold(state, record(HELD))
    assert state.chain == link("", record(HELD))
    fold(state, record(Heartbeat(replica="a", beat=1), seq=2))
    fold(state, record(HELD))
    assert state.chain == link("", record(HELD)), "neither a heartbeat nor a record that was folded before is a link"
    fold(state, record(HELD, seq=3))
    assert state.chain == link(link("", record(HELD)), record(HELD, seq=3))


def test_every_decision_act_and_policy_is_a_link_and_nothing_else() -> None:
    """Payments come by the thousand and go after five weeks; who decided what stays."""
    world = on(1)
    world.roll_back()
    kinds = {type(each.observation).__name__ for each in world.records if is_chained(each.observation)}
    assert kinds == {"PolicyAdopted", "Climbed", "RolledBack"}
    head = ""
    for each in world.records:
        head = link(head, each) if is_chained(each.observation) else head
    assert world.state.chain == head
