"""Zero-shot classification: pictures against classes that anybody can write down; a whole collection; and where in a
picture.

What one learns: a classifier made of sentences, why templates help, that the probabilities are conditional on the list,
how to judge it on labelled pictures, and what CLIP knows about parts of a picture (Radford et al. 2021, §3.1).
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.classify import classify, judge
from clipexplore.explore.where import judge_where, where
from clipexplore.language import _

ui.header(
    lead=_("Describe the classes in words: no training, no labels."),
    why=_(
        "Each class name is put into the templates, embedded, averaged and normalised. The picture's cosines with the "
        "classes, times the scale that CLIP has learned, go through a softmax. The probabilities are **conditional on "
        "one of your classes being right**: CLIP never answers “none of these”. Look at the cosines to see whether any "
        "class fits at all. SigLIP’s models judge each class by itself: a sigmoid of scale × cosine + bias, so that "
        "“none of these” is an answer. Sources: Radford et al. 2021, §3.1; Zhai et al. 2023, §3.2."
    ),
    formula=r"p_i = \frac{e^{s\,(x \cdot c_i)}}{\sum_j e^{s\,(x \cdot c_j)}}, "
    r"\qquad p_i^\text{SigLIP} = \frac{1}{1 + e^{-s\,(x \cdot c_i) - b}}",
    attempt=_("Remove the right class from the list and watch which wrong one becomes almost certain."),
)
task = ui.choice(
    "task",
    _("Classify"),
    ["pictures", "collection", "where"],
    help=_(
        "**pictures**: a few, with all their probabilities. **collection**: all labelled pictures at once, judged by "
        "their labels. **where**: which part of the first picture shows each class."
    ),
)
left, middle, right = st.columns([3, 3, 2])
if task == "collection":
    with left:
        field = ui.label_box()
    with middle:
        using = ui.choice(
            "using",
            _("Look closer at"),
            ["bare", "one", "yours", "many"],
            help=_(
                "Bare names; one template, “a photo of a …”; yours, the mean of those on the right; many, the mean of "
                "25."
            ),
        )
else:
    with left:
        pictures = ui.lines_box(
            "image",
            _("Pictures, one a line"),
            least=1,
            most=12,
            help=_("An `@id`, or any other expression, on each line. Upload your own with the button below."),
        )
        ui.add_picture("image")
    with middle:
        names = _("Classes, one a line")
        class_names = ui.lines_box("class_names", names, least=1, most=200)
with right:
    templates = ui.lines_box(
        "templates",
        _("Templates, one a line"),
        least=1,
        most=80,
        help=_("`{}` stands where the class name goes. Several templates are averaged."),
    )

if task == "collection" and templates:
    call = ui.call(judge, field=field, templates=templates)
    if judged := call.awaited("judged", "classes"):
        ui.show_accuracies(judged)
        ui.say_figures(
            _(
                "**Emoji World’s own CLIP**, every one of its things drawn once more: top-1 {of[zero-shot top-1, 1 "
                "template]:.1%} with the bare name, {of[zero-shot top-1, 2 templates]:.1%} with 2 templates, "
                "{of[zero-shot top-1, 4 templates]:.1%} with 4, {of[zero-shot top-1, 8 templates]:.1%} with 8, "
                "{of[zero-shot top-1, 16 templates]:.1%} with 16, {of[zero-shot top-1, 25 templates]:.1%} with all 25."
            )
        )
        ui.show_confusion(judged, using)
        ui.show_calibration(judged, using)
        ui.show_mistakes(judged, using)
        ui.code(call)

if task == "where" and pictures and class_names and templates and (seen := ui.windows_of(pictures[0])):
    few = class_names[:6]
    classes = ui.classes_for(few, templates)
    call = ui.call(where, image=pictures[0], class_names=few, templates=templates)
    if classes:
        ui.show_where(call.knowing(seen=seen, classes=classes.vectors).result)
    if ui.toggle(
        "judge",
        _("How good is this?"),
        help=_(
            "Looks for both things in scenes of the collection whose boxes are known; about a minute without a GPU."
        ),
    ) and (measured := ui.call(judge_where).awaited("where-judged", "classes")):
        ui.show_where_judged(measured)
    ui.say_figures(
        _(
            "**Emoji World’s own CLIP**, in 200 new scenes of two things: mean IoU {of[detection: mean IoU]:.2f}, "
            "{of[detection: right thing]:.1%} of the boxes on the right thing."
        )
    )
    ui.code(call)

if task == "pictures" and (points := ui.points_of(pictures or [])) and class_names and templates:
    call = ui.call(classify, image=points, class_names=class_names, templates=templates)
    if classes := ui.classes_for(class_names, templates):
        ui.show_classes(call.knowing(classes=classes).result)
        ui.open_in(points[0])
        ui.code(call)
