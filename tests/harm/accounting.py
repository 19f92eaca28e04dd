"""Compare a journal after faults with the answers that were sent."""

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path

import msgspec

from sidecar.core.facts.observations import AckReceived, Observation, PaymentSucceeded
from sidecar.journal.sqlite.verification import Inspection, inspect
from tests.harm.load import Load

_decode = msgspec.json.Decoder[Observation](Observation).decode


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison."""

    found: Inspection
    lost: tuple[str, ...]
    """Webhooks with a 2xx that are not in the journal."""
    twice: tuple[str, ...]
    """Payments that are in the journal more than once."""
    lost_acks: tuple[str, ...]


def audit(journal: Path, load: Load) -> Audit:
    """Compare the journal with the load's counts, and verify its pages, records and snapshots."""
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as file:
        facts = [_decode(body) for (body,) in file.execute("SELECT body FROM observations")]
    payments = Counter(fact.payment_intent for fact in facts if isinstance(fact, PaymentSucceeded))
    acks = {fact.payment_intent for fact in facts if isinstance(fact, AckReceived)}
    return Audit(
        found=inspect(journal),
        lost=tuple(sorted(load.kept - set(payments))),
        twice=tuple(name for name, count in payments.items() if count > 1),
        lost_acks=tuple(sorted(load.acked - acks)),
    )


def assert_sound(journal: Path, load: Load) -> Audit:
    """Assert that no answered event is lost or doubled, and that the file and its snapshots are intact."""
    audited = audit(journal, load)
    assert (audited.lost, audited.twice, audited.lost_acks) == ((), (), ())
    assert audited.found.defects == ()
    return audited
