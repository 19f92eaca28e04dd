"""Values that the rules take from the configuration: objective, environment and probe intervals."""

from typing import Final

import msgspec

from sidecar.config import Config, Probe, policy_of
from sidecar.core.facts.policy import PPM, Lifecycle

DEFAULT_JOB: Final = "reverb-sidecar"
DEFAULT_RUNBOOKS: Final = "docs/runbooks/"
"""The folder in the repository. A URL that people can open is better."""
_DAY_S: Final = 86_400
_STUCK_DAYS_MIN: Final = 14
"""487 clean payments, which the default policy requires, take twelve days at forty a day."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Values of one deployment."""

    job: str
    """Name of the scrape job."""
    environment: str
    """Label of every alert, and of the targets if they have the label."""
    runbooks: str
    """Prefix of `<alert>.md` in `runbook_url`."""
    reliability_ratio: float
    on_time_within_s: float
    missed_after_s: float
    lease_s: float
    round_trip_every_s: float
    auth_every_s: float
    coverage_ratio: float
    top_rung: int
    stuck_after_s: float
    """Time on one rung below the top after which a ticket is opened."""
    is_removed: bool
    """Whether the hand-written timers are removed from the app (`lifecycle: removed`) and the ladder is off."""

    @property
    def within(self) -> str:
        """Matchers of every selector: the job, in this environment. Targets without the label match every environment.

        One Prometheus may scrape several environments; a failure in staging must not fire an alert of production.
        """
        environment = self.environment.replace(".", "[.]")
        return f'job="{self.job}", environment=~"{environment}|"'

    @property
    def error_budget_ratio(self) -> float:
        """The share of payments that may be late or missed."""
        return 1 - self.reliability_ratio


def terms_of(config: Config, *, job: str = DEFAULT_JOB, runbooks: str = DEFAULT_RUNBOOKS) -> Terms:
    """Return the values of a configuration. Without `reverb` its metrics stay 0, and probe intervals have their defaults."""
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
    """Return a PromQL duration in the largest whole unit; fractions of a second are rounded up."""
    whole = -int(-seconds // 1)
    for unit, length in (("d", _DAY_S), ("h", 3600), ("m", 60)):
        if whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def number(value: float) -> str:
    """Return a number for an expression, to six significant digits."""
    return f"{value:.6g}"
