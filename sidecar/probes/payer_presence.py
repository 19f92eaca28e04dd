"""Does a payer wait for this payment? By what Stripe's event says of the PaymentIntent.

Stripe does not say so in one field. An invoice shows a payment of Stripe Billing: `invoice` up to API version
2025-03-31, `payment_details.order_reference` with the id of an invoice since. `setup_future_usage: off_session` shows
the opposite: the payer is there, and lets the payment method be charged later. A payment method is delayed if its
charge says so, or if no other was allowed. In doubt a payer waits: a payment without an answer then counts as silence.

Sources: https://docs.stripe.com/api/payment_intents/object, https://docs.stripe.com/changelog/basil (invoice),
https://docs.stripe.com/payments/payment-methods#payment-notification (delayed notification).
"""

from typing import Any

import msgspec

from sidecar.core.facts.observations import UNREADABLE
from sidecar.core.facts.outcomes import NoPayer

DELAYED = frozenset({
    "acss_debit",
    "ach_credit_transfer",
    "ach_debit",
    "au_becs_debit",
    "bacs_debit",
    "boleto",
    "customer_balance",
    "konbini",
    "multibanco",
    "nz_bank_account",
    "oxxo",
    "payto",
    "sepa_credit_transfer",
    "sepa_debit",
    "sofort",
    "us_bank_account",
})  # fmt: skip
"""Payment methods whose success Stripe reports minutes to days after the payer has left."""
_INVOICE = "in_"
_BILLING = ("Subscription creation", "Subscription update")
"""How Stripe Billing describes its PaymentIntents, where the app does not."""


class _PaymentIntent(msgspec.Struct, frozen=True):
    """The fields that show it. Their types are those of no contract: any other is as if the field were missing."""

    off_session: Any = None
    invoice: Any = None
    description: Any = None
    payment_details: Any = None
    payment_method_types: Any = None
    latest_charge: Any = None
    charges: Any = None


_decode = msgspec.json.Decoder(_PaymentIntent).decode


def no_payer_of(payment_intent: msgspec.Raw) -> NoPayer | None:
    """Return why no payer waits for a payment; None: one does, as far as the event shows."""
    try:
        payment = _decode(payment_intent)
    except UNREADABLE:
        return None
    charge = _charge(payment)
    if payment.off_session is True or isinstance(payment.off_session, str):
        return NoPayer.OFF_SESSION
    order = _get(payment.payment_details, "order_reference")
    is_billed = any((payment.invoice, _get(charge, "invoice"), _is_described(payment.description)))
    if is_billed or (isinstance(order, str) and order.startswith(_INVOICE)):
        return NoPayer.SUBSCRIPTION
    return NoPayer.DELAYED if _is_delayed(payment, charge) else None


def _is_described(description: object) -> bool:
    return isinstance(description, str) and description in _BILLING


def _is_delayed(payment: _PaymentIntent, charge: object) -> bool:
    used = _get(_get(charge, "payment_method_details"), "type")
    allowed = [used] if isinstance(used, str) else payment.payment_method_types
    return isinstance(allowed, list) and bool(allowed) and all(each in DELAYED for each in map(str, allowed))


def _charge(payment: _PaymentIntent) -> object:
    """Return the charge, where the event contains it: expanded, or in the list of API versions before 2022-11-15."""
    listed = _get(payment.charges, "data")
    if isinstance(payment.latest_charge, dict):
        return payment.latest_charge
    return listed[0] if isinstance(listed, list) and listed else None


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None
