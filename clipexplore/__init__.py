"""CLIP Explorer as a library: `from clipexplore import …` gives the numbers that the pages show.

The names below are loaded when they are first used, so that importing the package imports nothing heavy.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "Collection": "collection",
    "Embedder": "embedder",
    "InputError": "errors",
    "Renderer": "renderer",
    "Space": "space",
    "across_gap": "drawing.walks",
    "additive": "properties",
    "best_box": "relevance",
    "best_scale": "evaluation",
    "by_template_count": "evaluation",
    "changed_dimensions": "properties",
    "class_embeddings": "zeroshot",
    "classify": "zeroshot",
    "close_gap": "contrast",
    "combine": "expression",
    "cooccurrence": "semantics",
    "cosine_similarity": "vectors",
    "crops": "relevance",
    "define": "names",
    "difference_cosines": "properties",
    "direction": "properties",
    "factorized": "semantics",
    "faithfulness": "components",
    "fit_layout": "maps.layout",
    "fit_umap": "projection",
    "gap_alignment": "components",
    "hardest_negatives": "contrast",
    "held_out_ranks": "properties",
    "iou": "relevance",
    "kindred_texts": "semantics",
    "lerp": "vectors",
    "lsa": "semantics",
    "match_pairs": "contrast",
    "modality_gap": "contrast",
    "nearest_words": "semantics",
    "none_of_these": "evaluation",
    "normalize": "vectors",
    "overlaps": "relevance",
    "parallelism": "properties",
    "parse": "expression",
    "path": "vectors",
    "pca": "projection",
    "pictures_on_top": "contrast",
    "place": "projection",
    "ppmi": "semantics",
    "predict_cell": "properties",
    "prompt_path": "drawing.walks",
    "recall_at": "contrast",
    "reconstructions": "components",
    "relevance_maps": "relevance",
    "reliability": "evaluation",
    "report": "evaluation",
    "search": "collection",
    "slerp": "vectors",
    "term_document": "semantics",
    "trust_in": "maps.trust",
    "windows": "relevance",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
