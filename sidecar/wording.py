"""What does each name mean to a person? One table per closed set of names: label, description and remedy.

The console, the report, the command line, notifications, dashboards and the demo read these tables, so that a name has
the same words everywhere. The names themselves (`evidence_payments`, `push_only`) stay in the API, in metrics and in
the journal.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from sidecar.core.decision import gate_rows
from sidecar.core.decision.gate import duration
from sidecar.core.facts.observations import IgnoreReason, SkipReason
from sidecar.core.facts.outcomes import Outcome, Unmeasured
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.reports import Verdict
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.serving import Reason
from sidecar.core.statistics.indicators import CHANNEL_AUTH, PAYMENTS, REACH, ROUND_TRIPS, USER_AUTH

WAIT: Final = gate_rows.WAIT
_WIRE_ACKS: Final = (
    "Configure the backend to send acks (clients/laravel), or to broadcast on `reverb.observer_channel` too."
)


_PROPER: Final = ("Reverb", "Stripe")


def _lowered(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"


class Wording(msgspec.Struct, frozen=True):
    """The words for one name."""

    label: str
    """A short name, for a heading, a table row or a legend; of a condition a statement that is true when it passes."""
    description: str
    """What it means, as one or two sentences."""
    remedy: str = ""
    """What to do about it, as a sentence; empty: nothing."""

    @property
    def clause(self) -> str:
        """The description for use after a colon: without a capital and a full stop."""
        text = self.description.removesuffix(".")
        return text if text.startswith(_PROPER) else _lowered(text)


MODES: Final[Mapping[Mode, Wording]] = {
    Mode.TIMER_POLLING: Wording("Timers", "Pages refetch at 0, 2 and 5 s, with or without a push."),
    Mode.PUSH_WITH_SAFETY_NET: Wording(
        "Push with a safety net",
        "Pages refetch at once and on the push, and at 5 s if nothing cleared the alert before.",
    ),
    Mode.PUSH_ONLY: Wording("Push only", "Pages refetch at once and on the push; no timer runs."),
}
"""What the frontend does after a payment."""


def mode_name(mode: Mode) -> str:
    """Return the name of a mode for a legend: `timers`, `push with safety net`."""
    return "timers" if mode is Mode.TIMER_POLLING else mode.value.replace("_", " ")


OUTCOMES: Final[Mapping[Outcome, Wording]] = {
    Outcome.ON_TIME: Wording("On time", "The broadcast reached the deciding stage within `objective.within`."),
    Outcome.LATE: Wording("Late", "The broadcast reached the deciding stage, but too late: a failure."),
    Outcome.MISSED: Wording("Missed", "The broadcast did not reach the deciding stage: a failure."),
    Outcome.UNMEASURED: Wording("Unmeasured", "The payment cannot be judged, so it says nothing about push."),
}
"""How a payment ended."""


_LOG: Final = "Read the sidecar's log for that time; restart or repair what stopped it."
UNMEASURED: Final[Mapping[Unmeasured, Wording]] = {
    Unmeasured.STOPPED: Wording("Sidecar stopped", "The sidecar was not running at that time.", _LOG),
    Unmeasured.CUT_OFF: Wording(
        "Sidecar frozen",
        "The sidecar was running but received nothing: the process was frozen, or its journal did not answer.",
        _LOG,
    ),
    Unmeasured.CLOCK_JUMPED: Wording(
        "Clock changed", "The system clock was changed between the webhook and the deadline.", "Let NTP slew the clock."
    ),
    Unmeasured.ACKS_LOST: Wording(
        "Acks lost",
        "Acks were removed from the Redis stream before the sidecar read them, and one may belong to this payment.",
        "Raise the MAXLEN with which the backend trims the stream.",
    ),
    Unmeasured.NOT_WIRED: Wording(
        "No ack yet",
        "Its deadline passed before an ack of the deciding stage first matched a payment; it does not count towards "
        "coverage.",
        _WIRE_ACKS,
    ),
    Unmeasured.REDELIVERED: Wording(
        "Webhook redelivered",
        "Stripe delivered the webhook late or again, so its arrival time is not a start time.",
        "Answer Stripe's webhooks within its timeout: see the failed deliveries in Stripe's dashboard.",
    ),
    Unmeasured.BACKFILLED: Wording(
        "Webhook missing",
        "The webhook was never delivered; the payment was listed from Stripe's API later.",
        "See the failed deliveries in Stripe's dashboard.",
    ),
    Unmeasured.AMBIGUOUS: Wording(
        "Ambiguous broadcasts",
        "Several broadcasts without a `payment_intent` arrived within one window.",
        "Put `payment_intent` into the broadcast's payload (clients/laravel).",
    ),
    Unmeasured.NOT_WATCHED: Wording(
        "Channel not observed",
        "No observer socket was subscribed at that time, and there is no other source of acks.",
        "Set `reverb.observer_channel`, and see why the observers were not subscribed: sidecar doctor.",
    ),
    Unmeasured.NO_USER: Wording(
        "No user",
        "Neither the broadcast nor the payment names the user.",
        "Put the user's id into the PaymentIntent's metadata, or `payment_intent` into the broadcast.",
    ),
    Unmeasured.READ_LATE: Wording(
        "Webhook read late",
        "The event loop was stalled when the webhook arrived, so the payment would look faster than it was.",
        "Give the sidecar more CPU, and see the metric event_loop_lag_seconds.",
    ),
}
"""Why a payment cannot be judged."""


SUSPENSIONS: Final[Mapping[SuspensionReason, Wording]] = {
    SuspensionReason.REVERB_UNSTABLE: Wording(
        "Reverb is unstable",
        "Reverb is unstable: its probes or payments fail. Push resumes once its probes are clean for a while.",
        "If you are not deploying Reverb: sidecar doctor. The third suspension in 24 hours is a fall, as is one of "
        "over 30 minutes.",
    ),
    SuspensionReason.RECOVERING: Wording(
        "Recovering from a visibility gap",
        "After a visibility gap (a start, a pause, a clock change) the sidecar has not observed long enough without "
        "interruption.",
        WAIT,
    ),
    SuspensionReason.SOURCE_DOWN: Wording(
        "An ack source does not answer",
        "One of the sidecar's sources has not answered for longer than a lease, so payments cannot be judged.",
        "Read the log for the source and its error, and bring the source back.",
    ),
    SuspensionReason.COVERAGE: Wording(
        "Coverage is too low",
        "Too few of the last payments could be judged.",
        "See why payments are unmeasured (`sidecar status`), and remove the cause.",
    ),
    SuspensionReason.PAYER_COVERAGE: Wording(
        "Too few payers answer",
        "Push alone is served, and far fewer payers answer than `policy.payer_coverage` requires: their browsers do "
        "not report, or the backend does not report their channel requests.",
        "See which of the two is silent (`sidecar status`), and why its reports do not arrive (docs/payers.md).",
    ),
    SuspensionReason.UNMEASURED: Wording(
        "Payments in a row unmeasured",
        "Five or more payments in a row could not be judged, and the sidecar is the cause.",
        "Read the log for what the sidecar could not observe; one judged payment ends the suspension.",
    ),
    SuspensionReason.CUT_OFF: Wording(
        "The sidecar's network is down",
        "The sidecar reaches neither Reverb nor the auth endpoint nor the reference target: its own network is down.",
        "Repair the sidecar's network; the suspension ends by itself.",
    ),
    SuspensionReason.PROBES_SILENT: Wording(
        "Probes do not finish",
        "No probe of Reverb has finished for far longer than a probe takes.",
        "Read the log for `probe.failed`; restart the sidecar if its probes are stuck.",
    ),
    SuspensionReason.UNWIRED: Wording(
        "No ack yet",
        "No ack of the deciding stage has matched a payment yet, so push would be served without being measured.",
        _WIRE_ACKS,
    ),
}
"""Why push is suspended: timers are served and the rung is kept."""


REASONS: Final[Mapping[Reason, Wording]] = {
    Reason.CURRENT_RUNG: Wording("Current rung", "The user is served the current rung."),
    Reason.BOTTOM_RUNG: Wording(
        "Bottom rung", "Push is not proven yet, or its proof was lost.", "Look at the gates of the next rung."
    ),
    Reason.OUTSIDE_SHARE: Wording("Outside the share", "The user is outside the current rung's share of users."),
    Reason.NO_TARGETING_KEY: Wording(
        "No targeting key",
        "The current rung is for a share of the users, and the request names no user.",
        "Send a targeting key.",
    ),
    Reason.ALARM: Wording(
        "Alarm",
        "Payments or probes fail more often than reliable push does.",
        "Find and remove the cause (`sidecar doctor`, docs/runbooks); good outcomes end the alarm.",
    ),
    Reason.SUSPENDED: Wording(
        "Suspended", "Push is suspended: timers are served and the rung is kept.", "See the reason of the suspension."
    ),
    Reason.OVERRIDE: Wording(
        "Override",
        "An operator chose this mode for this user, for a test.",
        "To end it: sidecar override --clear USER.",
    ),
    Reason.DRY_RUN: Wording(
        "Dry run",
        "Decisions are made and recorded, and everybody is served timers.",
        "To serve push, set `policy.dry_run: false` and restart.",
    ),
    Reason.STARTING: Wording(
        "Starting",
        "This process has not caught up with its journal.",
        "Wait; if it lasts, read the log for `journal.replaying`.",
    ),
    Reason.NO_LEASE: Wording(
        "No lease",
        "This replica has not recently proven that it can write and read its journal.",
        "Right after a start, wait. Otherwise read the log for `journal.failed`, and check the journal's disk.",
    ),
    Reason.POLICY_DIFFERS: Wording(
        "Policy differs",
        "This replica's configuration is not the policy in force.",
        "Update the file, or adopt its policy: sidecar run --adopt-policy --reason '...'.",
    ),
}
"""Why the flag has the value it has."""


INDICATORS: Final[Mapping[str, Wording]] = {
    PAYMENTS: Wording(
        "Payments on time",
        "Broadcasts of payments arrive late or not at all.",
        "Runbook: ReverbSidecarDeliveryBurning.",
    ),
    ROUND_TRIPS: Wording(
        "Round trips through Reverb",
        "Canary events sent through Reverb do not come back.",
        "Runbook: ReverbSidecarRoundTripsFailing.",
    ),
    CHANNEL_AUTH: Wording(
        "Probe user's channel auth",
        "The probe user cannot subscribe to its channel.",
        "Runbook: ReverbSidecarChannelAuthFailing.",
    ),
    USER_AUTH: Wording(
        "Payers' channel auth",
        "The backend refuses payers their own channels.",
        "Runbook: ReverbSidecarPayersCannotSubscribe.",
    ),
    REACH: Wording(
        "Payers reached",
        "Payers' browsers report that push does not reach them.",
        "Runbook: ReverbSidecarReachDegraded.",
    ),
}
"""The judged series; description and remedy are those of its alarm."""


GATES: Final[Mapping[str, Wording]] = {
    **{row.name: Wording(row.label, row.closes, row.remedy) for row in gate_rows.GATES if row.label},
    **{
        f"evidence_{name}": Wording(
            f"Proven: {_lowered(indicator.label)}",
            "Closes with failures, or with a new epoch.",
            "Wait for outcomes; if there were none yet, configure their source (docs/setup.md).",
        )
        for name, indicator in INDICATORS.items()
    },
}
"""The conditions for climbing to the next rung; the description says what closes a gate that passes."""


def label_of(gate: str) -> str:
    """Return the label of a gate in the journal; of a gate that older versions had, its name."""
    return GATES[gate].label if gate in GATES else gate.replace("_", " ")


CHECKS: Final[Mapping[str, Wording]] = {
    **GATES,
    "environment": Wording("Environment as requested", "The sidecar belongs to the environment that was asked for."),
    "replica": Wording("Replica holds a lease", "The replica that answers has a lease and the policy in force."),
    "dry_run": Wording("Not a dry run", "The policy serves what it decides."),
    "livemode": Wording("Live payments", "The sidecar judges Stripe's live payments."),
    "reports": Wording("Payers' browsers report", "At least one browser reported, or reports are not required."),
    "ladder": Wording("Rung exists", "The ladder has a rung that serves this mode to everybody."),
    "history": Wording("History is long enough", "The history covers the whole period."),
    "now": Wording("Served now", "Everybody is served this mode, or a better one, at this moment."),
    "served": Wording("Served over the period", "Everybody could be served this mode for 99.9 % of the period."),
    "falls": Wording("No fall", "The flag did not fall in the period."),
    "suspensions": Wording("Few suspensions", "Reverb's instability did not suspend push too often."),
    "suspended": Wording("Short suspensions", "Reverb's instability suspended push for at most 1 % of the period."),
    "coverage": Wording("Coverage reached", "Enough of the period's payments could be judged."),
    "payments": Wording("Enough payments", "Enough payments were judged in the period."),
    "since_release": Wording("Payments since the release", "Enough were judged, or no number was asked for."),
}
"""The release checks of `sidecar gate`; the description says what passes."""


ACTIONS: Final[Mapping[str, Wording]] = {
    "hold": Wording("Hold", "The flag does not climb until an operator lifts this hold. Falling stays possible."),
    "resume": Wording("Resume", "Lifts one hold."),
    "approve": Wording("Approve", "Approves the climb to the next rung: once, for 7 days, or until a fall."),
    "rollback": Wording(
        "Roll back",
        "Sends the flag to the bottom rung, and holds it there: timers for everybody, until the hold is lifted.",
    ),
    "reset": Wording(
        "Reset the evidence",
        "Begins a new epoch in every indicator, with less of the false promotion risk left to spend.",
    ),
    "note": Wording("Note", "Adds a note, such as a release of the app, to the record and the plots. Changes nothing."),
    "freeze": Wording(
        "Freeze",
        "Forbids climbing in a window of time, such as a term's start or every weekend. Falling stays possible.",
    ),
    "thaw": Wording("Thaw", "Lifts a freeze."),
    "override": Wording(
        "Override",
        "Serves one user a mode for a test, for a day at most. What stops push for everybody stops it too, and nothing "
        "that this user pays or reports is evidence.",
    ),
    "clear_override": Wording("Clear override", "Ends the override of one user."),
}
"""What an operator can do, by the last part of its address."""


STAGES: Final[Mapping[Stage, Wording]] = {
    Stage.PAID: Wording("Paid", "The booking was committed as paid."),
    Stage.DISPATCHED: Wording("Dispatched", "Reverb's HTTP API accepted the broadcast."),
    Stage.DELIVERED: Wording("Delivered", "A subscribed socket received the broadcast."),
    Stage.REFRESHED: Wording("Refreshed", "A browser refetched and saw the booking paid."),
    Stage.SKIPPED: Wording("Skipped", "The backend did not broadcast."),
}
"""How far a payment's broadcast got."""


