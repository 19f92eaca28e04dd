"""What goes into the release record? One typed value of a period, as an HTML, Markdown or JSON file."""

from sidecar.console.report.markdown import markdown
from sidecar.console.report.page import page
from sidecar.console.report.report import Report, report_of

__all__ = ["Report", "markdown", "page", "report_of"]
