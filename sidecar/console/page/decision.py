"""The page of one decision, operator action or policy, with its evidence."""

import msgspec

from sidecar.console import labels
from sidecar.console.decisions import Detail
from sidecar.console.explanation import Explanation
from sidecar.console.page.log import LogLine, entry_line
from sidecar.console.page.section import Fact
from sidecar.core.facts.gate_readings import GateReading
from sidecar.core.facts.policy import Policy


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """The page of one decision."""

    line: LogLine
    points: tuple[str, ...]
    gates: tuple[GateReading, ...]
    """The gates when a climb was decided."""
    facts: tuple[Fact, ...]
    policy: tuple[Fact, ...]
    """The policy in force, key by key; empty: unknown."""


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
        gates=entry.gates,
        facts=tuple(Fact(name=name, value=value) for name, value in facts.items() if value),
        policy=tuple(_keys(detail.policy)) if detail.policy is not None else (),
    )


def _known(number: int | None) -> str:
    return "" if number is None else labels.count(number)


def _keys(policy: Policy) -> list[Fact]:
    """Return the keys of a policy as recorded: nothing is rounded or left out."""
    keys = []
    for name, value in msgspec.to_builtins(policy).items():
        if name == "ladder":
            rungs = [f"{number}: {labels.rung(rung)}" for number, rung in enumerate(policy.ladder)]
            keys.append(Fact(name=name, value="; ".join(rungs)))
        else:
            keys.append(Fact(name=name, value=value if isinstance(value, str) else msgspec.json.encode(value).decode()))
    return keys
