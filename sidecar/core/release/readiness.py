"""The verdict of the release gate, for a pipeline, the console and the report, with every reason.

A pure function of the state, the question, and the properties of the process. Three answers: yes; not yet, with what is
missing and the earliest time to ask again; and cannot be known here. What cannot be known is never a yes. See
`docs/decisions/0010-release-gate.md`.
"""

import enum

import msgspec

from sidecar.core.fold.state import State
from sidecar.core.release.checks import Check, Process, Question, checks


class Answer(enum.StrEnum):
    """The verdict."""

    YES = "yes"
    NOT_YET = "not_yet"
    CANNOT_KNOW = "cannot_know"

    @property
    def exit_code(self) -> int:
        """What `sidecar gate` exits with."""
        return {Answer.YES: 0, Answer.NOT_YET: 1, Answer.CANNOT_KNOW: 2}[self]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, with all that it was based on."""

    answer: Answer
    question: Question
    environment: str
    flag: str
    policy_hash: str
    chain: str
    """The head of the chain of decisions and actions that this was read from."""
    seq: int
    from_ms: int
    now_ms: int
    checks: tuple[Check, ...]
    again_ms: int | None
    """The earliest time at which the answer may change; None: unknown, or the answer is yes."""

    @property
    def against(self) -> tuple[Check, ...]:
        """Checks that do not pass or cannot be known."""
        return tuple(check for check in self.checks if check.passes is not True)


def readiness(state: State, question: Question, process: Process) -> Readiness:
    """Return the verdict. The state must have a policy."""
    policy = state.policy
    assert policy is not None  # noqa: S101 - listeners start after the policy was adopted
    found = checks(state, policy, question, process)
    against = [check for check in found if check.passes is not True]
    if any(check.passes is None for check in against):
        answer = Answer.CANNOT_KNOW
    else:
        answer = Answer.NOT_YET if against else Answer.YES
    return Readiness(
        answer=answer,
        question=question,
        environment=policy.environment,
        flag=policy.flag,
        policy_hash=state.policy_hash,
        chain=state.chain,
        seq=state.seq,
        from_ms=state.now_ms - question.for_ms,
        now_ms=state.now_ms,
        checks=found,
        again_ms=max((check.again_ms for check in against if check.again_ms is not None), default=None),
    )
