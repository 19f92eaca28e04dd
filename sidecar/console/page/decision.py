"""One decision, action or policy, with everything that it was based on."""

import msgspec

from sidecar.console import labels as words
from sidecar.console.decisions import Detail
from sidecar.console.explanation import Explanation
from sidecar.console.page.front import Fact
from sidecar.console.page.log import Line, entry_line
from sidecar.core.facts.policy import Policy
from sidecar.wording import label_of


class GateThen(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate said when the climb was decided."""

    name: str
    label: str
    value: str
    target: str
    passes: bool


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the policy."""

    name: str
    value: str


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """The page of one decision."""

    line: Line
    points: tuple[str, ...]
    gates: tuple[GateThen, ...]
    facts: tuple[Fact, ...]
    policy: tuple[Key, ...]
    """The rules that it was taken by; empty: nobody can say any more."""


def view_of(detail: Detail, explanation: Explanation, now_ms: int) -> DecisionView:
    """Return the page."""
    entry = detail.entry
    facts = {
        "record": str(entry.seq),
        "replica": entry.who if entry.gates or entry.cause else "",
        "version of the flag": _known(entry.version),
        "version of its guards": _known(entry.guard_version),
        "epoch": _known(entry.epoch),
        "policy": entry.policy_hash or "",
        "head of the chain after it": entry.head,
    }
    return DecisionView(
        line=entry_line(entry, now_ms),
        points=tuple(point.text for point in explanation.points if point.key not in {"head", "policy"}),
        gates=tuple(
            GateThen(
                name=gate.name, label=label_of(gate.name), value=gate.value, target=gate.target, passes=gate.passes
            )
            for gate in entry.gates
        ),
        facts=tuple(Fact(name=name, value=value) for name, value in facts.items() if value),
        policy=tuple(_keys(detail.policy)) if detail.policy is not None else (),
    )


def _known(number: int | None) -> str:
    return "" if number is None else words.count(number)


def _keys(policy: Policy) -> list[Key]:
    """Return the keys of a policy as they stand in the record: nothing is rounded or left out."""
    keys = []
    for name, value in msgspec.to_builtins(policy).items():
        if name == "ladder":
            rungs = [f"{number}: {words.rung(rung)}" for number, rung in enumerate(policy.ladder)]
            keys.append(Key(name=name, value="; ".join(rungs)))
        else:
            keys.append(Key(name=name, value=value if isinstance(value, str) else msgspec.json.encode(value).decode()))
    return keys
