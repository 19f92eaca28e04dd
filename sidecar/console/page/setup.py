"""What is not set up yet, each with the command that helps. Read from what the journal contains: nothing is assumed."""

import msgspec

from sidecar.core.facts.policy import Policy
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import REACH, USER_AUTH


class SetupStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is missing."""

    name: str
    text: str
    """What is missing and what to do, as sentences."""
    command: str
    """What does, shows or tests it."""


def missing(state: State) -> tuple[SetupStep, ...]:
    """Return what is not set up yet, in the order in which to do it; empty: nothing."""
    policy = state.policy
    assert policy is not None  # noqa: S101 - without one there is no page
    return tuple(
        step for step in (_webhooks(state), _acks(state, policy), *_reverb(state, policy), _dry_run(policy)) if step
    )


def _webhooks(state: State) -> SetupStep | None:
    if state.webhooks.count:
        return None
    text = "No webhook has come yet. In Stripe, send `payment_intent.succeeded` to `/stripe/webhook`."
    return SetupStep(
        name="Stripe's webhooks", text=f"{text} To test it without Stripe:", command="sidecar test-payment"
    )


def _acks(state: State, policy: Policy) -> SetupStep | None:
    if state.wired_ms is not None:
        return None
    text = f"No ack of stage `{policy.stage}` has matched a payment, so none can be judged. To test the app's own acks:"
    return SetupStep(name="Acks of broadcasts", text=text, command="sidecar test-payment --wait")


def _reverb(state: State, policy: Policy) -> list[SetupStep | None]:
    if policy.reverb is None:
        text = "Reverb is not probed: the configuration has no section `reverb`. To see what a browser would meet:"
        return [SetupStep(name="Probes of Reverb", text=text, command="sidecar doctor")]
    answered = [
        SetupStep(
            name="Channel authorisations",
            text="The backend has reported no answer to a payer's channel request. To check this machine:",
            command="sidecar check --here",
        )
        if not (state.tally.user_auths or _has_votes(state, USER_AUTH))
        else None
    ]
    return [*answered, _reports(state, policy)]


def _reports(state: State, policy: Policy) -> SetupStep | None:
    if state.tally.reports or policy.reach_not_required or _has_votes(state, REACH):
        return None
    text = "No payer's browser has reported, and `push_only` needs that. To see whether browsers may report:"
    return SetupStep(name="Reports of browsers", text=text, command="sidecar check --here")


def _has_votes(state: State, name: str) -> bool:
    return bool(state.indicators[name].good_total or state.indicators[name].bad_total)


def _dry_run(policy: Policy) -> SetupStep | None:
    if not policy.dry_run:
        return None
    text = (
        "This is a dry run: nobody is served push. Set `policy.dry_run: false` when the figures convince, and restart:"
    )
    return SetupStep(name="Dry run", text=text, command="sidecar run")
