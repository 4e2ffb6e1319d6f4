"""Can the space be taken apart? Objects × values of a property: is "blue" the same step for a car and for a rose?

What one learns: parallel differences, the additive model and its R², and directions that mean something; all beside what chance would give.
Sources: Trager et al., arXiv 2302.14383; the counts of dimensions follow traberph/exploringCLIP.
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["properties"]

ui.header("properties")
left, middle, right = st.columns([2, 2, 3])
with left:
    objects = ui.lines_box(ui.text("properties.objects"), DEFAULTS["objects"], key="objects", least=2, most=16)
with middle:
    values = ui.lines_box(ui.text("properties.values"), DEFAULTS["values"], key="values", least=2, most=16)
with right:
    cell = st.text_input(ui.text("properties.cell"), DEFAULTS["cell"], key="cell", bind="query-params", max_chars=300, help=ui.text("properties.cell_help"))

if objects and values:
    grid = ui.grid_of(objects, values, cell)
    ui.show_grid(grid)
    ui.grid_metrics(grid)
    ui.say_figures("properties")

    st.divider()
    st.subheader(ui.text("properties.direction"), anchor=False)
    with st.container(horizontal=True, gap="medium"):
        before = st.selectbox(ui.text("properties.before"), values, index=values.index(DEFAULTS["before"]) if DEFAULTS["before"] in values else 0, key="before",
                              bind="query-params", width=220)  # fmt: skip
        after = st.selectbox(ui.text("properties.after"), values, index=values.index(DEFAULTS["after"]) if DEFAULTS["after"] in values else 1, key="after",
                             bind="query-params", width=220)  # fmt: skip
    found = ui.concept(grid, before, after)
    ui.show_direction(grid, before, after, found)
    ui.open_in(found.expression, "properties")

    st.divider()
    st.subheader(ui.text("properties.dimensions"), anchor=False)
    ui.show_dimensions(grid, before, after)
    ui.code(f"""
from clipexplore import Space, additive, parallelism
import numpy as np

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
cells = {[[str(each) for each in row] for row in grid.cells]!r}
grid = np.stack([[space.point(cell).vector for cell in row] for row in cells])
print(parallelism(grid))
print(additive(grid).r2)
""")
