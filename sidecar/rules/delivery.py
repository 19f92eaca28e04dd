"""Alerts about delivery: do payers get the news of their payments by push?

Multi-window multi-burn-rate, after the SRE workbook's chapter on alerting: the long window says that it matters, the
short one that it still goes on. At low traffic a ratio alone says nothing, so payers are counted first.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from sidecar.rules.alert import Alert, Severity, behind, while_push_is_served
from sidecar.rules.recordings import PUSH_SERVED, failed, failed_ratio, folded
from sidecar.rules.terms import Terms, number, span

FAILED_MIN: Final = "2.9"
"""Three failed payments; `increase` extrapolates, so 3 would be missed by a hair."""
RATIO_MAX: Final = 0.8
"""A loose objective times a high burn rate is more than all payments, and could never fire."""
REPORTERS_MIN: Final = 3
"""Payers who say that push did not reach them, from which somebody should look; at five the flag falls."""


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """A burn rate: how many times faster than allowed the error budget is spent."""

    rate: float
    long: str
    short: str

    def ratio_max(self, terms: Terms) -> float:
        """Return the share of failed payments above which the budget is spent so fast."""
        return float(number(min(self.rate * terms.error_budget_ratio, RATIO_MAX)))


FAST: Final = (Tier(rate=14.4, long="1h", short="5m"), Tier(rate=6, long="6h", short="30m"))
"""2 % of a month's budget in an hour; 5 % in six."""
SLOW: Final = (Tier(rate=3, long="1d", short="2h"), Tier(rate=1, long="3d", short="6h"))
"""10 % of a month's budget in a day; 10 % in three."""


def alerts(terms: Terms) -> Iterator[Alert]:
    """Yield the alerts about delivery."""
    job = f"{{{terms.within}}}"
    on_time = span(terms.on_time_within_s) if terms.on_time_within_s >= 1 else f"{terms.on_time_within_s:g}s"
    for tier in FAST:
        yield from while_push_is_served(
            terms,
            name="ReverbSidecarDeliveryBurning",
            expr=_burning(tier, terms),
            window=tier.short,
            summary="Payers wait for the news of their payments, which push does not bring.",
            affected=f'{{{{ $value | printf "%.0f" }}}} payers of the last {tier.long} had no news by push within {on_time}, '
            f"more than {_percent(tier, terms)} of those who paid, and push is served: "
            'those of them who were told push see "Pay now" although they have paid.',
            unaffected=f'{{{{ $value | printf "%.0f" }}}} payments of the last {tier.long} had no news by push within '
            f"{on_time}, more than {_percent(tier, terms)}.",
            labels={"window": tier.long},
        )
    for tier in SLOW:
        yield Alert(
            name="ReverbSidecarDeliveryEroding",
            severity=Severity.TICKET,
            expr=_burning(tier, terms),
            summary="Push spends its error budget faster than it may.",
            description=f'{{{{ $value | printf "%.0f" }}}} payers of the last {tier.long} had no news by push within '
            f"{on_time}, more than {_percent(tier, terms)}: a few, for days. Those who were served push waited longer.{behind(terms)}",
            labels={"window": tier.long},
        )
    latched = f"max without (indicator) ({folded('alarm_latched')}{job}) == 1"
    yield Alert(
        name="ReverbSidecarBurningWithoutFalling",
        severity=Severity.PAGE,
        expr=f"({latched}\n  and {PUSH_SERVED}{job} == 1)\nor\n({failed('5m')}{job} >= 4.9\n  and {failed_ratio('5m')}{job} > 0.5\n"
        f"  and min_over_time({PUSH_SERVED}{job}[5m]) == 1)",
        lasting="2m",
        summary="Push fails, and the sidecar goes on serving it.",
        description="An alarm is raised, or most payments of the last 5m failed, and payers are still told push. "
        f"The sidecar should have answered timers at once. Every payer from now on may wait: roll back by hand.{behind(terms)}",
    )
    yield Alert(
        name="ReverbSidecarReachDegraded",
        severity=Severity.TICKET,
        expr=f"{folded('reach_reporters')}{job} >= {REPORTERS_MIN}",
        lasting="5m",
        summary="Browsers of several payers say that push did not reach them.",
        description='{{ $value | printf "%.0f" }} payers say that push did not reach their browsers. '
        "At five the flag falls, and everybody is served timers. Each of them was helped by a poll, or waited.",
    )


def _burning(tier: Tier, terms: Terms) -> str:
    job, limit = f"{{{terms.within}}}", number(tier.ratio_max(terms))
    return (
        f"{failed(tier.long)}{job} >= {FAILED_MIN}\n"
        f"and {failed_ratio(tier.long)}{job} > {limit}\n"
        f"and {failed_ratio(tier.short)}{job} > {limit}"
    )


def _percent(tier: Tier, terms: Terms) -> str:
    return f"{number(100 * tier.ratio_max(terms))}%"
