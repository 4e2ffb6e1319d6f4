"""CLIP Explorer as a library: `from clipexplore import …` gives the numbers that the pages show.

The names below are loaded when they are first used, so that importing the package imports nothing heavy.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "Collection": "store.collection",
    "Embedder": "models.embedder",
    "InputError": "errors",
    "Renderer": "draw.renderer",
    "Space": "space",
    "across_gap": "points",
    "additive": "labs.properties",
    "Bridge": "models.bridge",
    "best_box": "labs.relevance",
    "best_scale": "labs.zeroshot",
    "by_template_count": "labs.zeroshot",
    "changed_dimensions": "labs.properties",
    "class_embeddings": "labs.zeroshot",
    "classify": "labs.zeroshot",
    "cka": "labs.agreement",
    "close_gap": "labs.contrast",
    "combine": "expression",
    "compare_neighbours": "labs.agreement",
    "cooccurrence": "labs.semantics",
    "cosine_similarity": "vectors",
    "crops": "labs.relevance",
    "define": "names",
    "difference_cosines": "labs.properties",
    "direction": "labs.properties",
    "factorized": "labs.semantics",
    "faithfulness": "maps.pca",
    "f1_by_threshold": "labs.concepts",
    "fit_bridge": "models.bridge",
    "fit_layout": "maps.umap",
    "fit_umap": "maps.reference",
    "gap_alignment": "maps.pca",
    "hardest_negatives": "labs.contrast",
    "held_out_ranks": "labs.properties",
    "iou": "labs.relevance",
    "kindred_texts": "labs.semantics",
    "learn_concepts": "labs.concepts",
    "lerp": "vectors",
    "lsa": "labs.semantics",
    "match_pairs": "labs.contrast",
    "modality_gap": "labs.contrast",
    "nearest_words": "labs.semantics",
    "none_of_these": "labs.zeroshot",
    "normalize": "vectors",
    "overlaps": "labs.relevance",
    "parallelism": "labs.properties",
    "parse": "expression",
    "path": "vectors",
    "pca": "maps.pca",
    "pictures_on_top": "labs.contrast",
    "place": "maps.place",
    "ppmi": "labs.semantics",
    "predict_cell": "labs.properties",
    "prompt_path": "draw.walks",
    "purity": "labs.concepts",
    "recall_at": "labs.contrast",
    "reconstructions": "maps.pca",
    "relevance_maps": "labs.relevance",
    "reliability": "labs.zeroshot",
    "report": "labs.zeroshot",
    "search": "retrieval.nearest",
    "slerp": "vectors",
    "stability": "labs.concepts",
    "take_apart": "labs.apart",
    "term_document": "labs.semantics",
    "trust_in": "maps.trust",
    "windows": "labs.relevance",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
