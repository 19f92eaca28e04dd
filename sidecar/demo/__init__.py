"""What does it look like when it works, and when it breaks? A small world on loopback around the real sidecar."""

from sidecar.demo.world import Ports, run

__all__ = ["Ports", "run"]
