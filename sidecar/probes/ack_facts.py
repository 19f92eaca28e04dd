"""The fields of an ack and of an auth report, whatever the transport: JSON to `POST /acks`, or a stream entry."""

import re
from typing import Annotated

import msgspec

from sidecar.config import DEFAULT_CHANNEL
from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.observations import (
    BACKEND,
    AckReceived,
    Observation,
    SkipReason,
    UserAuthReported,
)
from sidecar.core.facts.policy import Stage
from sidecar.ports import ErrorCode, SidecarError
from sidecar.tokens import user_ref

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[\x21-\x7e]+\Z")]
"""A name in a request: printable ASCII without spaces, of a bounded length."""
_ACK_ID = re.compile(r"[\x20-\x7e]{1,200}")


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ack on the wire."""

    stage: Stage
    payment_intent: Name | None = None
    user_id: Name | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    user_ref: Name | None = None
    contexts: Annotated[tuple[Name, ...], msgspec.Meta(max_length=20)] = ()
    reason: SkipReason | None = None
    release: Name | None = None


def fact_of(ack: Ack, *, identity_key: str | None, ack_id: str | None) -> AckReceived:
    """Return the observation; `ack_id` is the sender's key for an ack that names no payment.

    Raises `SidecarError` with `body_invalid` for an invalid ack.
    """
    reference = _reference(ack, identity_key)
    if ack.payment_intent is None and (reference is None or ack.stage is Stage.SKIPPED):
        raise invalid("the ack names no payment; send `payment_intent`, or `user_id` or `user_ref` if it is unknown")
    if (ack.reason is None) == (ack.stage is Stage.SKIPPED):
        raise invalid(
            "`reason` is required for stage `skipped` and not allowed for others: already_paid, no_booking or failed"
        )
    return AckReceived(
        source=BACKEND,
        stage=ack.stage,
        payment_intent=ack.payment_intent,
        user_ref=reference,
        contexts=ack.contexts,
        reason=ack.reason,
        release=ack.release,
        ack_id=ack_id if ack.payment_intent is None else None,
    )


class AuthReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wire format of the backend's answer to a channel authorisation."""

    auth: UserAuth
    channel: Name | None = None
    user_id: Name | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    user_ref: Name | None = None
    release: Name | None = None


def fact_of_report(report: AuthReport, *, identity_key: str | None, channel: str = DEFAULT_CHANNEL) -> UserAuthReported:
    """Return the observation, with the user whose vote it is; `channel` is the name pattern of a user's own channel.

    A guest has no user: the vote is that of the user named in the channel. A refused request for another user's channel
    is correct, and nobody's vote. Raises `SidecarError` with `body_invalid` for an invalid report.
    """
    reference = _reference(report, identity_key)
    if reference is None and report.channel is None:
        raise invalid("the report names no user; send the requested `channel`, or `user_id` or `user_ref`")
    owner = user_of(channel, report.channel or "")
    owner_ref = user_ref(identity_key, owner) if owner is not None and identity_key is not None else None
    if reference is None or report.auth is UserAuth.GUEST:
        reference = owner_ref or reference
    elif owner_ref is not None and owner_ref != reference:
        reference = None
    return UserAuthReported(result=report.auth, user_ref=reference)


def _reference(sent: Ack | AuthReport, identity_key: str | None) -> str | None:
    if sent.user_id is None:
        return sent.user_ref
    if identity_key is None:
        raise invalid("`user_id` needs SIDECAR_IDENTITY_KEY to be set in the sidecar; or send an opaque `user_ref`")
    return user_ref(identity_key, str(sent.user_id))


def user_of(template: str, channel: str) -> str | None:
    """Return the user in a channel's name, by the name pattern; None if it does not match."""
    before, _, after = template.partition("{user_id}")
    if not channel.startswith(before) or not channel.endswith(after):
        return None
    return channel[len(before) : len(channel) - len(after)] or None


def checked_ack_id(text: str | None, name: str) -> str | None:
    """Return the sender's key for an ack, from the field `name`; None if it is missing or empty.

    Raises `SidecarError` with `body_invalid` for an invalid one.
    """
    if text and not _ACK_ID.fullmatch(text):
        raise invalid(f"{name} is not 1 to 200 printable ASCII characters")
    return text or None


def invalid(message: str) -> SidecarError:
    """Return the refusal of an ack."""
    return SidecarError(ErrorCode.BODY_INVALID, message)


ACK_FORMAT = (
    "an ack is a JSON object with stage (paid, dispatched, delivered, refreshed, skipped), payment_intent or user_id "
    "or user_ref, and optionally contexts, reason, release; an auth report has auth (ok, guest, no_pattern, refused, "
    "binding, abort), and channel, user_id or user_ref"
)


def unreadable(error: Exception, allowed: str) -> SidecarError:
    """Return the refusal of a body that cannot be decoded: where it is wrong, without its content, and the format."""
    if not isinstance(error, msgspec.ValidationError):
        return invalid("the body is not JSON in UTF-8")
    where = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the body"
    return invalid(f"missing, wrong or unknown: {where}; {allowed}")


def is_other(fact: AckReceived | UserAuthReported, known: Observation) -> bool:
    """Return whether two acks with the same identity say different things: the sender used an idempotency key twice."""
    return not isinstance(known, AckReceived) or not isinstance(fact, AckReceived) or _said(fact) != _said(known)


def _said(ack: AckReceived) -> tuple[object, ...]:
    return ack.stage, ack.payment_intent, ack.user_ref, sorted(ack.contexts), ack.reason
