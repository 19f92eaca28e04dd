"""The one table of folded metrics. Names are a contract with dashboards and rules."""

from sidecar.metrics import decision, payers, payments, reverb
from sidecar.metrics.rows import Histogram, Row

TABLE: tuple[Row | Histogram, ...] = (*payments.ROWS, *decision.ROWS, *reverb.ROWS, *payers.ROWS)
"""All metrics that are read from the state."""
