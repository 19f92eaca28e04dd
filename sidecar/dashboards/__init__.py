"""What do SREs look at? Grafana dashboards, made for one configuration and provisioned by file.

The problem: a dashboard that was drawn by hand repeats thresholds that somebody changes elsewhere, reads metrics that were
renamed, and shows three replicas' equal numbers as three times the truth; and nobody notices until a bad night.

What we do: dashboards are data. Metrics are read through `queries`, thresholds come from the rules, the layout is computed,
and tests hold each query to what `/metrics` tells. Grafana needs nothing but the JSON.
"""

from sidecar.dashboards.board import Board
from sidecar.dashboards.boards import boards
from sidecar.dashboards.printing import printed, write
from sidecar.dashboards.terms import DEFAULT_CONSOLE, Shown, shown_of

__all__ = ["DEFAULT_CONSOLE", "Board", "Shown", "boards", "printed", "shown_of", "write"]
