"""What do SREs read? Every metric, as it is declared, and as Prometheus scrapes it.

*Folded* metrics are read from the journal's state and are equal on all replicas: query them with
`max without (instance, pod)`. They are rows of one table. *Process* metrics belong to one process: the part that counts
declares them.
"""

from sidecar.metrics.catalogue import Catalogue, catalogue, page
from sidecar.metrics.encoding import encode
from sidecar.metrics.exemplars import Exemplars
from sidecar.metrics.exposition import Exposition, histogram_family
from sidecar.metrics.table import TABLE
from sidecar.parts.metrics import PREFIX

__all__ = ["PREFIX", "TABLE", "Catalogue", "Exemplars", "Exposition", "catalogue", "encode", "histogram_family", "page"]
