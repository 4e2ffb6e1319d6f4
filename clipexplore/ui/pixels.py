"""Pixels' drawing: principal components of the pictures themselves, and the picture in CLIP's space beside them."""

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.pixels import COMPONENTS, PixelSpace, Rebuilt, RebuiltInClip, pixels_of
from clipexplore.labs.pixels import as_direction, as_picture
from clipexplore.language import _, numeral

from .expressions import show_error
from .plots import ACCENT, MUTED, OTHER, chart
from .results import hit_tiles, tiles
from .session import space
from .uploads import picture_url

SHOWN = 15  # components drawn as pictures, after the mean
LARGE = 192  # pixels of a picture beside its reconstruction


def pixels_here(written: str) -> np.ndarray | None:
    """The pixels of a picture `@id` of the collection or the visitor; None, with the reason on screen, without one."""
    try:
        return pixels_of(written, space().picture)
    except InputError as problem:
        show_error(problem)
        return None


def show_components(found: PixelSpace) -> None:
    """The mean picture and the first components as pictures."""
    st.subheader(_("Components are pictures"), anchor=False)
    factor, fit = _factor(found) // 2, found.fit
    shares = fit.explained_variance_ratio
    notes = [_("mean"), *(f"{number} · {numeral(share, '.1%')}" for number, share in enumerate(shares[:SHOWN], 1))]
    pictures = [as_picture(fit.mean, factor), *(as_direction(each, factor) for each in fit.components[:SHOWN])]
    tiles(((shown, note, note) for shown, note in zip(pictures, notes, strict=True)), width=84)
    st.caption(_("The mean and the first components, with their variance. Grey is zero; light adds, dark takes away."))


def _factor(found: PixelSpace) -> int:
    """By how much a picture is enlarged: one of digits has 8 pixels a side, others have 32."""
    return LARGE // (8 if found.rows.shape[1] == 64 else 32)


def show_rebuilt(found: Rebuilt, rank: int) -> None:
    """The picture, what its first `rank` components make of it, what they leave, and the nearest by pixels."""
    factor = _factor(found.pixels)
    st.subheader(_("As pixels"), anchor=False)
    shown = {
        _("original"): as_picture(found.row, factor),
        _("from {rank}").format(rank=rank): as_picture(found.rebuilt, factor),
        _("what is left"): as_direction(found.row - found.rebuilt, factor),
    }
    tiles(((picture, note, note) for note, picture in shown.items()), width=96)
    says = _(
        "From **{rank}** numbers: error {error:.1f} grey levels of 255, **{kept:.0%}** of what sets this picture apart "
        "from the mean."
    )
    st.markdown(says.format(rank=rank, error=found.error, kept=found.kept))
    st.caption(_("Nearest by the first {rank} components of the pixels: alike in paint").format(rank=rank))
    near = zip(found.near, (numeral(cosine, ".2f") for cosine in found.cosines), strict=True)
    tiles(((as_picture(found.pixels.rows[at], factor // 2), note, note) for at, note in near), width=72)


def show_rebuilt_in_clip(found: RebuiltInClip, id: str, rank: int) -> None:
    """The same picture in CLIP's space: what its first `rank` components keep, and the nearest to that."""
    st.subheader(_("As CLIP sees it"), anchor=False)
    st.image(picture_url(id[1:]), width=LARGE // 2, alt=id)
    says = _(
        "From **{rank}** numbers: cosine {cosine:.3f} with the whole vector, **{kept:.0%}** of what sets it apart from "
        "the mean."
    )
    st.markdown(says.format(rank=rank, cosine=found.cosine, kept=found.kept))
    st.caption(_("Nearest to what the first {rank} components of CLIP make of it: alike in meaning").format(rank=rank))
    hit_tiles(((hit, numeral(hit.cosine, ".2f")) for hit in found.hits), width=72)


def show_spectra(found: Rebuilt, clip: RebuiltInClip | None, id: str) -> None:
    """The fingerprints in both spaces, and how fast the variance is gathered."""
    spaces = [(found.pixels.fit, found.coordinates, dict(name=_("As pixels"), marker=dict(color=OTHER)))]
    if clip:
        spaces.append((clip.fit, clip.coordinates, dict(name=_("As CLIP sees it"), marker=dict(color=ACCENT))))
    left, right = st.columns(2, gap="large")
    with left:
        numbers = np.arange(1, 41)
        bars = [dict(type="bar", x=numbers, y=z[:40] / np.abs(z[:40]).max(), **look) for _fit, z, look in spaces]
        alt = _("Bars: the coordinates of {q} along the first components, in pixels and in CLIP's space").format(q=id)
        chart(
            bars, alt, "pixel-fingerprint", height=340, legend="above", x=_("component"), y=_("z, the largest being 1")
        )
    with right:
        running = [(fit.explained_variance_ratio[:COMPONENTS].cumsum(), look) for fit, _z, look in spaces]
        curves = [dict(type="scatter", x=np.arange(1, len(y) + 1), y=y, mode="lines", **look) for y, look in running]
        alt = _(
            "Lines: the share of the variance that the first k components gather, of pixels and of CLIP's embeddings"
        )
        chart(
            curves,
            alt,
            "pixel-spectra",
            height=340,
            legend="above",
            x="k",
            across=[dict(y=0.9, dash="dot", color=MUTED)],
            y=dict(title=_("cumulative"), tickformat=".0%", range=[0, 1.02]),
        )
