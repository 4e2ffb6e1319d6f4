"""CLIP Explorer as a library: `from clipexplore import …` gives the numbers that the pages show.

The names below are loaded when they are first used, so that importing the package imports nothing heavy.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "Collection": "collection",
    "Embedder": "embedder",
    "InputError": "errors",
    "Space": "space",
    "class_embeddings": "zeroshot",
    "classify": "zeroshot",
    "combine": "expression",
    "cosine_similarity": "vectors",
    "direction": "properties",
    "lerp": "vectors",
    "normalize": "vectors",
    "parse": "expression",
    "path": "vectors",
    "pca": "projection",
    "place": "projection",
    "search": "collection",
    "slerp": "vectors",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
