"""What do SREs see in Grafana? Dashboards for one configuration, provisioned as files.

The problem: a dashboard that is drawn by hand repeats thresholds that are changed elsewhere, reads metrics that were
renamed, and sums the equal values of three replicas; and this is noticed during an incident.

The solution: dashboards are data. Metrics are read through `queries`, thresholds come from the rules, the layout is
computed, and tests check every query against a real `/metrics`. Grafana needs only the JSON.
"""

from sidecar.dashboards.board import Board
from sidecar.dashboards.boards import boards
from sidecar.dashboards.printing import printed, write
from sidecar.dashboards.terms import DEFAULT_CONSOLE, Shown, shown_of

__all__ = ["DEFAULT_CONSOLE", "Board", "Shown", "boards", "printed", "shown_of", "write"]
