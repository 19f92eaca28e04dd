"""Decode an entry of the ack stream to an observation, or to the reason why it is not an ack."""

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from sidecar.config import DEFAULT_CHANNEL
from sidecar.core.facts.observations import UNREADABLE, AckReceived, UserAuthReported
from sidecar.probes.ack_facts import (
    ACK_FORMAT,
    Ack,
    AuthReport,
    checked_ack_id,
    fact_of,
    fact_of_report,
    invalid,
    unreadable,
)

ENTRY_BYTES_MAX = 16 * 1024
_REJECTED_FIELDS_MAX, _REJECTED_NAME_MAX, _REJECTED_VALUE_MAX = 20, 64, 256

Entry = tuple[bytes, Mapping[bytes, bytes]]
"""Its id and fields; an entry without fields was removed after delivery."""


class StreamResult(enum.StrEnum):
    """The result of an entry."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    KEY_REUSED = "key_reused"
    """Another ack has the same idempotency key; it was dropped."""
    REJECTED = "rejected"
    """It is not an ack; it was stored in `<name>-rejected`, with the reason."""
    LOST = "lost"
    """It was removed before it was read, or cannot be read."""
    RECLAIMED = "reclaimed"
    """It was claimed from a consumer that is gone; it is counted again by its final result."""


def fact_of_entry(
    entry_id: bytes, fields: Mapping[bytes, bytes], *, identity_key: str | None, channel: str = DEFAULT_CHANNEL
) -> AckReceived | UserAuthReported:
    """Return the observation of an entry. Raises `SidecarError` if it is not an ack.

    An entry without a payment is identified by the sender's `ack_id`; without one, by its own id.
    """
    if sum(len(key) + len(value) for key, value in fields.items()) > ENTRY_BYTES_MAX:
        raise invalid(f"the entry is larger than {ENTRY_BYTES_MAX} bytes")
    try:
        texts: dict[str, Any] = {key.decode(): value.decode() for key, value in fields.items()}
        ack_id = texts.pop("ack_id", None)
        if "contexts" in texts:
            texts["contexts"] = _list_of(texts["contexts"])
        if "auth" in texts:
            report = msgspec.convert(texts, AuthReport)
            return fact_of_report(report, identity_key=identity_key, channel=channel)
        ack = msgspec.convert(texts, Ack)
    except UNREADABLE as error:
        raise unreadable(error, ACK_FORMAT) from error
    sent_id = checked_ack_id(ack_id, "ack_id")
    return fact_of(ack, identity_key=identity_key, ack_id=sent_id or f"stream:{entry_id.decode()}")


def rejected_entry(entry_id: bytes, fields: Mapping[bytes, bytes], reason: str) -> dict[bytes, bytes]:
    """Return the bounded excerpt of an invalid entry that is stored for inspection."""
    kept = list(fields.items())[:_REJECTED_FIELDS_MAX]
    cut = {b"field:" + key[:_REJECTED_NAME_MAX]: value[:_REJECTED_VALUE_MAX] for key, value in kept}
    return {b"entry": entry_id, b"why": reason.encode(), **cut}


def entries_of(answer: Any) -> list[Entry]:
    """Return the entries of the one stream that was read. RESP3 returns a mapping where RESP2 returns pairs."""
    if not answer:
        return []
    lists = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer]
    flat: list[Entry] = []
    for entries in lists:
        nested = entries[0] if entries and isinstance(entries[0], list) else entries
        flat.extend((entry_id, fields or {}) for entry_id, fields in nested)
    return flat


def _list_of(text: str) -> list[Any]:
    if text.startswith("["):
        return msgspec.json.decode(text, type=list[str])
    return [word.strip() for word in text.split(",") if word.strip()]
