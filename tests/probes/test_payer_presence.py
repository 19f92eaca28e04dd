"""What Stripe's event says of the payer: present, or off session, billed, delayed."""

import json
import random
from typing import Any

import msgspec
import pytest

from sidecar.core.facts.outcomes import NoPayer
from sidecar.probes.payer_presence import DELAYED, no_payer_of

OFF, BILLED, DELAY = NoPayer.OFF_SESSION, NoPayer.SUBSCRIPTION, NoPayer.DELAYED
SEPA = {"payment_method_details": {"type": "sepa_debit"}}
CARD = {"payment_method_details": {"type": "card", "card": {"brand": "visa"}}}

# fmt: off
EVENTS: list[tuple[dict[str, Any], NoPayer | None]] = [
    ({},                                                                                None),
    ({"payment_method_types": ["card"], "latest_charge": "ch_1", "invoice": None},      None),
    ({"setup_future_usage": "off_session", "payment_method_types": ["card"]},           None),
    ({"setup_future_usage": "on_session"},                                              None),
    # --- the app charged a stored method
    ({"off_session": True},                                                             OFF),
    ({"off_session": "recurring"},                                                      OFF),
    ({"off_session": False},                                                            None),
    ({"off_session": None},                                                             None),
    ({"off_session": True, "invoice": "in_1"},                                          OFF),
    # --- Stripe Billing
    ({"invoice": "in_1"},                                                               BILLED),
    ({"invoice": {"id": "in_1", "object": "invoice"}},                                  BILLED),
    ({"payment_details": {"customer_reference": None, "order_reference": "in_1S"}},     BILLED),
    ({"payment_details": {"customer_reference": None, "order_reference": "booking-7"}}, None),
    ({"payment_details": {"order_reference": None}},                                    None),
    ({"description": "Subscription update"},                                            BILLED),
    ({"description": "Subscription creation"},                                          BILLED),
    ({"description": "Subscription to the school paper"},                               None),
    ({"charges": {"data": [{"invoice": "in_1", **CARD}]}},                              BILLED),
    ({"latest_charge": {"id": "ch_1", "invoice": "in_1", **CARD}},                      BILLED),
    # --- delayed: what was charged, else what was allowed
    ({"payment_method_types": ["sepa_debit"]},                                          DELAY),
    ({"payment_method_types": ["sepa_debit", "bacs_debit"]},                            DELAY),
    ({"payment_method_types": ["card", "sepa_debit"]},                                  None),
    ({"payment_method_types": ["card", "sepa_debit"], "latest_charge": SEPA},           DELAY),
    ({"payment_method_types": ["card", "sepa_debit"], "charges": {"data": [SEPA]}},     DELAY),
    ({"payment_method_types": ["sepa_debit"], "latest_charge": CARD},                   None),
    ({"payment_method_types": ["ideal"]},                                               None),
    ({"payment_method_types": []},                                                      None),
    # --- no contract: never an error
    ({"payment_method_types": "sepa_debit", "charges": [], "latest_charge": 7},         None),
    ({"payment_method_types": [["sepa_debit"], None, {}], "description": ["x"]},        None),
    ({"payment_details": "in_1", "off_session": 1, "invoice": []},                      None),
]
# fmt: on


@pytest.mark.parametrize(("fields", "expected"), EVENTS)
def test_what_the_event_shows(fields: dict[str, Any], expected: NoPayer | None) -> None:
    """In doubt a payer waits."""
    body = json.dumps({"id": "pi_1", "object": "payment_intent", "metadata": {}, **fields}).encode()
    assert no_payer_of(msgspec.Raw(body)) is expected


@pytest.mark.parametrize("method", sorted(DELAYED))
def test_every_delayed_method_alone_is_delayed(method: str) -> None:
    """And with a card beside it, it is not known."""
    assert no_payer_of(msgspec.Raw(json.dumps({"payment_method_types": [method]}).encode())) is DELAY
    assert no_payer_of(msgspec.Raw(json.dumps({"payment_method_types": [method, "card"]}).encode())) is None


def test_nothing_in_these_fields_makes_a_payment_unreadable() -> None:
    """A payment that Stripe signed counts, whatever a later API version puts there."""
    rng = random.Random(7)
    values: list[Any] = [None, True, 0, 1e300, "", "in_1", [], {}, [[]], {"data": [None]}, {"data": {}}, 10**40]
    keys = (
        "off_session",
        "invoice",
        "description",
        "payment_details",
        "payment_method_types",
        "latest_charge",
        "charges",
    )
    for _ in range(500):
        body = json.dumps({key: rng.choice(values) for key in keys})
        no_payer_of(msgspec.Raw(body.encode()))
    no_payer_of(msgspec.Raw(b'{"charges": ' + b"[" * 5000 + b"]" * 5000 + b"}"))
