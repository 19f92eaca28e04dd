"""May the timers go? The release gate's own answer, for people; and what is so urgent that it comes before it.

The page must not be kinder than the gate: where the gate says no, or that it cannot know, so does the page. It is
asked about the best mode that the ladder leads to, over the gate's own time.
"""

import msgspec

from sidecar.console import labels as words
from sidecar.console.labels import Moment, moment
from sidecar.console.page.front import Tone
from sidecar.console.status import Status
from sidecar.core.decision.gates import duration
from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.policy import Lifecycle, Mode, Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.serving import Reason
from sidecar.core.fold.state import State
from sidecar.core.release.checks import Check, Question
from sidecar.core.release.readiness import Answer, Readiness
from sidecar.wording import CHECKS, MODES, SUSPENSIONS

_REASONS_MAX = 5
"""So many are said at once; all of them are in the list."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of the gate."""

    name: str
    label: str
    value: str
    target: str
    tone: Tone
    said: str
    """`holds`, `does not hold`, `cannot be known`."""
    why: str
    again: Moment | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """May the timers go?"""

    tone: Tone
    answer: str
    """`Yes`, `Not yet`, `No`, `Cannot know`, `They are gone`."""
    reasons: tuple[str, ...]
    more: int
    """Reasons that are not among these."""
    again: Moment | None
    """Before this it is not worth asking again; None: nobody can say when, or time alone does not help."""
    question: str
    command: str
    """The same for a pipeline."""
    conditions: tuple[Condition, ...]


def question_of(policy: Policy) -> Question:
    """Return what is asked: of the best mode that everybody is led to."""
    best = max((rung.mode for rung in policy.ladder), key=lambda mode: mode.rank)
    return Question(mode=Mode.PUSH_ONLY if best is Mode.TIMER_POLLING else best)


def verdict(status: Status, state: State, asked: Readiness) -> Verdict:
    """Return whether the hand-written timers may be removed, and why (not)."""
    unknown, acute = _unknown(status, state), _acute(status, state)
    against = [_sentence(check) for check in asked.against]
    if status.lifecycle is Lifecycle.REMOVED:
        gone = "`lifecycle: removed` is in force: the ladder is off. Behind push stand the safety net at 5 s and the "
        told = [f"{gone}schedule of the browser's client.", *unknown, *acute]
        tone, answer = Tone.BAD if unknown or acute else Tone.GOOD, "They are gone"
    elif unknown:
        tone, answer, told = Tone.BLIND, "Cannot know", unknown
    elif acute:
        tone, answer, told = Tone.BAD, "No", acute
    elif asked.answer is Answer.CANNOT_KNOW:
        unknowable = [check for check in asked.against if check.passes is None]
        against = [*(_sentence(check) for check in unknowable), _climb(status), *against]
        tone, answer, told = Tone.BLIND, "Cannot know", list(dict.fromkeys(against))
    elif asked.answer is Answer.NOT_YET:
        tone, answer, told = Tone.WAIT, "Not yet", [_climb(status), *against]
    else:
        span = duration(asked.question.for_ms)
        tone, answer = Tone.GOOD, "Yes"
        told = [f"Everything that was asked of the last {span} holds, and the proof stands. See `docs/removal.md`."]
    told = [each for each in told if each]
    is_open = answer in {"Not yet", "No"}
    mode = asked.question.mode
    return Verdict(
        tone=tone,
        answer=answer,
        reasons=tuple(told[:_REASONS_MAX]),
        more=max(0, len(told) - _REASONS_MAX),
        again=None if asked.again_ms is None or not is_open else moment(asked.again_ms, status.now_ms),
        question=f"{MODES[mode].label} for everybody, over the last {duration(asked.question.for_ms)}",
        command=f"sidecar gate --mode {mode} --for {asked.question.for_ms // 86_400_000}d",
        conditions=tuple(_condition(check, status.now_ms) for check in asked.checks),
    )


def _sentence(check: Check) -> str:
    """Return what is wrong as a sentence; a gate is called as the page calls it."""
    if check.needs:
        return f'"{CHECKS[check.name].label}" does not hold ({check.value}): it needs {check.needs}.'
    return words.sentence(check.why)


def _climb(status: Status) -> str:
    following = status.rung + 1
    if following >= len(status.ladder):
        return ""
    missing = sum(not gate.passes for gate in status.gates)
    of = f"{missing} of its {len(status.gates)} gates {'does' if missing == 1 else 'do'} not hold yet"
    name = words.rung(status.ladder[following])
    return f"Rung {status.rung} of {len(status.ladder) - 1} is held. {name} is next: {of}."


def _condition(check: Check, now_ms: int) -> Condition:
    tone, said = {
        True: (Tone.GOOD, "holds"),
        False: (Tone.BAD, "does not hold"),
        None: (Tone.BLIND, "cannot be known"),
    }[check.passes]
    return Condition(
        name=check.name,
        label=CHECKS[check.name].label,
        value=check.value,
        target=check.target,
        tone=tone,
        said=said,
        why=check.why,
        again=None if check.again_ms is None else moment(check.again_ms, now_ms),
    )


def _unknown(status: Status, state: State) -> list[str]:
    """Return why nobody can say at this moment."""
    policy, reasons = state.policy, []
    assert policy is not None  # noqa: S101 - without one there is no status
    if policy.dry_run:
        reasons.append("This is a dry run: nobody was served push.")
    if state.wired_ms is None:
        reasons.append(f"No ack of stage `{policy.stage}` has ever come.")
    elif state.visibility.suspension is not None:
        reasons.append(SUSPENSIONS[state.visibility.suspension].description)
    if status.served.reason in {Reason.NO_LEASE, Reason.POLICY_DIFFERS, Reason.STARTING}:
        reasons.append("This replica cannot vouch for what it says.")
    return reasons


def _acute(status: Status, state: State) -> list[str]:
    """Return what speaks against it at this moment, whatever the last weeks were like."""
    reasons = []
    if state.probing.isolation is IsolationOutcome.ALLOWED:
        reasons.append("The probe user was admitted to another user's channel.")
    if state.flag.suspension is not None:
        reasons.append(SUSPENSIONS[SuspensionReason.REVERB_UNSTABLE].description)
    elif status.alarms:
        reasons.append(f"Alarm: {words.joined([words.name(each) for each in status.alarms])}.")
    if status.cooldown_until_ms > status.now_ms:
        reasons.append(f"Push fell; the cool-down ends {words.distance(status.cooldown_until_ms, status.now_ms)}.")
    return reasons
