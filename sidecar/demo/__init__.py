"""What does it look like when it works, and when it breaks? A small world on loopback around the real sidecar."""

from sidecar.demo.show import SILENT, Ports, Show, installed, loop_of, pace_of, run
from sidecar.demo.summary import Summary, printed

__all__ = ["SILENT", "Ports", "Show", "Summary", "installed", "loop_of", "pace_of", "printed", "run"]
