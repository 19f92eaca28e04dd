"""The report as Markdown: for a merge request, a wiki, a release's notes."""

import re

from sidecar.console.report.report import Report
from sidecar.console.report.sections import Section, Table, sections, title

_SPECIAL = re.compile(r"([\\`*\[\]<>|#~&$!])|(?<![A-Za-z0-9])(_)|(_)(?![A-Za-z0-9])")


def markdown(report: Report) -> str:
    """Return the report as GitHub's Markdown. Texts are escaped."""
    parts = [f"# {_text(title(report))}", *(part for section in sections(report) for part in _section(section))]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"## {_text(section.title)}", *(_text(paragraph) for paragraph in section.paragraphs)]
    if section.facts:
        parts.append("\n".join(f"- **{_text(name)}**: {_text(value)}" for name, value in section.facts))
    if section.table is not None:
        parts.append(_table(section.table))
    return parts


def _table(table: Table) -> str:
    lines = [table.heads, tuple("---:" if number in table.numbers else "---" for number in range(len(table.heads)))]
    rows = [" | ".join(lines[0]), " | ".join(lines[1])]
    rows += [" | ".join(_text(cell) for cell in row) for row in table.rows]
    return "\n".join(f"| {line} |" for line in rows)


def _text(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
