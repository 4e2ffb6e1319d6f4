"""The clouds whose principal components are taken apart: the pictures, the captions, both together, or the words."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from clipexplore.components import gap_alignment
from clipexplore.projection import PCA, pca
from clipexplore.space import Hit, Space

from .session import space
from .texts import text

CLOUDS = ("pictures", "captions", "both", "words")
MOST = 10_000  # rows of a cloud; a larger one is sampled evenly
GAP = 0.9  # of |cosine| with the modality gap, from where a component is called so


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points `(n, dim)` and their projection.

    Attributes
    ----------
    ids, captions, kinds
        One per point; an id is that of the bank the point is from, a kind is "pictures", "captions" or "words".
    whole
        How many there were before sampling.
    gap
        `(k,)`: how far each component is the modality gap; None unless pictures and captions are both there.
    """

    of: str
    points: np.ndarray
    ids: list[str]
    captions: list[str]
    kinds: list[str]
    whole: int
    fit: PCA
    gap: np.ndarray | None

    def hit(self, row: int, rank: int, component: int) -> Hit:
        """A point with its cosine with a component, and its coordinate in standard deviations as z."""
        along = self.fit.components[component]
        point = self.fit.prepare(self.points[row])
        deviation = self.fit.singular_values[component] / np.sqrt(len(self.points))
        return Hit(self.ids[row], self.captions[row], float(along @ point / max(np.linalg.norm(point), 1e-9)), float(along @ point / deviation), rank, self.kinds[row])


def cloud_of(of: str, center: bool, standardize: bool) -> Cloud:
    """The cloud of that name in the session's space, projected with these switches to as many components as it has."""
    here = space()
    cloud = _cloud(here, here.model.key, here.collection.version, here.revision, of, center, standardize)
    if len(cloud.points) < cloud.whole:
        st.caption(text("components.sampled", count=len(cloud.points), whole=cloud.whole))
    return cloud


@st.cache_resource(max_entries=12, show_spinner=False)
def _cloud(_space: Space, model: str, collection: str, revision: str, of: str, center: bool, standardize: bool) -> Cloud:
    kinds = ("pictures", "captions") if of == "both" else (of,)
    banks = [_space.words if kind == "words" else _space.collection for kind in kinds]
    vectors = [bank.embeddings(model, "captions" if kind == "words" else kind) for bank, kind in zip(banks, kinds, strict=True)]
    rows = [np.arange(0, len(each), max(1, -(-len(each) * len(kinds) // MOST))) for each in vectors]
    points = np.concatenate([each[some] for each, some in zip(vectors, rows, strict=True)])
    fit = pca(points, min(points.shape), center=center, standardize=standardize)
    ids = [bank.ids[row] for bank, some in zip(banks, rows, strict=True) for row in some]
    captions = [bank.captions[row] for bank, some in zip(banks, rows, strict=True) for row in some]
    gap = gap_alignment(fit, *vectors) if of == "both" else None
    return Cloud(of, points, ids, captions, [kind for kind, some in zip(kinds, rows, strict=True) for _ in some], sum(map(len, vectors)), fit, gap)


def cloud_code(of: str) -> str:
    """The line of Python that gives the points of a cloud."""
    bank = "words" if of == "words" else "collection"
    parts = [f'space.{bank}.embeddings(space.model.key, "{kind}")' for kind in {"both": CLOUDS[:2], "words": ["captions"]}.get(of, [of])]
    return parts[0] if len(parts) == 1 else f"np.concatenate([{', '.join(parts)}])"


def say_gap(cloud: Cloud) -> None:
    """Which component is the modality gap, where there is one."""
    if cloud.gap is None:
        return
    found = int(cloud.gap.argmax())
    if cloud.gap[found] >= GAP:
        st.info(text("components.gap", number=found + 1, cosine=cloud.gap[found], share=cloud.fit.explained_variance_ratio[found]), icon=":material/compare_arrows:")
    else:
        st.info(text("components.no_gap", number=found + 1, cosine=cloud.gap[found]), icon=":material/compare_arrows:")
