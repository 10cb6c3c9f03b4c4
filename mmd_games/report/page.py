"""What all pages share: the style, the script and the policy that admits no other, the pictures, and that nothing which others named is ever read as HTML."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mmd_games.digits import number
from mmd_games.words import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmd_games.plots.curves import Curve


class Figure(NamedTuple):
    """A picture as a data URI with its size in pixels, the words for those who do not see it, and its curves as JSON for the script.

    Its key is a word for it that no other figure of the page has.
    """

    key: str
    source: str
    width: int
    height: int
    caption: str
    alt: str
    curves: str


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
    # Browsers run the script that has this hash and no other.
    script = hashlib.sha256(environment.get_template("page.js").render().encode("utf-8")).digest()
    return environment.get_template(template).render(script_hash=base64.b64encode(script).decode("ascii"), **values)


def figure(ax: Axes, key: str, caption: str, alt: str) -> Figure:
    """As an image of its own, so that nothing in one figure can meet what is in another."""
    from mmd_games.plots.curves import svg_and_curves  # which imports matplotlib

    svg, curves = svg_and_curves(ax)
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode('utf-8')).decode('ascii')}"
    width, height = (round(float(side) * 96 / 72) for side in re.findall(r' (?:width|height)="([0-9.]+)pt"', svg)[:2])
    return Figure(key, source, width, height, caption, alt, _for_script(ax, curves))


def _for_script(ax: Axes, curves: list[Curve]) -> str:
    """The curves as the script reads them: `along` the axis that is walked, with a `key` at each point, and `across` it the values; empty where there are none."""
    if not curves:
        return ""
    walked_down = curves[0].names_on_y
    lines = []
    for curve in curves:
        horizontal, vertical = (curve.left, curve.x), (curve.top, curve.y)
        (along, keys), (across, values) = (vertical, horizontal) if walked_down else (horizontal, vertical)
        # Lists of words are joined: in an attribute each quotation mark takes five characters.
        lines.append({"name": curve.name, "colour": curve.colour, "along": along, "across": across, "keys": "\n".join(keys), "values": "\n".join(values)})
    label = ax.get_ylabel() if walked_down else ax.get_xlabel()
    return json.dumps({"down": walked_down, "key": label.partition(" (")[0], "lines": lines}, separators=(",", ":"))
