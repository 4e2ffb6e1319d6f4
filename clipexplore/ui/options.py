"""What the options of a choice are called on screen, in the visitor's language."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from clipexplore.language import LANGUAGES, _, language
from clipexplore.lessons import lessons
from clipexplore.models import catalog


def called(key: str, option: str) -> str:
    """The name of an option of the choice with this key; what has none, such as a field or “slerp”, is its own."""
    if key == "lesson":
        return lessons()[option].title if option in lessons() else option
    if key in ("model", "other"):
        return catalog.get(option).title
    return _names(language.get()).get(key, {}).get(option, option)


def naming(key: str, options: Sequence[str]) -> Callable[[str], str]:
    """What a widget asks for the name of an option, in the language of this run; no two have the same."""
    names = {option: called(key, option) for option in options}
    often = Counter(names.values())
    return {option: f"{name} ({option})" if often[name] > 1 else name for option, name in names.items()}.__getitem__


def described(name: str, otherwise: str) -> str:
    """What a bundled model or collection is; of any other what it says of itself, in its own language."""
    return bundled(language.get()).get(name, otherwise)


@cache
def bundled(code: str) -> dict[str, str]:
    """What each bundled model and collection is, in a language."""
    return {
        "emoji": _("A small CLIP trained from scratch on drawn scenes of emoji; bundled, needs no GPU and no network."),
        "emoji-2": _(
            "The same kind of CLIP trained on the same world "
            "from another seed, on half as many scenes; bundled, to compare two spaces with."
        ),
        "emoji-world": _("2,626 drawn scenes: who wears what, things in places, colours, counts, and everything once."),
    }


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
