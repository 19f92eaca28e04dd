"""What an ack may say, whichever way it comes: as JSON to `POST /acks`, or as the fields of a stream's entry."""

import re
from typing import Annotated

import msgspec

from sidecar.core.observations import AckSeen, SkipReason
from sidecar.core.policy import Stage
from sidecar.ports import ErrorCode, SidecarError
from sidecar.tokens import user_ref

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[\x21-\x7e]+\Z")]
_ACK_ID = re.compile(r"[\x20-\x7e]{1,200}")


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ack on the wire."""

    stage: Stage
    payment_intent: _Name | None = None
    user_id: _Name | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    user_ref: _Name | None = None
    contexts: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=20)] = ()
    reason: SkipReason | None = None
    release: _Name | None = None


def fact_of(ack: Ack, *, identity_key: str | None, ack_id: str | None) -> AckSeen:
    """Return what was seen; `ack_id` is the sender's key for one that names no payment.

    Raises `SidecarError` with `body_invalid` for an ack that makes no sense.
    """
    reference = ack.user_ref
    if ack.user_id is not None:
        if identity_key is None:
            raise invalid("`user_id` needs SIDECAR_IDENTITY_KEY to be set here; or send an opaque `user_ref`")
        reference = user_ref(identity_key, str(ack.user_id))
    if ack.payment_intent is None and (reference is None or ack.stage is Stage.SKIPPED):
        raise invalid("name the payment: `payment_intent`; where nobody knows it, `user_id` or `user_ref`")
    if (ack.reason is None) == (ack.stage is Stage.SKIPPED):
        raise invalid("`reason` goes with stage `skipped`, and only with it: already_paid, no_booking or failed")
    return AckSeen(
        source="backend",
        stage=ack.stage,
        payment_intent=ack.payment_intent,
        user_ref=reference,
        contexts=ack.contexts,
        reason=ack.reason,
        release=ack.release,
        ack_id=ack_id if ack.payment_intent is None else None,
    )


def checked_ack_id(text: str | None, name: str) -> str | None:
    """Return the sender's key for an ack, which `name` names; None: there is none, or it is empty.

    Raises `SidecarError` with `body_invalid` for one that cannot be.
    """
    if text and not _ACK_ID.fullmatch(text):
        raise invalid(f"the {name} is not of 1 to 200 printable ASCII characters")
    return text or None


def invalid(message: str) -> SidecarError:
    """Return the refusal of an ack."""
    return SidecarError(ErrorCode.BODY_INVALID, message)


def why(error: Exception) -> str:
    """Say where an ack is wrong without repeating what was sent."""
    if isinstance(error, msgspec.ValidationError):
        where = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the body"
        return (
            f"wrong or unknown: {where}; an ack is a JSON object with stage (paid, dispatched, delivered, refreshed, "
            "skipped), payment_intent or user_id or user_ref, and optionally contexts, reason, release"
        )
    return "the body is not JSON in UTF-8"
