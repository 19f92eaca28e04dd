"""The gates of payers: that enough were served the current rung, and that enough of them answer at all."""

from sidecar.core.decision.gate import Gate, percent, progress_ratio
from sidecar.core.facts.policy import PPM, Mode, Policy, Rung
from sidecar.core.facts.reports import Flow
from sidecar.core.fold import payer_coverage
from sidecar.core.fold.reach import common_flows, payers_on_rung
from sidecar.core.fold.state import State


def payers_served(state: State, policy: Policy, _: Rung) -> Gate | None:
    """Require payers who were served a push rung, wherever browsers report: only they measure its effect.

    A dry run serves nobody, and rehearses the rest of the ladder without them.
    """
    is_wired = bool(state.reach.flows) and not policy.dry_run
    if state.flag.rung == 0 or policy.payers_on_rung == 0 or policy.reach_not_required or not is_wired:
        return None
    count, counts = payers_on_rung(state), state.flag.payers
    missing = policy.payers_on_rung - count
    rare = [flow for flow in Flow if counts.get(flow, 0) and flow not in common_flows(state)]
    return Gate(
        name="payers_on_rung",
        progress_ratio=progress_ratio(count, policy.payers_on_rung) if missing > 0 else None,
        value=", ".join(
            f"{counts.get(flow, 0)} {_FLOWS[flow]}{' (too rare to count)' if flow in rare else ''}" for flow in Flow
        ),
        target=f"{policy.payers_on_rung} together",
        passes=missing <= 0,
        needs=f"{missing} more payers who were served this rung" if missing > 0 else "",
    )


_FLOWS = {Flow.IN_PAGE: "in page", Flow.REDIRECT: "back from a redirect"}


def payers_answer(state: State, policy: Policy, rung: Rung) -> Gate | None:
    """Require answers of the payers before `push_only`, in each indicator of payers that it needs."""
    names = payer_coverage.required(policy)
    if rung.mode is not Mode.PUSH_ONLY or not names:
        return None
    target_ppm, counts = policy.payer_coverage_ppm, {name: state.payer_coverage[name].counts() for name in names}
    shares = {name: PPM * answered // total if total else 0 for name, (answered, total) in counts.items()}
    worst = min(names, key=lambda name: shares[name])
    answered, total = counts[worst]
    passes, needs = total > 0 and PPM * answered >= target_ppm * total, ""
    if not total:
        needs = "a payment for which a payer waits, ten minutes ago"
    elif not passes and target_ppm < PPM:
        more = -(-(target_ppm * total - PPM * answered) // (PPM - target_ppm))
        needs = f"{more} more payers who answer ({worst}), or the silent ones to leave the window"
    elif not passes:
        needs = f"the silent payers to leave the window ({worst})"
    return Gate(
        name="payer_coverage",
        progress_ratio=None if passes else progress_ratio(shares[worst], target_ppm),
        value=", ".join(f"{name}: {answered} of {total}" for name, (answered, total) in counts.items()),
        target=f"at least {percent(target_ppm)} of each",
        passes=passes,
        needs=needs,
    )
