"""What CLIP was trained to do: find, in a batch of pictures and captions, which belong together; and the gap that it
leaves between them.

What one learns: the symmetric cross-entropy and what it pulls and pushes, SigLIP's loss of single pairs, chance, and
why pictures and texts still live in two places. Sources: Radford et al. 2021, §2.3; Zhai et al. 2023, §3.2; Liang et
al., Mind the gap, arXiv 2203.02053.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.gap import gap
from clipexplore.explore.match import match
from clipexplore.language import _

ui.header(
    lead=_("What CLIP was trained to do: in a batch of pictures and captions, find the pairs."),
    why=_(
        "Every picture is compared with every caption. Times the scale, each row goes through a softmax – which "
        "caption belongs to this picture? – and each column through another. The loss is the mean of −log of the right "
        "probabilities, both ways; guessing costs ln N. Its gradient says what training does next: the frame on the "
        "diagonal is **pulled together**, everything else **pushed apart**, the likeliest mistakes hardest. SigLIP’s "
        "models are asked of each pair by itself whether both belong together: a sigmoid of scale × cosine + bias "
        "answers, and the loss adds up −log of the right answers for each picture. Sources: Radford et al. 2021, §2.3; "
        "Zhai et al. 2023, §3.2."
    ),
    formula=r"L = -\frac{1}{2N} \sum_i \log \frac{e^{s\,x_i \cdot y_i}}{\sum_j e^{s\,x_i \cdot y_j}}"
    r" + \log \frac{e^{s\,x_i \cdot y_i}}{\sum_j e^{s\,x_j \cdot y_i}}, "
    r"\qquad \frac{\partial L}{\partial\,(s\,x_i \cdot y_j)} = \frac{p_{ij} + q_{ij} - 2\,[i = j]}{2N}, "
    r"\qquad L_\text{SigLIP} = -\frac{1}{N} \sum_{i,j} \log \sigma\bigl(\pm_{ij} (s\,x_i \cdot y_j + b)\bigr)",
    attempt=_("Break it on purpose: swap the captions of half of the pictures and watch the loss climb above chance."),
)
with ui.row():
    more = _(
        "How many pairs are drawn from the collection. More pairs, more rivals: the loss and its chance level grow."
    )
    n = ui.slider("n", _("Pairs"), 2, 200, width=200, help=more)
    same = _("Which pairs are drawn; the same number draws the same.")
    seed = ui.slider("seed", _("Sample"), 0, 99, width=140, help=same)
    swap = ui.slider(
        "swap",
        _("Swapped captions, %"),
        0,
        100,
        step=5,
        width=240,
        help=_("The captions of this share of the pictures, from the first on, each go to the next of them."),
    )
    scale = ui.number(
        "logit_scale",
        _("Scale of the logits"),
        0.1,
        1000.0,
        step=1.0,
        width=180,
        placeholder=ui.own_scale(),
        help=_(
            "Cosines are multiplied by it; a model trained with a sigmoid then adds its bias. Most models learned "
            "their own; OpenAI’s have 100."
        ),
    )
    dot = ui.toggle(
        "dot",
        _("Without normalising"),
        help=_(
            "Compares by dot product instead of cosine: the lengths that the model gave its vectors count, and long "
            "ones win. For pairs of your own they are known where all are of the collection; else only a sum is longer "
            "or shorter than 1."
        ),
    )
ui.say_scale()
with st.expander(_("Your own pairs"), icon=":material/edit:", expanded=bool(st.session_state.get("image"))):
    st.caption(
        _(
            "One a line, in the same order: the first caption belongs to the first picture. Each line is an "
            "expression. Leave both empty to draw from the collection."
        )
    )
    left, right = st.columns(2)
    with left:
        image = ui.lines_box("image", _("Pictures, one a line"), least=0, most=50)
        ui.add_picture("image", one_more=True)
    with right:
        captions = ui.lines_box("captions", _("Captions, one a line"), least=0, most=50)

image, captions = ui.meaningful(image, captions)
matched = ui.call(match, n=n, seed=seed, swap=swap, logit_scale=scale, dot=dot, image=image, captions=captions)
ui.show_loss(matched.result)
show = ui.choice("show", _("Show"), list(ui.matrices_of(matched.result.contrast)))
left, right = st.columns([3, 2], gap="large")
with left:
    ui.show_pairs(matched.result, show)
with right:
    ui.show_training(matched.result)
ui.pairs_download(matched.result)
ui.open_hardest(matched.result)

st.divider()
st.subheader(_("The modality gap"), anchor=False)
st.markdown(
    _(
        "Pictures and captions lie in two separate clouds, matched pairs included. Close the gap, or widen it, and see "
        "what that costs."
    )
)
close = _("Close the gap by, %")
closed = ui.slider("closed", close, -100, 100, step=10, width=420)
moved = ui.call(gap, seed=seed, closed=closed, logit_scale=scale)
ui.show_gap(moved.result, closed)
ui.say_figures(
    _(
        "**Emoji World’s own CLIP**, on 500 pairs it has never seen: gap {of[modality gap]:.3f}, loss {of[loss of 500 "
        "pairs]:.3f} where guessing costs {of[chance, ln 500]:.3f}, R@1 {of[R@1 of 500, picture → caption]:.1%} and "
        "{of[R@1 of 500, caption → picture]:.1%}; {of[pictures in a caption's top ten]:.1%} pictures in a caption’s "
        "top ten."
    )
)
ui.code(matched, moved)
