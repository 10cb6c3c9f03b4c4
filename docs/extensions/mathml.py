"""Formulas as MathML, which browsers draw by themselves: no script, no font, no LaTeX. The translation is docutils' own."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)

SIZED = re.compile(r"\\([bB]ig)(?=([(\[{]|\\lVert)?([)\]}]|\\rVert)?)")
"""`\\big(`, which docutils knows as `\\bigl(`, and `\\big)` as `\\bigr)`."""


def _translated(node: nodes.Element, as_block: bool) -> str:
    """The formula of a node; one that cannot be translated is a warning, which fails the build."""
    try:
        text = SIZED.sub(lambda found: f"\\{found[1]}{'l' if found[2] else 'r' if found[3] else ''}" if found[2] or found[3] else "", node.astext())
        return latex2mathml.tex2mathml(text.strip(), as_block=as_block)
    except MathError as error:
        LOGGER.warning("no MathML for %r: %s", node.astext(), error, location=node)
        return ""


def _inline(translator: Any, node: nodes.Element) -> None:
    translator.body.append(_translated(node, as_block=False))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.Element) -> None:
    translator.body.append(f'<div class="math">{_translated(node, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
