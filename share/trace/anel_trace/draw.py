# draw.py: the command that draws a described picture.
# SPDX-License-Identifier: MIT
"""A described picture is a JSON that an author wrote (schema.py), not the record of a run."""

from .draw_chart import Chart
from .draw_lanes import Lanes
from .draw_memory import Memory
from .draw_ring import Ring
from .draw_states import States
from .draw_tree import Tree
from .picture import drawn
from .words import Words

KINDS = {"lanes": Lanes, "memory": Memory, "ring": Ring, "tree": Tree, "chart": Chart,
         "states": States}


def draw(data, options, language, width, styled=True):
    """The SVG text of a described picture; `options` is not used."""
    del options
    return drawn(KINDS[data["kind"]], data, Words(language), width, styled)


def text_of(value, language):
    return value if isinstance(value, str) else value[language]
