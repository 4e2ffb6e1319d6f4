"""Zero-shot classification: pictures against class names that anybody can write down.

What one learns: a classifier made of sentences, why templates help, and that the probabilities are conditional on the list (Radford et al. 2021, §3.1).
"""

import streamlit as st

from clipexplore import links, ui
from clipexplore.zeroshot import class_embeddings, classify

DEFAULTS = links.PAGES["classify"]

ui.header("classify")
image, classes, template = st.columns([3, 3, 2])
with image:
    pictures = ui.lines_box(ui.text("classify.image"), DEFAULTS["image"], key="image", least=1, most=12, help=ui.text("classify.image_help"))
    ui.add_picture(lambda id: ui.preset(image=f"@{id}"))
with classes:
    class_names = ui.lines_box(ui.text("classify.class_names"), DEFAULTS["class_names"], key="class_names", least=1, most=200)
with template:
    templates = ui.lines_box(ui.text("classify.templates"), DEFAULTS["templates"], key="templates", least=1, most=80, help=ui.text("classify.templates_help"))

points = ui.points_of(pictures or [])
if points and class_names and templates:
    ui.warn_of_cuts([each.replace("{}", name) for each in templates for name in class_names])
    scores = classify(ui.stack(points), class_embeddings(ui.space().embed_texts, class_names, templates), ui.space().model.logit_scale)
    for row, point in enumerate(points):
        ui.class_bars(point, class_names, scores, row, key=f"classes-{row}")
    st.caption(ui.text("classify.conditional", scale=ui.space().model.logit_scale))
    ui.scores_download([str(point.expression) for point in points], class_names, scores)
    ui.code(f"""
from clipexplore import Space, class_embeddings, classify

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
picture = space.point({str(points[0].expression)!r}).vector
classes = class_embeddings(space.embed_texts, {class_names!r}, {templates!r})
print(classify(picture[None], classes, space.model.logit_scale).probs)
""")
