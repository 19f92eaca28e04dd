"""What does a visitor of the demo see and touch? The demo's page and the payer's page: their files and their routes."""

from sidecar.demo.page.routes import Pages
from sidecar.demo.world.contract import Demo, Visitor

__all__ = ["Demo", "Pages", "Visitor"]
