"""By what is a second report of the same fact recognised? Idempotence is a property of the fact, not of its source."""

from sidecar.core.facts.observations import (
    AckReceived,
    BrowserReported,
    Checkpoint,
    Climbed,
    EpochRenewed,
    Fell,
    NotificationClaimed,
    Observation,
    PaymentIgnored,
    PaymentSucceeded,
    PolicyAdopted,
)
from sidecar.core.facts.operator_actions import OverrideCleared, Resumed, Thawed

CHECKPOINT_KEYS = "checkpoint:"
"""How the keys of all checkpoints begin, and no others."""


def identity(observation: Observation) -> str | None:  # noqa: C901, PLR0912 - a table
    """Return the key under which the same fact, reported again, is the same record; None: every report is a new fact.

    A payment is its PaymentIntent and not its event, because Stripe may make two Event objects for one fact.
    """
    match observation:
        case PaymentSucceeded():
            return f"payment_succeeded:{observation.payment_intent}"
        case PaymentIgnored():
            return f"payment_ignored:{observation.reason}:{observation.payment_intent}"
        case AckReceived(payment_intent=str(payment_intent)):
            contexts = " ".join(sorted(observation.contexts))  # no name has a space
            said = f"{observation.stage}:{observation.reason or ''}:{contexts}"
            return f"ack:{observation.source}:{said}:{payment_intent}"
        case AckReceived(ack_id=str(ack_id)):
            return f"ack_by_user:{observation.source}:{observation.stage}:{observation.user_ref}:{ack_id}"
        case BrowserReported():
            return f"browser_reported:{observation.payment_intent}:{observation.user_ref}"
        case PolicyAdopted():
            return f"policy_adopted:{observation.adoption}"
        case Climbed():
            return f"climbed:{observation.version}:{observation.guard_version}"
        case Fell():
            return f"fell:{observation.version}"
        case EpochRenewed():
            return f"epoch_renewed:{observation.indicator}:{observation.epoch}:{observation.guard_version}"
        case NotificationClaimed():
            return f"notice_claimed:{observation.event}:{observation.target}"
        case Resumed(hold=int(hold)):
            return f"resumed:{hold}"
        case Thawed(freeze=int(freeze)):
            return f"thawed:{freeze}"
        case OverrideCleared():
            return f"override_cleared:{observation.override}"
        case Checkpoint():
            upgrade = f":{observation.fold_version}" if observation.upgraded_from else ""
            return f"{CHECKPOINT_KEYS}{observation.day}{upgrade}"
        case _:
            return None
