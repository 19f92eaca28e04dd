"""Estimates: called so, with a range and a basis, and steady while payments come one by one."""

import pytest

from sidecar.core.decision.gate import estimate, likely_ms
from sidecar.core.decision.gates import gates
from tests.core.world import LAX, World

HOUR, MINUTE = 3_600_000, 60_000


@pytest.mark.parametrize(("count", "span_ms", "more"), [(37, 3 * HOUR, 450), (12, HOUR, 20), (400, 72 * HOUR, 87)])
def test_an_estimate_stays_while_three_payments_come_within_a_minute(count: int, span_ms: int, more: int) -> None:
    """An exact time would show another minute with each of them."""
    texts, exact = set(), set()
    for second in range(60):
        come = second // 20
        between_ms = likely_ms(0, more=more - come, count=count + come, span_ms=span_ms + 1000 * second)
        texts.add(estimate(between_ms, 0))
        exact.add((more - come) * (span_ms + 1000 * second) // (count + come - 1) // MINUTE)
    assert len(texts) <= 3, texts
    assert len(texts) < len(exact)


def test_the_truth_is_mostly_within_the_range() -> None:
    """At a steady rate the remaining time is known, and the range has it."""
    for count in (2, 10, 100, 1000):
        early_ms, late_ms = likely_ms(0, more=50, count=count, span_ms=count * MINUTE)
        assert early_ms < 50 * MINUTE < late_ms


def test_the_gate_of_the_proof_has_a_range_and_a_wait_of_known_length_has_none() -> None:
    """A soak ends when it ends."""
    world = World(LAX)
    world.good(3)
    found = {gate.name: gate for gate in gates(world.state)}
    proof, soak = found["evidence_payments"], found["soak"]
    assert proof.expected_ms is not None
    assert proof.expected_between_ms is not None
    assert proof.expected_between_ms[0] < proof.expected_ms < proof.expected_between_ms[1]
    assert soak.expected_between_ms is None
