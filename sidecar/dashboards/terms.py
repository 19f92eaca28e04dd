"""Values that dashboards take from the configuration: those of the rules, the ladder and the console's URL."""

from typing import Final

import msgspec

from sidecar.config import Config
from sidecar.core.facts.policy import PPM, Mode
from sidecar.rules import Terms, terms_of
from sidecar.wording import mode_name

DEFAULT_CONSOLE: Final = "http://127.0.0.1:8701"
"""URL of the operator listener, as reached by a person's browser."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Values and names of one deployment."""

    rules: Terms
    ladder: tuple[tuple[Mode, str], ...]
    """Mode and name of each rung."""
    coverage_floor_ratio: float
    """Coverage below which push is suspended."""
    console: str


def shown_of(config: Config, *, runbooks: str, console: str = DEFAULT_CONSOLE) -> Shown:
    """Return the values of a configuration; `runbooks` is the prefix of `<alert>.md`, as in the rules."""
    ladder = tuple(
        (rung.mode, f"{number} {mode_name(rung.mode)}{_share(rung.share_ppm)}")
        for number, rung in enumerate(config.ladder)
    )
    return Shown(
        rules=terms_of(config, runbooks=runbooks),
        ladder=ladder,
        coverage_floor_ratio=config.policy.coverage_floor_ppm / PPM,
        console=console.rstrip("/"),
    )


def _share(share_ppm: int) -> str:
    return "" if share_ppm == PPM else f", {100 * share_ppm / PPM:g}%"
