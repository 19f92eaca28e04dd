"""What must hold between keys, each of which is right by itself.

A rule sees readings by their path: what is wrong by itself is not among them, and a rule that needs it says nothing.
The blame goes to a key that stands in the file, never to a default.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sidecar.config.places import MemoryPlace
from sidecar.config.problems import Problem
from sidecar.config.scalars import Kind
from sidecar.core.facts.policy import PPM, Lifecycle, Mode


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is right by itself."""

    value: Any
    kind: Kind
    line: int | None
    """From 1; None: it is the default, and the file says nothing."""
    column: int | None
    shown: str
    """As it stands in the file; of a default, as it would."""

    @property
    def plain(self) -> str:
        """The value as it is best written, and whether it is only the default."""
        return f"{self.kind.write(self.value)}{' by default' if self.line is None else ''}"


Readings = Mapping[str, Reading]

ASCENDING = (
    ("objective.on_time_within", "objective.missed_after"),
    ("policy.unacceptable_reliability", "objective.reliability"),
    ("policy.coverage_floor", "policy.coverage"),
)
"""Of each pair the first must be less than the second."""

RUNGS_MAX = 20
TARGETS_MAX = 10

LISTENERS = ("listen.public", "listen.operator", "listen.metrics")


def problems_between(readings: Readings) -> Iterator[Problem]:
    """Return what is wrong between values, in no particular order."""
    yield from _not_ascending(readings)
    yield from _collisions(readings)
    yield from _probe(readings)
    yield from _ladder(readings)
    yield from _removed(readings)
    yield from _user_header(readings)
    yield from _targets(readings)


def _user_header(readings: Readings) -> Iterator[Problem]:
    """Let a header be named only where somebody is believed who sends it."""
    header = readings.get("console.user_header")
    if header is not None and header.value is not None and "console.trusted_proxies[0]" not in readings:
        yield _problem("console.user_header", header, "no such key without console.trusted_proxies, who are believed")


def _targets(readings: Readings) -> Iterator[Problem]:
    """Let each target of notifications have a name of its own: its secrets are called after it."""
    seen: set[str] = set()
    for index in range(TARGETS_MAX):
        name = readings.get(f"notifications.targets[{index}].name")
        if name is not None and name.value in seen:
            yield _problem(f"notifications.targets[{index}].name", name, "a name that no other target has")
        if name is not None:
            seen.add(name.value)


def _removed(readings: Readings) -> Iterator[Problem]:
    """Let `lifecycle: removed` be said only where it could ever be accepted."""
    lifecycle = readings.get("lifecycle")
    if lifecycle is None or lifecycle.value is not Lifecycle.REMOVED:
        return
    dry_run, journal = readings.get("policy.dry_run"), readings.get("journal")
    if dry_run and dry_run.value:
        yield _problem(
            "policy.dry_run", dry_run, "false with lifecycle: removed, which serves push", suggestion="false"
        )
    if journal and isinstance(journal.value, MemoryPlace):
        allowed = "with lifecycle: removed a journal that outlives the process: it must have held the last rung"
        yield _problem("journal", journal, allowed)


def _probe(readings: Readings) -> Iterator[Problem]:
    """Let the probe user be known in the way in which a browser there is, and not be the isolation."""
    sent, login = readings.get("reverb.echo.credentials"), readings.get("reverb.probe.login")
    if sent and login and sent.value is not login.value:
        if login.line is not None:
            yield _problem("reverb.probe.login", login, f"the same as reverb.echo.credentials, which is {sent.plain}")
        else:
            yield _problem("reverb.echo.credentials", sent, f"the same as reverb.probe.login, which is {login.plain}")
    own, isolation = readings.get("reverb.probe.user_id"), readings.get("reverb.isolation.channel_user_id")
    if own and isolation and own.value == isolation.value:
        allowed = f"another user than reverb.probe.user_id, which is {own.plain}"
        yield _problem("reverb.isolation.channel_user_id", isolation, allowed)


def _not_ascending(readings: Readings) -> Iterator[Problem]:
    for lesser_path, greater_path in ASCENDING:
        lesser, greater = readings.get(lesser_path), readings.get(greater_path)
        if lesser is None or greater is None or lesser.value < greater.value:
            continue
        if lesser.line is not None:
            yield _problem(lesser_path, lesser, f"less than {greater_path}, which is {greater.plain}")
        else:
            yield _problem(greater_path, greater, f"more than {lesser_path}, which is {lesser.plain}")


def _collisions(readings: Readings) -> Iterator[Problem]:
    known = {path: readings[path] for path in LISTENERS if path in readings}
    for (path, one), (other_path, other) in itertools.combinations(known.items(), 2):
        if one.value.collides_with(other.value):
            blamed_path, blamed, spared_path, spared = (
                (path, one, other_path, other) if other.line is None else (other_path, other, path, one)
            )
            yield _problem(blamed_path, blamed, f"another address than that of {spared_path}, which is {spared.plain}")


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
        yield _problem("ladder[0].mode", mode, allowed, suggestion=Mode.TIMER_POLLING.value)
    if share and share.value != PPM:
        allowed = "100% on the first rung: the flag falls onto it for everybody"
        yield _problem("ladder[0].share", share, allowed)
    if approval and approval.value:
        allowed = "no approval on the first rung: nobody climbs onto it"
        yield _problem("ladder[0].approval", approval, allowed)


def _next_rung(
    index: int, below_mode: Reading, below_share: Reading, mode: Reading, share: Reading
) -> Iterator[Problem]:
    """Every rung relies more on push than the one below it: by its share, or once that is 100%, by its mode."""
    path, below = f"ladder[{index}]", f"{below_mode.value} for {below_share.kind.write(below_share.value)}"
    if mode.value.rank < below_mode.value.rank:
        yield _problem(f"{path}.mode", mode, f"a mode that is no worse; the rung below has {below}")
    elif mode.value.rank > below_mode.value.rank and below_share.value != PPM:
        yield _problem(
            f"{path}.mode", mode, f"a better mode only after 100% of the last one; the rung below has {below}"
        )
    elif mode.value is below_mode.value and share.value == below_share.value:
        yield _problem(path, mode, f"each mode and share once; the rung below has {below}", found="the same rung again")
    elif mode.value is below_mode.value and share.value < below_share.value:
        yield _problem(f"{path}.share", share, f"in the same mode a larger share; the rung below has {below}")


def _problem(
    path: str, at: Reading, allowed: str, *, found: str | None = None, suggestion: str | None = None
) -> Problem:
    shown = found if found is not None else at.shown
    return Problem(
        path_in_file=path, line=at.line, column=at.column, found=shown, allowed=allowed, suggestion=suggestion
    )
