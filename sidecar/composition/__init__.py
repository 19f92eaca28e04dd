"""What is one sidecar made of? Configuration → objects, wired together around one journal. Nothing else knows how."""

from sidecar.composition.sets import SETS
from sidecar.composition.sidecar import Adoption, Sidecar

__all__ = ["SETS", "Adoption", "Sidecar"]
