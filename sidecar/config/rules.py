"""Rules between keys, each of which is valid by itself.

A rule gets the values that were read, by path. A value that is invalid by itself is not among them, and a rule that
needs it does not apply. A problem is reported at a key that stands in the file, never at a default.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sidecar.config.problems import Problem
from sidecar.config.scalars import Kind
from sidecar.core.facts.policy import PPM, Lifecycle, Mode


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is valid by itself."""

    value: Any
    kind: Kind
    line: int | None
    """From 1; None: the value is the default, and the key is not in the file."""
    column: int | None
    shown: str
    """The value as it stands in the file, or would stand there."""

    @property
    def plain(self) -> str:
        """The value in its usual form, and whether it is the default."""
        return f"{self.kind.write(self.value)}{' by default' if self.line is None else ''}"

    def problem(self, path: str, allowed: str, *, found: str = "", suggestion: str | None = None) -> Problem:
        """Return a problem at this value. `found` replaces the value itself."""
        return Problem(
            path_in_file=path,
            line=self.line,
            column=self.column,
            found=found or self.shown,
            allowed=allowed,
            suggestion=suggestion,
        )


Readings = Mapping[str, Reading]

ASCENDING = (
    ("objective.on_time_within", "objective.missed_after"),
    ("policy.unacceptable_reliability", "objective.reliability"),
    ("policy.coverage_floor", "policy.coverage"),
)
"""Pairs of keys: the first must be less than the second."""

RUNGS_MAX = 20
TARGETS_MAX = 10

LISTENERS = ("listen.public", "listen.operator", "listen.metrics")


def problems_between(readings: Readings) -> Iterator[Problem]:
    """Yield every violated rule, in no particular order."""
    for rule in (_ascending, _listeners, _probe, _ladder, _removed, _kept, _user_header, _target_names):
        yield from rule(readings)


def _user_header(readings: Readings) -> Iterator[Problem]:
    """Require `console.trusted_proxies` for `console.user_header`."""
    header = readings.get("console.user_header")
    if header is not None and header.value is not None and "console.trusted_proxies[0]" not in readings:
        yield header.problem(
            "console.user_header", "no such key without console.trusted_proxies, from which it is accepted"
        )


def _target_names(readings: Readings) -> Iterator[Problem]:
    """Require a different name for each notification target: its secrets are named after it."""
    names: set[str] = set()
    for index in range(TARGETS_MAX):
        path = f"notifications.targets[{index}].name"
        name = readings.get(path)
        if name is not None and name.value in names:
            yield name.problem(path, "a name that no other target has")
        if name is not None:
            names.add(name.value)


def _removed(readings: Readings) -> Iterator[Problem]:
    """Refuse `lifecycle: removed` where it can never be accepted."""
    lifecycle = readings.get("lifecycle")
    if lifecycle is None or lifecycle.value is not Lifecycle.REMOVED:
        return
    dry_run, journal = readings.get("policy.dry_run"), readings.get("journal")
    if dry_run and dry_run.value:
        yield dry_run.problem("policy.dry_run", "false with lifecycle: removed, which serves push", suggestion="false")
    if journal and not journal.value.survives_restart:
        allowed = "with lifecycle: removed a journal that outlives the process: the last rung must be in its records"
        yield journal.problem("journal", allowed)


def _kept(readings: Readings) -> Iterator[Problem]:
    """Refuse what only a journal that outlives the process can have."""
    journal = readings.get("journal")
    for path in ("journal_must_exist", "journal_mark"):
        wanted = readings.get(path)
        if journal and not journal.value.survives_restart and wanted and wanted.value:
            yield wanted.problem(path, f"no such key with journal: {journal.plain}, which ends with the process")


def _probe(readings: Readings) -> Iterator[Problem]:
    """Require the login of browsers for the probe user, and another user for the isolation probe."""
    sent, login = readings.get("reverb.echo.credentials"), readings.get("reverb.probe.login")
    if sent and login and sent.value is not login.value:
        if login.line is not None:
            yield login.problem("reverb.probe.login", f"the same as reverb.echo.credentials, which is {sent.plain}")
        else:
            yield sent.problem("reverb.echo.credentials", f"the same as reverb.probe.login, which is {login.plain}")
    own, isolation = readings.get("reverb.probe.user_id"), readings.get("reverb.isolation.channel_user_id")
    if own and isolation and own.value == isolation.value:
        allowed = f"another user than reverb.probe.user_id, which is {own.plain}"
        yield isolation.problem("reverb.isolation.channel_user_id", allowed)


def _ascending(readings: Readings) -> Iterator[Problem]:
    for lesser_path, greater_path in ASCENDING:
        lesser, greater = readings.get(lesser_path), readings.get(greater_path)
        if lesser is None or greater is None or lesser.value < greater.value:
            continue
        if lesser.line is not None:
            yield lesser.problem(lesser_path, f"less than {greater_path}, which is {greater.plain}")
        else:
            yield greater.problem(greater_path, f"more than {lesser_path}, which is {lesser.plain}")


def _listeners(readings: Readings) -> Iterator[Problem]:
    known = [(path, readings[path]) for path in LISTENERS if path in readings]
    for one, other in itertools.combinations(known, 2):
        if one[1].value.collides_with(other[1].value):
            (path, reading), (kept_path, kept) = (one, other) if other[1].line is None else (other, one)
            yield reading.problem(path, f"another address than that of {kept_path}, which is {kept.plain}")


def _ladder(readings: Readings) -> Iterator[Problem]:
    yield from _first_rung(readings)
    for index in range(1, RUNGS_MAX):
        below_mode, below_share = _rung(readings, index - 1)
        mode, share = _rung(readings, index)
        if below_mode and below_share and mode and share:
            yield from _next_rung(index, below_mode, below_share, mode, share)


def _rung(readings: Readings, index: int) -> tuple[Reading | None, Reading | None]:
    return readings.get(f"ladder[{index}].mode"), readings.get(f"ladder[{index}].share")


def _first_rung(readings: Readings) -> Iterator[Problem]:
    mode, share = _rung(readings, 0)
    approval = readings.get("ladder[0].approval")
    if mode and mode.value is not Mode.TIMER_POLLING:
        allowed = "timer_polling on the first rung: the flag falls onto it"
        yield mode.problem("ladder[0].mode", allowed, suggestion=Mode.TIMER_POLLING.value)
    if share and share.value != PPM:
        yield share.problem("ladder[0].share", "100% on the first rung: the flag falls onto it for everybody")
    if approval and approval.value:
        yield approval.problem("ladder[0].approval", "no approval on the first rung: nobody climbs onto it")


def _next_rung(
    index: int, below_mode: Reading, below_share: Reading, mode: Reading, share: Reading
) -> Iterator[Problem]:
    """Require more push than on the rung below: a larger share, or after 100% a better mode."""
    path, below = f"ladder[{index}]", f"{below_mode.value} for {below_share.kind.write(below_share.value)}"
    if mode.value.rank < below_mode.value.rank:
        yield mode.problem(f"{path}.mode", f"a mode that is no worse; the rung below has {below}")
    elif mode.value.rank > below_mode.value.rank and below_share.value != PPM:
        allowed = f"a better mode only after 100% of the last one; the rung below has {below}"
        yield mode.problem(f"{path}.mode", allowed)
    elif mode.value is below_mode.value and share.value == below_share.value:
        yield mode.problem(path, f"each mode and share once; the rung below has {below}", found="the same rung again")
    elif mode.value is below_mode.value and share.value < below_share.value:
        yield share.problem(f"{path}.share", f"in the same mode a larger share; the rung below has {below}")
