"""A chain of hashes over decisions, operator actions and policies: it proves that the record was not altered.

The problem: anyone with write access to the journal's file can alter a decision in it, or remove the last ones, and
nothing else in the file would show it.

What we do: every decision, operator action and policy is a link. The head after it is the SHA-256 of the head before
it, the record's place and stamp, and its stored bytes. A head that was noted outside the journal proves later that
everything up to it is unchanged.
"""

import hashlib

import msgspec

from sidecar.core.facts.observations import Chained, Observation, Record

_BEFORE_ALL = bytes(32)
_KINDS = frozenset(Chained.__args__)
_encode = msgspec.json.Encoder().encode


def is_chained(observation: Observation) -> bool:
    """Return whether an observation is a link of the chain."""
    return type(observation) in _KINDS


def link(head: str, record: Record) -> str:
    """Return the head after this record, given that before it, in hex; an empty head: it is the first link."""
    body = record.kept if record.kept is not None else _encode(record.observation)
    return link_of(head, seq=record.seq, at_ms=record.at_ms, body=body)


def link_of(head: str, *, seq: int, at_ms: int, body: bytes) -> str:
    """Return the same for a stored record."""
    before = bytes.fromhex(head) if head else _BEFORE_ALL
    place = seq.to_bytes(8, "big", signed=True) + at_ms.to_bytes(8, "big", signed=True)
    return hashlib.sha256(before + place + body).hexdigest()