IGNORED: Final[Mapping[IgnoreReason, Wording]] = {
    IgnoreReason.OTHER_LIVEMODE: Wording(
        "Other mode", "A payment of Stripe's other mode (`stripe.livemode`): test instead of live, or the reverse."
    ),
    IgnoreReason.MISSING_METADATA: Wording("Metadata missing", "`stripe.required_metadata` is not complete."),
    IgnoreReason.THIN_EVENT: Wording(
        "Thin event",
        "The payment arrived as a thin event, which carries no metadata.",
        "In Stripe, add a snapshot destination for payment_intent.succeeded.",
    ),
    IgnoreReason.OVERRIDE: Wording("Override", "Its payer has an override, or had one in the ten minutes before."),
}
"""Why a succeeded payment is left out."""


SKIPS: Final[Mapping[SkipReason, Wording]] = {
    SkipReason.ALREADY_PAID: Wording("Already paid", "The booking was paid already, so there was nothing to send."),
    SkipReason.NO_BOOKING: Wording("No booking", "No booking belongs to the payment, so there was nothing to send."),
    SkipReason.FAILED: Wording("Broadcast failed", "The backend reported that its broadcast failed."),
}
"""Why the backend did not broadcast."""


VERDICTS: Final[Mapping[Verdict, Wording]] = {
    Verdict.GOOD: Wording("Reached", "The payer's browser reports that push alone would have cleared the alert."),
    Verdict.BAD: Wording("Not reached", "The payer's browser reports that push did not reach it."),
    Verdict.GONE: Wording("Page left", "The payer's page was closed or in the background before push was decided."),
    Verdict.NEVER_PAID: Wording("Never paid", "The payer's browser never saw the booking paid."),
}
"""What a browser's report says of push."""


CLOCK_DIFFERS_FROM_MS = 60_000
"""Difference of the journal's clock and the wall clock from which people are warned."""


def clock_warning(ahead_ms: int) -> str:
    """Return what follows from the journal's clock being ahead of the wall clock, or behind it; empty: nothing."""
    if abs(ahead_ms) < CLOCK_DIFFERS_FROM_MS:
        return ""
    span = duration(abs(ahead_ms))
    if ahead_ms < 0:
        return (
            f"The journal's clock is {span} behind this machine's, which was set forward: freezes begin and end so "
            "much too late, and clients that check `issued_at` may reject push. Restart the sidecar: its clock follows."
        )
    return (
        f"The journal's clock is {span} ahead of this machine's, because the last record is from the future: the clock "
        "was wrong once. All dates here are so much too late, and freezes begin and end so much too early: shift their "
        "times. Leases, deadlines, soak and cool-down are durations, and are right. Each stop of the sidecar makes the "
        "difference smaller by its length."
    )
