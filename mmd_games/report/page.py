"""What all pages share: the style, the pictures, and that nothing which others named is ever read as HTML."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from mmd_games import plots
from mmd_games.digits import number
from mmd_games.words import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Figure(NamedTuple):
    """A picture as a data URI, with the words for those who do not see it."""

    source: str
    caption: str
    alt: str


def rendered(template: str, **values: Any) -> str:
    """A page from a template of this package; every value that it prints is made visible and escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # imported where it is used: most commands write no page

    # What a template prints passes `visible` and is escaped then, whoever wrote it.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if isinstance(value, str) else value,
        loader=PackageLoader("mmd_games", "report"),
    )
    environment.filters["number"] = number
    return environment.get_template(template).render(**values)


def figure(ax: Axes, caption: str, alt: str) -> Figure:
    """As an image of its own, so that nothing in one figure can meet what is in another."""
    return Figure(f"data:image/svg+xml;base64,{base64.b64encode(plots.to_svg(ax).encode('utf-8')).decode('ascii')}", caption, alt)
