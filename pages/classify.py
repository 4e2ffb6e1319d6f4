"""Zero-shot classification: pictures against class names that anybody can write down; a whole collection; and where in a picture.

What one learns: a classifier made of sentences, why templates help, that the probabilities are conditional on the list, how to judge it on labelled
pictures, and what CLIP knows about parts of a picture (Radford et al. 2021, §3.1).
"""

import streamlit as st

from clipexplore import links, ui
from clipexplore.zeroshot import class_embeddings, classify

DEFAULTS = links.PAGES["classify"]

ui.header("classify")
task = st.segmented_control(ui.text("classify.task"), ["pictures", "collection", "where"], default=DEFAULTS["task"], required=True, key="task", bind="query-params",
                            help=ui.text("classify.task_help")) or DEFAULTS["task"]  # fmt: skip
image, classes, template = st.columns([3, 3, 2])
if task == "collection":
    with image:
        fields = ui.label_fields()
        field = st.selectbox(ui.text("judge.field"), fields, index=fields.index(DEFAULTS["field"]) if DEFAULTS["field"] in fields else 0, key="field",
                             bind="query-params", help=ui.text("judge.field_help"))  # fmt: skip
    with classes:
        using = st.segmented_control(ui.text("judge.using"), ["bare", "one", "yours", "many"], default=DEFAULTS["using"], required=True, key="using",
                                     bind="query-params", help=ui.text("judge.using_help")) or DEFAULTS["using"]  # fmt: skip
else:
    with image:
        pictures = ui.lines_box(ui.text("classify.image"), DEFAULTS["image"], key="image", least=1, most=12, help=ui.text("classify.image_help"))
        ui.add_picture(lambda id: ui.preset(image=f"@{id}"))
    with classes:
        class_names = ui.lines_box(ui.text("classify.class_names"), DEFAULTS["class_names"], key="class_names", least=1, most=200)
with template:
    templates = ui.lines_box(ui.text("classify.templates"), DEFAULTS["templates"], key="templates", least=1, most=80, help=ui.text("classify.templates_help"))

if task == "collection" and templates and (found := ui.judged(field, templates)):
    ui.judged_accuracies(found)
    ui.say_figures("classify")
    ui.judged_classes(found, using)
    ui.judged_trust(found, using)
    ui.judged_mistakes(found, using)
    ui.code(f"""
from clipexplore import Space, class_embeddings, classify, report
from clipexplore.evaluation import TEMPLATE_SETS
import numpy as np

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
names, labels = {found.names!r}, space.collection.fields[{field!r}].astype("string")
known = labels.isin(names).to_numpy()
classes = class_embeddings(space.embed_texts, names, TEMPLATE_SETS["many"])
scores = classify(space.collection.embeddings(space.model.key, "pictures")[known], classes, space.model.logit_scale)
print(report(scores.cosines, np.array([names.index(each) for each in labels[known]])).accuracy)
""")

if task == "where" and pictures and class_names and templates and (seen := ui.window_vectors(pictures[0])):
    boxes, vectors = seen
    ui.where_maps(pictures[0], boxes, vectors, class_names[:6], templates)
    if st.toggle(ui.text("where.judge"), DEFAULTS["judge"], key="judge", bind="query-params", help=ui.text("where.judge_help")):
        ui.where_judged()
    ui.say_figures("where")
    ui.code(f"""
from clipexplore import Space, best_box, class_embeddings, crops, relevance_maps, windows
from clipexplore.images import open_picture

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
picture = open_picture(space.picture({pictures[0][1:]!r}))
picture.thumbnail((512, 512))
boxes = windows(*picture.size)
classes = class_embeddings(space.embed_texts, {class_names[:6]!r}, {templates!r})
cosines = space.embedder.embed_images(crops(picture, boxes)) @ classes.T
for found in relevance_maps(cosines, boxes, picture.size, space.model.logit_scale):
    print(best_box(found))
""")

points = ui.points_of(pictures or []) if task == "pictures" else []
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
