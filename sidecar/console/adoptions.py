"""The policies that were put in force, from the journal. A record of one that was refused is not among them."""

from collections.abc import AsyncIterator

from sidecar.core.facts.observations import PolicyAdopted
from sidecar.core.fold.state import State
from sidecar.ports import Journal


async def adoptions(journal: Journal, state: State) -> AsyncIterator[tuple[int, PolicyAdopted]]:
    """Yield (record, adoption), newest first.

    Refused ones have a number and a record too, and `state.policies` has only the accepted ones, in order.
    """
    accepted = list(state.policies)
    for number in range(state.adoptions - 1, -1, -1):
        record = await journal.find(f"policy_adopted:{number}")
        fact = record.observation if record is not None else None
        if record is not None and isinstance(fact, PolicyAdopted) and accepted and fact.policy_hash == accepted[-1]:
            accepted.pop()
            yield record.seq, fact
