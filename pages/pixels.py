"""The same picture as plain pixels and in CLIP's space: components, a reconstruction of rank k, and the nearest
pictures in both.

What one learns: PCA is a linear autoencoder of anything; near by pixels is alike in paint, near by CLIP is alike in
meaning.
Source: Sirovich and Kirby 1987 (components of pictures); the digits are those of scikit-learn.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.pixels import in_clip, in_pixels, pixel_space, rebuilt
from clipexplore.language import _

ui.header(
    lead=_("The same picture as plain pixels and as CLIP sees it: what each space keeps, and what it forgets."),
    why=_(
        "A picture is a long row of numbers, one for the red, green and blue of every pixel. Its principal components "
        "are pictures themselves: light above, dark below, a round thing in the middle. Few of them rebuild "
        "backgrounds and colours, and near by pixels means alike in **paint**. CLIP's components rebuild no picture, "
        "and near means alike in **meaning**: another pose, another size, another place."
    ),
    formula=r"x \approx \bar x + \sum_{i \le k} z_i v_i, \qquad z_i = v_i \cdot (x - \bar x)",
    attempt=_("Raise k and watch the ears come last. Compare the nearest pictures on both sides."),
)
with ui.row():
    sources = ["collection", "digits"] if ui.space().collection.has_files else ["digits"]
    source = ui.choice("source", _("Pictures"), sources)
    digits = source == "digits"
    if digits:
        digit = ui.slider("digit", _("Which digit"), 0, 1796, width=260)
        given = {"source": source, "digit": digit}
    else:
        typed = ui.text_line(
            "picture",
            _("Picture"),
            max_chars=200,
            width=260,
            help=_("The `@id` of a picture of the collection or of one that you uploaded."),
        )
        ui.add_picture("picture")
        given = {"picture": typed.strip()}
    rank = ui.slider("rank", _("Components kept, k"), 1, 100, width=260)

pixels = ui.call(pixel_space, source=source).awaited("pixels")
if digits:
    row, clip = pixels.rows[digit] if pixels else None, None
else:
    row = ui.pixels_here(given["picture"])
    clip = None if row is None else ui.call(in_clip, **given, rank=rank)

left, right = st.columns(2, gap="large")
with right:
    if clip:
        ui.show_rebuilt_in_clip(clip.result, given["picture"], rank)
    elif pixels:
        ui.show_components(pixels)
if pixels and row is not None:
    found = rebuilt(pixels, row, rank)
    with left:
        ui.show_rebuilt(found, rank)
    ui.show_spectra(found, clip and clip.result, given.get("picture", str(given.get("digit"))))
    if clip:
        ui.open_in(given["picture"])
        ui.show_components(pixels)
calls = [ui.call(in_pixels, **given, rank=rank), clip]
ui.code(*filter(None, calls))
