"""What is one sidecar made of? Its parts, built from the configuration and wired together around one journal."""

from sidecar.composition.parts import PARTS, PartRow, kinds_of
from sidecar.composition.sidecar import Adoption, Sidecar
from sidecar.composition.wiring import Wiring

__all__ = ["PARTS", "Adoption", "PartRow", "Sidecar", "Wiring", "kinds_of"]
