"""What the options of a choice are called on screen, in the visitor's language."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from clipexplore.language import LANGUAGES, _, language
from clipexplore.lessons import lessons
from clipexplore.models import catalog

from .shipped import field_called, titled


def called(key: str, option: str) -> str:
    """The name of an option of the choice with this key; what has none, such as a field or “slerp”, is its own."""
    if key == "lesson":
        return lessons()[option].title if option in lessons() else option
    if key in ("model", "other"):
        return titled(catalog.get(option))
    if name := _names(language.get()).get(key, {}).get(option):
        return name
    return field_called(option) if key in ("facet", "color", "field") else option


def naming(key: str, options: Sequence[str]) -> Callable[[str], str]:
    """What a widget asks for the name of an option, in the language of this run; no two have the same."""
    names = {option: called(key, option) for option in options}
    often = Counter(names.values())
    return {option: f"{name} ({option})" if often[name] > 1 else name for option, name in names.items()}.__getitem__


@cache
def _names(code: str) -> dict[str, dict[str, str]]:
    kinds = {"pictures": _("pictures"), "captions": _("captions"), "words": _("words"), "both": _("both")}
    probabilities = {"by picture": _("by picture"), "by caption": _("by caption"), "probabilities": _("probabilities")}
    return {
        "in": kinds,
        "bank": kinds,
        "of": kinds,
        "task": {"pictures": _("pictures"), "collection": _("collection"), "where": _("where")},
        "using": {"bare": _("bare"), "one": _("one"), "yours": _("yours"), "many": _("many")},
        "method": {"pca": "PCA", "umap": "UMAP", "own": _("own")},
        "color": {"similarity": _("similarity"), "trust": _("trust"), "groups": _("groups")},
        "fit": {"background": _("background"), "collection": _("collection"), "both": _("both")},
        "metric": {"cosine": _("cosine"), "euclidean": _("Euclidean")},
        "placing": {"neighbours": _("neighbours")},
        "facet": {"any": _("any")},
        "part": {
            "spectrum": _("spectrum"),
            "plane": _("plane"),
            "walk": _("walk"),
            "fingerprint": _("fingerprint"),
            "distances": _("distances"),
            "solvers": _("solvers"),
        },
        "order": {"stability": _("stability"), "purity": _("purity"), "frequency": _("frequency")},
        "curve": {"both": _("both"), "even": _("even")},
        "easing": {"linear": _("linear"), "smooth": _("smooth")},
        "space": {"auto": _("auto"), "joint": _("joint"), "tokens": _("tokens")},
        "scheduler": {"own": _("own")},
        "show": {"cosines": _("cosines"), "gradient": _("gradient"), **probabilities},
        "source": {"collection": _("collection"), "digits": _("digits")},
        "look": {"sample": _("sample"), "duplicates": _("duplicates"), "outliers": _("outliers")},
        "making-from": {"files": _("files"), "folder": _("folder"), "server": _("server")},
        "lang": {"auto": _("Your browser’s"), **LANGUAGES},
    }
