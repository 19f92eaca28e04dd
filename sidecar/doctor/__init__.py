"""Why can a browser not subscribe? One auth probe, or one request copied from a browser, with cause and remedy."""

from sidecar.doctor.catalogue import catalogue
from sidecar.doctor.curl import BYTES_MAX, read_curl
from sidecar.doctor.examination import Diagnosis, examine
from sidecar.doctor.replay import examine_curl
from sidecar.doctor.screen import print_diagnosis

__all__ = ["BYTES_MAX", "Diagnosis", "catalogue", "examine", "examine_curl", "print_diagnosis", "read_curl"]
