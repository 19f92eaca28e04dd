"""Why can a browser not subscribe? One auth probe, or one request copied from a browser, with cause and remedy."""

from sidecar.doctor.catalogue import catalogue
from sidecar.doctor.curl import BYTES_MAX, read_curl
from sidecar.doctor.examination import Diagnosis, examine
from sidecar.doctor.payment import PaymentDiagnosis, Plan, pay
from sidecar.doctor.replay import examine_curl
from sidecar.doctor.screen import print_diagnosis, print_payment

__all__ = [
    "BYTES_MAX",
    "Diagnosis",
    "PaymentDiagnosis",
    "Plan",
    "catalogue",
    "examine",
    "examine_curl",
    "pay",
    "print_diagnosis",
    "print_payment",
    "read_curl",
]
