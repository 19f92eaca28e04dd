"""Which environment and livemode does a journal belong to? Known before anything is appended or folded."""

from sidecar.core.facts.meaning import carried, why_not_here
from sidecar.core.facts.observations import PolicyAdopted
from sidecar.core.facts.policy import Policy
from sidecar.ports import Journal

_LINKS_MAX = 500


async def bound_policy(journal: Journal) -> Policy | None:
    """Return the policy that binds the journal; None: there is none yet.

    It is that of the newest snapshot, or a later one that belongs to the same environment. Whether
    `core.fold.lifecycle` accepted it does not matter here. Raises `SidecarError` if the journal cannot be read.
    """
    state = await journal.load_snapshot()
    adopted, before = [], 2**63 - 1
    while links := await journal.links(before, _LINKS_MAX):
        adopted += [link.record for link in links if isinstance(link.record.observation, PolicyAdopted)]
        before = links[-1].record.seq
        if before <= state.seq:
            break
    bound = state.policy
    for record in reversed(adopted):
        fact = record.observation
        if record.seq > state.seq and isinstance(fact, PolicyAdopted) and why_not_here(bound, fact.policy) is None:
            bound = fact.policy if bound is None else carried(fact.policy, bound)
    return bound
