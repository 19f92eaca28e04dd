"""`lifecycle: removed`: the hand-written timers are gone from the app, and the ladder is off.

The problem: with the ladder off, the flag returns after a fall without a new proof. Taken off too early, or on another
journal than the one in which push was proven, that would be a climb without any proof at all.

What we do: it is accepted only on the last rung of the ladder in force, with a share of 100 % and outside a dry run.
The check runs before a process adopts the policy and again in the fold, because the flag may fall in between. It stays
accepted after any fall until a policy returns to `migrating`; then the flag moves to the highest rung of the ladder
that is no better than what was served, with all its evidence. A change of what an outcome means (`core.facts.meaning`)
is not accepted with it: the new meaning has no proof, and without the ladder none would be asked for.
"""

from sidecar.core.facts.meaning import changed_keys
from sidecar.core.facts.policy import LADDER_OFF, PPM, Lifecycle, Policy
from sidecar.core.fold.state import State


def why_not(state: State, policy: Policy) -> str | None:
    """Return, in a sentence, why this policy cannot be adopted as things stand; None: it can."""
    if policy.lifecycle is not Lifecycle.REMOVED:
        return None
    if policy.ladder != LADDER_OFF:
        return "`lifecycle: removed` takes the ladder off, and this policy has one: it was not made by this version."
    why = why_not_removed(state)
    if why is None and state.measured is not None and (changed := changed_keys(state.measured, policy)):
        return (
            f"`lifecycle: removed` needs a proof, and there is none since {', '.join(changed)} changed: begin with "
            "`lifecycle: migrating`, and climb the ladder again."
        )
    return why


def why_not_removed(state: State) -> str | None:
    """Return, in a sentence, why the ladder cannot be taken off as things stand; None: it can be, or is."""
    policy, rung = state.policy, state.rung
    if policy is None or rung is None:
        return (
            "`lifecycle: removed` is accepted only on the last rung of the ladder, and this journal "
            "was never on it: begin with `lifecycle: migrating`, or restore the journal that was (sidecar restore)."
        )
    if policy.lifecycle is Lifecycle.REMOVED:
        return None
    current, last = state.flag.rung, len(policy.ladder) - 1
    if policy.dry_run:
        return "`lifecycle: removed` is not accepted after a dry run: no user was served its rung."
    if current < last:
        return (
            f"`lifecycle: removed` is accepted only on the last rung of the ladder: that is rung {last} "
            f"({policy.ladder[last].mode}), and the current one is rung {current} ({rung.mode}). "
            "`sidecar status` says what is missing."
        )
    if rung.share_ppm < PPM:
        return (
            f"`lifecycle: removed` serves push to everybody, and the last rung of the ladder ({rung.mode}) does to "
            f"{100 * rung.share_ppm / PPM:g} % of the users: add a rung for 100 % and climb it first."
        )
    return None
