"""Which addresses send deliveries that Stripe did not sign, so that they cannot keep Stripe's from being verified.

The problem: verifying a forged body costs as much as verifying a genuine one, and anybody can send them. A limit of the
route would refuse Stripe with the forgers.

What we do: an address has a budget for deliveries that are refused. Once it is used up, more are refused before their
body is read. An address that sent a delivery with a valid signature within the last day is never refused: where all
requests come from one proxy that is not configured (`listen.proxies`), Stripe must not pay for the forgers.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from sidecar import clock
from sidecar.http.quotas import KEYS_MAX, Quotas
from sidecar.http.rate_limits import REFUSED_AFTER_S
from sidecar.ports import ErrorCode, SidecarError

REFUSED_AT_ONCE = 20
REFUSED_PER_S = 5.0
"""Refused deliveries of one address: a wrong secret of a busy endpoint is still named for each."""
DELAYED_MAX = 100
"""Refusals that wait for their answer; more are answered at once, so that they do not take the route's permits."""
KNOWN_FOR_S = 24 * 3600.0
"""How long an address counts as one of Stripe's after a delivery with a valid signature."""


class WebhookSources:
    """The addresses that deliver webhooks."""

    def __init__(self, now_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._now_s = now_s
        self._refusals = Quotas(at_once=REFUSED_AT_ONCE, per_s=REFUSED_PER_S, now_s=now_s)
        self._delayed_count = 0
        self._known: OrderedDict[str, float] = OrderedDict()
        """Address → when it last sent a delivery with a valid signature."""

    async def check(self, address: str) -> None:
        """Raise `SidecarError` with `rate_exceeded`, after a while, if the budget of this address is used up."""
        if not self._has_budget(address):
            if self._delayed_count < DELAYED_MAX:
                self._delayed_count += 1
                try:
                    await asyncio.sleep(REFUSED_AFTER_S)
                finally:
                    self._delayed_count -= 1
            raise _refusal()

    def check_again(self, address: str) -> None:
        """Raise `SidecarError` with `rate_exceeded` if the budget was used up while the body arrived.

        Deliveries that arrive at once have all passed `check` before the first of them was verified.
        """
        if not self._has_budget(address):
            raise _refusal()

    def refused(self, address: str) -> None:
        """Charge a refused delivery to an address."""
        self._refusals.takes(address)

    def verified(self, address: str) -> None:
        """Note that an address sent a delivery that Stripe signed."""
        self._known.pop(address, None)
        self._known[address] = self._now_s()
        if len(self._known) > KEYS_MAX:
            self._known.popitem(last=False)

    def _has_budget(self, address: str) -> bool:
        return self._is_known(address) or self._refusals.has(address)

    def _is_known(self, address: str) -> bool:
        since_s = self._known.get(address)
        return since_s is not None and self._now_s() - since_s < KNOWN_FOR_S


def _refusal() -> SidecarError:
    message = "this address sent too many deliveries that Stripe did not sign; try again later"
    return SidecarError(ErrorCode.RATE_EXCEEDED, message)
