"""Alerts about delivery: do payers receive the broadcasts of their payments by push?

Multi-window, multi-burn-rate alerts, after the SRE workbook's chapter on alerting: the long window shows that the burn is
significant, the short window that it continues. At low traffic a ratio alone is noise, so each rule also requires a
minimum number of failed payments.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from sidecar.rules.alert import COUNT, Alert, Severity, behind, while_push_is_served
from sidecar.rules.recordings import PUSH_SERVED, failed, failed_ratio, folded
from sidecar.rules.terms import Terms, number, span

FAILED_MIN: Final = "2.9"
"""Three failed payments; `increase` extrapolates, so a limit of 3 would miss some of them."""
RATIO_MAX: Final = 0.8
"""Upper bound of a limit: a loose objective times a high burn rate exceeds 100 %, and could never fire."""
REPORTERS_MIN: Final = 3
"""Payers who report that push failed, from which a ticket is opened; at five the flag falls."""


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """A burn rate: how many times faster than allowed the error budget is spent, over two windows."""

    rate: float
    long: str
    short: str

    def ratio_max(self, terms: Terms) -> float:
        """Return the share of failed payments that corresponds to this burn rate."""
        return float(number(min(self.rate * terms.error_budget_ratio, RATIO_MAX)))


FAST: Final = (Tier(rate=14.4, long="1h", short="5m"), Tier(rate=6, long="6h", short="30m"))
"""2 % of a month's budget in an hour; 5 % in six."""
SLOW: Final = (Tier(rate=3, long="1d", short="2h"), Tier(rate=1, long="3d", short="6h"))
"""10 % of a month's budget in a day; 10 % in three."""


def alerts(terms: Terms) -> Iterator[Alert]:
    """Yield the alerts about delivery."""
    job = f"{{{terms.within}}}"
    for tier in FAST:
        missed = f"did not receive their broadcast within {_on_time(terms)} in the last {tier.long}"
        yield from while_push_is_served(
            terms,
            name="ReverbSidecarDeliveryBurning",
            expr=_burning(tier, terms),
            window=tier.short,
            summary="Push does not deliver the broadcasts of payments.",
            affected=f"{COUNT} payers {missed}, more than {_percent(tier, terms)} of those who paid. Push is served: "
            'those of them who were served push see "Pay now" although they have paid.',
            unaffected=f"{COUNT} payers {missed}, more than {_percent(tier, terms)} of those who paid.",
            labels={"window": tier.long},
        )
    for tier in SLOW:
        yield Alert(
            name="ReverbSidecarDeliveryEroding",
            severity=Severity.TICKET,
            expr=_burning(tier, terms),
            summary="Push spends its error budget faster than allowed.",
            description=f"{COUNT} payers did not receive their broadcast within {_on_time(terms)} in the last {tier.long}, "
            f"more than {_percent(tier, terms)}. Those of them who were served push waited longer.{behind(terms)}",
            labels={"window": tier.long},
        )
    latched = f"max without (indicator) ({folded('alarm_latched')}{job}) == 1"
    yield Alert(
        name="ReverbSidecarBurningWithoutFalling",
        severity=Severity.PAGE,
        expr=f"({latched}\n  and {PUSH_SERVED}{job} == 1)\nor\n({failed('5m')}{job} >= 4.9\n  and {failed_ratio('5m')}{job} > 0.5\n"
        f"  and min_over_time({PUSH_SERVED}{job}[5m]) == 1)",
        lasting="2m",
        summary="Push fails and the sidecar still serves it.",
        description="An alarm is raised, or most payments of the last 5m failed, and payers are still served push. The sidecar "
        f"should have answered timers at once. Every payer from now on may wait: roll back by hand.{behind(terms)}",
    )
    yield Alert(
        name="ReverbSidecarReachDegraded",
        severity=Severity.TICKET,
        expr=f"{folded('reach_reporters')}{job} >= {REPORTERS_MIN}",
        lasting="5m",
        summary="Browsers of several payers report that push did not reach them.",
        description=f"{COUNT} payers report that push did not reach their browsers. A poll helped each of them, or they waited. "
        "At five the flag falls, and all payers are served timers.",
    )


def _on_time(terms: Terms) -> str:
    return span(terms.on_time_within_s) if terms.on_time_within_s >= 1 else f"{terms.on_time_within_s:g}s"


def _burning(tier: Tier, terms: Terms) -> str:
    job, limit = f"{{{terms.within}}}", number(tier.ratio_max(terms))
    return (
        f"{failed(tier.long)}{job} >= {FAILED_MIN}\n"
        f"and {failed_ratio(tier.long)}{job} > {limit}\n"
        f"and {failed_ratio(tier.short)}{job} > {limit}"
    )


def _percent(tier: Tier, terms: Terms) -> str:
    return f"{number(100 * tier.ratio_max(terms))}%"
