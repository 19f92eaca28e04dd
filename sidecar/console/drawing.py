"""The elements of plots, as SVG.

A plot has hundreds of numbers. Elements are concatenated, because `Markup.format` costs many times as much; and all
bars or dots of a kind are one element, because each element costs the browser a node, a style and a layout.
"""

from collections.abc import Sequence

from markupsafe import Markup, escape


def path(kind: str, pieces: Sequence[str]) -> Markup:
    """Return one element of all pieces of a kind; empty without a piece."""
    drawn = "".join(pieces)
    return Markup(f'<path class="{kind}" d="{drawn}"/>' if drawn else "")  # noqa: S704 - numbers


def box(x: float, y: float, width: float, height: float) -> str:
    """Return a bar as a piece of a path; empty without a height."""
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z" if height > 0 else ""


def dot(x: float, y: float, radius: float) -> str:
    """Return a dot as a piece of a path."""
    half = f"a{radius:g} {radius:g} 0 1 0 "
    return f"M{x - radius:.1f} {y:.1f}{half}{2 * radius:g} 0{half}{-2 * radius:g} 0"


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Return a line."""
    return path(kind, [f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"])


def rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    """Return a rectangle."""
    return path(kind, [box(x, y, width, height)])


def text(x: float, y: float, content: str, kind: str) -> Markup:
    """Return a text, escaped."""
    return Markup(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>')  # noqa: S704 - escaped
