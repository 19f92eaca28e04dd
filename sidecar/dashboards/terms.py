"""What dashboards take from the configuration: all that rules do, the ladder's words, and where the console is."""

from typing import Final

import msgspec

from sidecar.config import Config
from sidecar.core.facts.policy import PPM, Mode
from sidecar.rules import Terms, terms_of

DEFAULT_CONSOLE: Final = "http://127.0.0.1:8701"
"""The operator listener as a person's browser finds it."""
MODES: Final = {
    Mode.TIMER_POLLING: "timers",
    Mode.PUSH_WITH_SAFETY_NET: "push with safety net",
    Mode.PUSH_ONLY: "push only",
}
"""What a mode is called on a screen."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers and names of one deployment."""

    rules: Terms
    ladder: tuple[tuple[Mode, str], ...]
    """Each rung's mode, and what the rung is called."""
    coverage_floor_ratio: float
    """Coverage below which the flag rests at timers."""
    console: str


def shown_of(config: Config, *, runbooks: str, console: str = DEFAULT_CONSOLE) -> Shown:
    """Return what is shown of a configuration; `runbooks` stands before `<alert>.md`, as in the rules."""
    ladder = tuple(
        (rung.mode, f"{number} {MODES[rung.mode]}{_share(rung.share_ppm)}") for number, rung in enumerate(config.ladder)
    )
    return Shown(
        rules=terms_of(config, runbooks=runbooks),
        ladder=ladder,
        coverage_floor_ratio=config.policy.coverage_floor_ppm / PPM,
        console=console.rstrip("/"),
    )


def _share(share_ppm: int) -> str:
    return "" if share_ppm == PPM else f", {100 * share_ppm / PPM:g}%"
