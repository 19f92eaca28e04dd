"""Stripe's event for a succeeded payment, in its current shape (https://docs.stripe.com/api/events)."""

from typing import Any

_NOTHING = (
    "application application_fee_amount canceled_at cancellation_reason last_payment_error next_action on_behalf_of "
    "processing receipt_email review setup_future_usage source statement_descriptor statement_descriptor_suffix "
    "transfer_data transfer_group hooks"
)


def payment_succeeded(name: str, *, created_s: int) -> dict[str, Any]:
    """Return the event of a payment by card through Checkout, with two metadata keys."""
    payment = {
        "id": f"pi_{name}",
        "object": "payment_intent",
        "amount": 4200,
        "amount_capturable": 0,
        "amount_details": {"tip": {}, "shipping": {"amount": 0, "from_postal_code": None, "to_postal_code": None}},
        "amount_received": 4200,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "capture_method": "automatic_async",
        "client_secret": f"pi_{name}_secret_0123456789abcdefghijklmno",
        "confirmation_method": "automatic",
        "created": created_s - 20,
        "currency": "eur",
        "customer": "cus_QAZwsx123edcRFV",
        "description": "Holiday club, week 31, two children",
        "excluded_payment_method_types": None,
        "latest_charge": f"ch_{name}",
        "livemode": False,
        "metadata": {"booking_id": "48213", "user_id": "9731"},
        "payment_details": {"customer_reference": None, "order_reference": "48213"},
        "payment_method": "pm_1QAZwsx123edcRFVtgbYHNuj",
        "payment_method_configuration_details": {"id": "pmc_1QAZwsx123edcRFV", "parent": None},
        "payment_method_options": {
            "bancontact": {"preferred_language": "en"},
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
                "setup_future_usage": None,
            },
            "eps": {},
            "ideal": {},
            "klarna": {"preferred_locale": None},
            "link": {"persistent_token": None},
            "paypal": {"preferred_locale": None, "reference": None},
            "sepa_debit": {"mandate_options": {}},
        },
        "payment_method_types": ["card", "bancontact", "eps", "ideal", "klarna", "link", "paypal", "sepa_debit"],
        "presentment_details": {"presentment_amount": 4200, "presentment_currency": "eur"},
        "shipping": {
            "address": {
                "city": None,
                "country": "IE",
                "line1": None,
                "line2": None,
                "postal_code": None,
                "state": None,
            },
            "carrier": None,
            "name": "A. Parent",
            "phone": None,
            "tracking_number": None,
        },
        "status": "succeeded",
        **dict.fromkeys(_NOTHING.split()),
    }
    return {
        "id": f"evt_{name}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "context": None,
        "created": created_s,
        "data": {"object": payment},
        "livemode": False,
        "pending_webhooks": 2,
        "request": {"id": f"req_{name}", "idempotency_key": "187d5349-0a7b-4a4c-9c1e-5c3c0f6f1d2e"},
        "type": "payment_intent.succeeded",
    }
