"""Is the record of who decided what still the one that was written? A chain of hashes over it says so.

The problem: whoever can write the journal's file can alter a decision in it, or leave out the last ones, and nothing
else in it would tell.

What we do: every decision, every action of a person and every policy is a link. The head after it is the SHA-256 of the
head before it, the record's place and stamp, and its bytes as they are kept. So whoever noted a head outside the
journal can tell later whether all up to it is as it was.
"""

import hashlib

import msgspec

from sidecar.core.facts.observations import Chained, Observation, Record

_BEFORE_ALL = bytes(32)
_KINDS = frozenset(Chained.__args__)
_encode = msgspec.json.Encoder().encode


def is_chained(observation: Observation) -> bool:
    """Say whether an observation is a link of the chain."""
    return type(observation) in _KINDS


def link(head: str, record: Record) -> str:
    """Return the head after this record, given that before it, in hex; an empty head: it is the first link."""
    body = record.kept if record.kept is not None else _encode(record.observation)
    return link_of(head, seq=record.seq, at_ms=record.at_ms, body=body)


def link_of(head: str, *, seq: int, at_ms: int, body: bytes) -> str:
    """Return the same, of a record as it is kept."""
    before = bytes.fromhex(head) if head else _BEFORE_ALL
    place = seq.to_bytes(8, "big", signed=True) + at_ms.to_bytes(8, "big", signed=True)
    return hashlib.sha256(before + place + body).hexdigest()
