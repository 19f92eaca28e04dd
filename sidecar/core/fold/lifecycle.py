"""May the ladder be taken off? `lifecycle: removed` says that the hand-written timers are gone from the app.

The problem: with the ladder off, the flag returns after a fall without a new proof. Taken off too early, or on another
journal than the one in which push was proven, that would be a climb without any proof at all.

What we do: it is accepted only while the last rung of the ladder in force is held, for everybody and not in rehearsal.
Whether it is, is asked before a process adopts it and again by the fold: in between the flag may fall. From then on it
stays accepted, whatever falls, until a policy says `migrating` again; then the flag stands on the highest rung of the
ladder that is no better than what was served, with all its evidence.
"""

from sidecar.core.facts.policy import LADDER_OFF, PPM, Lifecycle, Policy
from sidecar.core.fold.state import State


def why_not(state: State, policy: Policy) -> str | None:
    """Return, in a sentence, why this policy cannot be adopted as things stand; None: it can."""
    if policy.lifecycle is not Lifecycle.REMOVED:
        return None
    if policy.ladder != LADDER_OFF:
        return "`lifecycle: removed` takes the ladder off, and this policy has one: it was not made by this version."
    return why_not_removed(state)


def why_not_removed(state: State) -> str | None:
    """Return, in a sentence, why the ladder cannot be taken off as things stand; None: it can be, or is."""
    policy, rung = state.policy, state.rung
    if policy is None or rung is None:
        return (
            "`lifecycle: removed` is accepted only while the last rung of the ladder is held, and this journal has "
            "never held any: begin with `lifecycle: migrating`, or bring back the journal that has (sidecar restore)."
        )
    if policy.lifecycle is Lifecycle.REMOVED:
        return None
    held, last = state.flag.rung, len(policy.ladder) - 1
    if policy.dry_run:
        return "`lifecycle: removed` is not accepted after a dry run: nobody was served what it held."
    if held < last:
        return (
            f"`lifecycle: removed` is accepted only while the last rung of the ladder is held: that is rung {last} "
            f"({policy.ladder[last].mode}), and rung {held} ({rung.mode}) is. `sidecar status` says what is missing."
        )
    if rung.share_ppm < PPM:
        return (
            f"`lifecycle: removed` serves push to everybody, and the last rung of the ladder ({rung.mode}) does to "
            f"{100 * rung.share_ppm / PPM:g} % of the users: add a rung for 100 % and let it be held first."
        )
    return None
