"""The fields of an ack, whatever its transport: JSON to `POST /acks`, or fields of a stream entry."""

import re
from typing import Annotated

import msgspec

from sidecar.config import DEFAULT_CHANNEL
from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.observations import BACKEND, AckReceived, SkipReason, UserAuthReported
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
    reference = ack.user_ref
    if ack.user_id is not None:
        if identity_key is None:
            raise invalid("`user_id` needs SIDECAR_IDENTITY_KEY to be set here; or send an opaque `user_ref`")
        reference = user_ref(identity_key, str(ack.user_id))
    if ack.payment_intent is None and (reference is None or ack.stage is Stage.SKIPPED):
        raise invalid("name the payment: `payment_intent`; where it is unknown, `user_id` or `user_ref`")
    if (ack.reason is None) == (ack.stage is Stage.SKIPPED):
        raise invalid("`reason` goes with stage `skipped`, and only with it: already_paid, no_booking or failed")
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
    """Return whose vote a report is; `channel` is the name pattern of a user's own channel.

    A guest has no user: the vote is that of the user named in the channel. A request for another user's channel is
    rightly refused: no vote. Raises `SidecarError` with `body_invalid` for an invalid report.
    """
    reference = report.user_ref
    if report.user_id is not None:
        if identity_key is None:
            raise invalid("`user_id` needs SIDECAR_IDENTITY_KEY to be set here; or send an opaque `user_ref`")
        reference = user_ref(identity_key, str(report.user_id))
    if reference is None and report.channel is None:
        raise invalid("name the `channel` that was asked for, or whose request it was: `user_id` or `user_ref`")
    owner = user_of(channel, report.channel or "")
    owner_ref = user_ref(identity_key, owner) if owner is not None and identity_key is not None else None
    if reference is None or report.auth is UserAuth.GUEST:
        reference = owner_ref or reference
    elif owner_ref is not None and owner_ref != reference:
        reference = None
    return UserAuthReported(result=report.auth, user_ref=reference)


def user_of(template: str, channel: str) -> str | None:
    """Return the user whose own channel this is, by its name pattern; None: no user's."""
    before, _, after = template.partition("{user_id}")
    if not channel.startswith(before) or not channel.endswith(after):
        return None
    return channel[len(before) : len(channel) - len(after)] or None


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
    """Return where an ack is invalid without repeating its content."""
    if isinstance(error, msgspec.ValidationError):
        where = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the body"
        return (
            f"wrong or unknown: {where}; an ack is a JSON object with stage (paid, dispatched, delivered, refreshed, "
            "skipped), payment_intent or user_id or user_ref, and optionally contexts, reason, release; a report of a "
            "channel's auth has auth (ok, guest, no_pattern, refused, binding, abort), and channel, user_id or user_ref"
        )
    return "the body is not JSON in UTF-8"
