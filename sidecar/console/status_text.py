"""Print the status on a terminal, the most urgent first; readable at 80 columns."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sidecar.console.overrides import described
from sidecar.console.status import FreezeStatus, GateStatus, Status
from sidecar.core.decision.gate import estimate
from sidecar.core.decision.gates import duration
from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome
from sidecar.core.facts.calendar import stamp
from sidecar.core.facts.policy import PPM, Lifecycle, Rung
from sidecar.core.facts.reports import Flow
from sidecar.core.fold.holds import lifted_by


def print_status(console: Console, status: Status) -> None:
    """Print the status."""
    served = status.served
    console.print(f"[bold]{status.flag}[/] in {status.environment}: [bold]{served.mode}[/] ({served.reason})")
    current = f"rung {status.rung} of {len(status.ladder) - 1}: {rung_name(status.ladder[status.rung])}"
    console.print(f"  {current}, for {duration(status.now_ms - status.since_ms)}")
    for move in status.moves[:-4:-1]:
        ago = duration(max(0, status.now_ms - move.at_ms))
        console.print(f"  {ago} ago: rung {move.from_rung} → {move.to_rung}, {move.cause}: {escape(move.detail)}")
    for line in troubles(status):
        console.print(f"  [yellow]![/] {escape(line)}")
    console.print()
    _print_gates(console, status)
    console.print()
    _print_comparison(console, status)
    _print_reverb(console, status)
    _print_payers(console, status)
    console.print(f"\nPayments: {_counts(status)}; {status.judged} of {status.succeeded} could be judged.")
    if status.mismatched_acks:
        counts = ", ".join(f"{count} {reason}" for reason, count in status.mismatched_acks.items())
        console.print(f"Acks that count for no payment, since the start: {counts}.")
    if status.chain:
        console.print(
            f"Chain of decisions and actions, to note outside: sidecar verify --head {status.chain[:16]}", style="dim"
        )


def _print_reverb(console: Console, status: Status) -> None:
    reverb = status.reverb
    if reverb is None:
        return
    auth_probes, trips = sum(reverb.auth_probes.values()), sum(reverb.round_trips.values())
    console.print(
        f"\nReverb: {reverb.auth_probes.get(AuthProbeOutcome.OK, 0)} of {auth_probes} auth probes and "
        f"{reverb.round_trips.get(RoundTripOutcome.OK, 0)} of {trips} round trips succeeded; {reverb.sockets_up} of "
        f"{reverb.sockets} sockets are up; isolation probe: {reverb.isolation or 'none yet'}."
    )


def _print_payers(console: Console, status: Status) -> None:
    payers = status.payers
    answered = ", ".join(f"{each.indicator} {each.answered} of {each.payments}" for each in payers.coverage)
    if any(each.payments for each in payers.coverage):
        console.print(f"\nPayers who answered: {answered}.")
    if not payers.reports:
        return
    reports = ", ".join(f"{count} {outcome}" for outcome, count in payers.reports.items())
    console.print(
        f"\nPayers' browsers: {reports}; on this rung {payers.on_rung.get(Flow.IN_PAGE, 0)} in page and "
        f"{payers.on_rung.get(Flow.REDIRECT, 0)} back from a redirect; rescued by a poll: {payers.rescued_by_poll}."
    )


def rung_name(rung: Rung) -> str:
    """Return a rung as text: `push_with_safety_net for 10 %`."""
    return rung.mode if rung.share_ppm == PPM else f"{rung.mode} for {100 * rung.share_ppm / PPM:g} %"


def troubles(status: Status) -> list[str]:
    """Return what is wrong: warnings, and then what stands against a climb, in the order of the gates."""
    lines = list(status.warnings)
    if status.alarms:
        lines.append(f"alarm: {', '.join(status.alarms)}")
    for each in status.suspensions:
        left = "" if each.until_ms is None else f"; push resumes in {duration(max(0, each.until_ms - status.now_ms))}"
        lines.append(f"suspended: {each.reason}{left}; the rung is kept. {each.description}")
    if status.reverb and status.reverb.cause:
        lines.append(f"channel auth: {status.reverb.cause} ({status.reverb.last_auth_probe}) For more: sidecar doctor")
    for hold in status.holds:
        what = "held by the rollback of" if hold.is_rollback else "on hold by"
        lines.append(f"{what} {hold.actor}: {hold.reason} (to lift it: {lifted_by(hold)} --reason '...')")
    lines.extend(_freeze_line(each, status.now_ms) for each in status.freezes)
    lines.extend(f"{described(each)} (to end it: sidecar override --clear USER)" for each in status.overrides)
    if status.approval:
        approval = status.approval
        lines.append(f"rung {approval.rung} approved for epoch {approval.epoch} by {approval.actor}: {approval.reason}")
    return lines


def _freeze_line(each: FreezeStatus, now_ms: int) -> str:
    freeze, when = each.freeze, ""
    if each.until_ms is not None:
        when = f"in force for {duration(max(0, each.until_ms - now_ms))} more"
    elif each.begins_ms is not None:
        when = f"begins in {duration(max(0, each.begins_ms - now_ms))}"
    return f"freeze {freeze.name} of {freeze.actor}: {freeze.reason} ({when}; expires at {stamp(freeze.expires_ms)})"


def _print_gates(console: Console, status: Status) -> None:
    is_off = status.lifecycle is Lifecycle.REMOVED
    if not status.gates:
        top = "The ladder is off (lifecycle: removed)."
        console.print(top if is_off else "The flag is at the top of the ladder.")
        return
    console.print(f"[bold]{'Returns to' if is_off else 'Next'}: {rung_name(status.ladder[status.rung + 1])}[/]")
    table = Table(box=None, show_header=False, padding=(0, 1), expand=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column()
    for gate in status.gates:
        mark = "[green]✓[/]" if gate.passes else "[red]✗[/]"
        table.add_row(mark, gate.name, _reading(gate, status.now_ms))
    console.print(table)


def _reading(gate: GateStatus, now_ms: int) -> str:
    """Return the value of a gate, and if it does not pass what it needs and when that is expected."""
    value = escape(gate.value)
    if gate.passes:
        return f"[dim]{value} (target: {gate.target})[/]"
    return f"{value} (target: {gate.target})\nneeds {escape(gate.needs)}{when(gate, now_ms)}"


def when(gate: GateStatus, now_ms: int) -> str:
    """Return when a gate is expected to pass, after a comma; empty: unknown. An estimate is a range, with its basis."""
    if gate.expected_between_ms is not None:
        return f", {estimate(gate.expected_between_ms, now_ms)}"
    return "" if gate.expected_ms is None else f", in {duration(max(0, gate.expected_ms - now_ms))}"


def _print_comparison(console: Console, status: Status) -> None:
    timers, push = status.comparison.timers, status.comparison.push
    table = Table(title="Timers compared with push", title_justify="left", title_style="bold", box=None, padding=(0, 2))
    for column in ("", "timers", "push"):
        table.add_column(column)
    table.add_row("reliability", _share(timers.reliability_ratio), _share(push.reliability_ratio))
    table.add_row("  of payments", f"{timers.worked} of {timers.judged}", f"{push.worked} of {push.judged}")
    table.add_row("  proven", "", _share(push.lower_bound_ratio))
    table.add_row("requests per payment", f"{timers.requests_per_payment:.3g}", f"{push.requests_per_payment:.3g}")
    table.add_row("  basis", timers.requests_basis, push.requests_basis)
    console.print(table)
    console.print(f"  timers: {timers.reliability_basis}\n  push: {push.reliability_basis}", style="dim")


def _share(ratio: float | None) -> str:
    return "not measured" if ratio is None else f"{100 * ratio:.2f} %"


def _counts(status: Status) -> str:
    named = [f"{count} {outcome}" for outcome, count in status.outcomes.items()]
    reasons = ", ".join(f"{count} {reason}" for reason, count in status.unmeasured.items())
    return (", ".join(named) or "none yet") + (f" (unmeasured: {reasons})" if reasons else "")
