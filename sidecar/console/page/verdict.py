"""The second answer of the console: may the hand-written timers be removed?

The verdict is that of the release check (`sidecar gate`), asked for the best mode of the ladder over the default
period. Acute problems come before it. The page never says yes where the release check does not.
"""

import msgspec

from sidecar.console import labels
from sidecar.console.labels import Moment, moment
from sidecar.console.page.section import Tone
from sidecar.console.status import Status
from sidecar.core.decision.gates import duration
from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.policy import Lifecycle, Mode, Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.serving import Reason
from sidecar.core.fold.state import State
from sidecar.core.release.checks import Check, Question
from sidecar.core.release.readiness import Answer, Readiness
from sidecar.wording import CHECKS, INDICATORS, MODES, REASONS, SUSPENSIONS

_REASONS_MAX = 5
"""Reasons that are shown at once; all of them are in the list of checks."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict."""

    tone: Tone
    answer: str
    """`Yes`, `Not yet`, `No`, `Cannot know`, `They are gone`."""
    reasons: tuple[str, ...]
    more: int
    """How many reasons are not shown."""
    again: Moment | None
    """The earliest time at which the answer can change; None: unknown, or time alone does not change it."""
    question: str
    command: str
    """The same check for a pipeline."""
    checks: tuple[Check, ...]


def question_of(policy: Policy) -> Question:
    """Return the question for the best mode of the ladder."""
    best = max((rung.mode for rung in policy.ladder), key=lambda mode: mode.rank)
    return Question(mode=Mode.PUSH_ONLY if best is Mode.TIMER_POLLING else best)


def verdict(status: Status, state: State, asked: Readiness) -> Verdict:
    """Return whether the hand-written timers may be removed, and the reasons."""
    unknown, acute = _unknown(status, state), _acute(status, state)
    against = [_sentence(check) for check in asked.against]
    if status.lifecycle is Lifecycle.REMOVED:
        gone = "`lifecycle: removed` is in force: the ladder is off. The fallbacks are the safety net at 5 s and the "
        reasons = [f"{gone}timers of the browser's client.", *unknown, *acute]
        tone, answer = Tone.BAD if unknown or acute else Tone.GOOD, "They are removed"
    elif unknown:
        tone, answer, reasons = Tone.BLIND, "Cannot know", unknown
    elif acute:
        tone, answer, reasons = Tone.BAD, "No", acute
    elif asked.answer is Answer.CANNOT_KNOW:
        unknowable = [check for check in asked.against if check.passes is None]
        against = [*(_sentence(check) for check in unknowable), _climb(status), *against]
        tone, answer, reasons = Tone.BLIND, "Cannot know", list(dict.fromkeys(against))
    elif asked.answer is Answer.NOT_YET:
        tone, answer, reasons = Tone.WAIT, "Not yet", [_climb(status), *against]
    else:
        span = duration(asked.question.for_ms)
        tone, answer = Tone.GOOD, "Yes"
        reasons = [f"All checks pass for the last {span}. See `docs/removal.md` for the next steps."]
    reasons = [each for each in reasons if each]
    is_open = answer in {"Not yet", "No"}
    mode = asked.question.mode
    return Verdict(
        tone=tone,
        answer=answer,
        reasons=tuple(reasons[:_REASONS_MAX]),
        more=max(0, len(reasons) - _REASONS_MAX),
        again=None if asked.again_ms is None or not is_open else moment(asked.again_ms, status.now_ms),
        question=f"{MODES[mode].label} for everybody, over the last {duration(asked.question.for_ms)}",
        command=f"sidecar gate --mode {mode} --for {asked.question.for_ms // 86_400_000}d",
        checks=asked.checks,
    )


def _sentence(check: Check) -> str:
    """Return a check that does not pass as a sentence, with its label."""
    if check.needs:
        return f'"{CHECKS[check.name].label}" does not pass ({check.value}): it needs {check.needs}.'
    return labels.sentence(check.why)


def _climb(status: Status) -> str:
    following = status.rung + 1
    if following >= len(status.ladder):
        return ""
    missing = sum(not gate.passes for gate in status.gates)
    of = f"{missing} of its {len(status.gates)} gates {'does' if missing == 1 else 'do'} not pass yet"
    name = labels.rung(status.ladder[following])
    return f"The current rung is {status.rung} of {len(status.ladder) - 1}. The next is {labels.lowered(name)}: {of}."


def _unknown(status: Status, state: State) -> list[str]:
    """Return why the answer is unknown at this moment."""
    policy, reasons = state.policy, []
    assert policy is not None  # noqa: S101 - without one there is no status
    if policy.dry_run:
        reasons.append("This is a dry run: nobody was served push.")
    if state.wired_ms is None:
        reasons.append(f"No ack of stage `{policy.stage}` has matched a payment yet.")
    elif state.visibility.suspension is not None:
        reasons.append(SUSPENSIONS[state.visibility.suspension].description)
    if status.served.reason in {Reason.NO_LEASE, Reason.POLICY_DIFFERS, Reason.STARTING}:
        reasons.append(REASONS[status.served.reason].description)
    return reasons


def _acute(status: Status, state: State) -> list[str]:
    """Return the acute problems, which outweigh the last weeks."""
    reasons = []
    if state.probing.isolation is IsolationOutcome.ALLOWED:
        reasons.append("Security: the probe user may subscribe to another user's channel.")
    if state.flag.suspension is not None:
        reasons.append(SUSPENSIONS[SuspensionReason.REVERB_UNSTABLE].description)
    elif status.alarms:
        reasons.append(f"Alarm: {labels.joined([labels.lowered(INDICATORS[each].label) for each in status.alarms])}.")
    if status.cooldown_until_ms > status.now_ms:
        reasons.append(f"Push fell; the cool-down ends {labels.distance(status.cooldown_until_ms, status.now_ms)}.")
    return reasons
