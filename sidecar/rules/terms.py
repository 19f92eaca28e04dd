"""What the rules take from the configuration: the objective, the environment and the pace of the probes."""

from typing import Final

import msgspec

from sidecar.config import Config, Probe, policy_of
from sidecar.core.facts.policy import PPM, Lifecycle

DEFAULT_JOB: Final = "reverb-sidecar"
DEFAULT_RUNBOOKS: Final = "docs/runbooks/"
"""The folder in the repository; an address that people can open is better."""
_DAY_S: Final = 86_400
_STUCK_DAYS_MIN: Final = 14
"""487 clean payments, which the default policy asks for, take twelve days at forty a day."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one deployment."""

    job: str
    """Prometheus' name of the scrape job."""
    environment: str
    """The label of the targets, where they have one, and of every alert."""
    runbooks: str
    """What stands before `<alert>.md`."""
    reliability_ratio: float
    on_time_within_s: float
    missed_after_s: float
    lease_s: float
    round_trip_every_s: float
    auth_every_s: float
    coverage_ratio: float
    top_rung: int
    stuck_after_s: float
    """After so long on one rung below the top somebody should look."""
    is_removed: bool
    """The hand-written timers are gone from the app (`lifecycle: removed`), and the ladder is off."""

    @property
    def within(self) -> str:
        """What every selector asks for: the job, of this environment. Targets without the label are of all environments.

        One Prometheus may scrape several environments; a trouble of staging's must not be told as production's.
        """
        environment = self.environment.replace(".", "[.]")
        return f'job="{self.job}", environment=~"{environment}|"'

    @property
    def error_budget_ratio(self) -> float:
        """The share of payments whose news may be late or lost."""
        return 1 - self.reliability_ratio


def terms_of(config: Config, *, job: str = DEFAULT_JOB, runbooks: str = DEFAULT_RUNBOOKS) -> Terms:
    """Return the numbers of a configuration. Where Reverb is not probed, its metrics stay 0 and the pace is the usual one."""
    probe = config.reverb.probe if config.reverb is not None else Probe(user_id="0")
    longest_soak_s = max(rung.soak_ms for rung in config.ladder) // 1000
    return Terms(
        job=job,
        environment=config.environment,
        runbooks=runbooks if runbooks.endswith("/") else f"{runbooks}/",
        reliability_ratio=config.objective.reliability_ppm / PPM,
        on_time_within_s=config.objective.on_time_within_ms / 1000,
        missed_after_s=config.objective.missed_after_ms / 1000,
        lease_s=config.policy.lease_ms / 1000,
        round_trip_every_s=probe.round_trip_every_ms / 1000,
        auth_every_s=probe.auth_every_ms / 1000,
        coverage_ratio=config.policy.coverage_ppm / PPM,
        top_rung=len(policy_of(config).ladder) - 1,
        stuck_after_s=max(_STUCK_DAYS_MIN * _DAY_S, 2 * longest_soak_s),
        is_removed=config.lifecycle is Lifecycle.REMOVED,
    )


def span(seconds: float) -> str:
    """Return a duration as PromQL writes it, in its largest whole unit; parts of a second are rounded up."""
    whole = -int(-seconds // 1)
    for unit, length in (("d", _DAY_S), ("h", 3600), ("m", 60)):
        if whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def number(value: float) -> str:
    """Return a number as it stands in an expression, without the noise of binary fractions."""
    return f"{value:.6g}"
