"""What things are called on screen, in the visitor's language: the options of choices, and what ships with the product,
which is the models of the catalogue, their terms, and the bundled collection.

What an operator or a visitor has added stays as it was written.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import streamlit as st

from clipexplore.language import LANGUAGES, _, language
from clipexplore.lessons import lessons
from clipexplore.models import catalog
from clipexplore.models.catalog import Model
from clipexplore.settings import settings
from clipexplore.store.shelves import WORLD


def called(key: str, option: str) -> str:
    """The name of an option of the choice with this key; what has none, such as a field or “slerp”, is its own."""
    if key == "lesson":
        return lessons()[option].title if option in lessons() else option
    if key in ("model", "other"):
        return titled(catalog.get(option))
    if key == "only":
        return value_called(option)
    if name := _names(language.get()).get(key, {}).get(option):
        return name
    return field_called(option) if key in ("facet", "color", "field") else option


def naming(key: str, options: Sequence[str]) -> Callable[[str], str]:
    """What a widget asks for the name of an option, in the language of this run; no two have the same."""
    names = {option: called(key, option) for option in options}
    often = Counter(names.values())
    return {option: f"{name} ({option})" if often[name] > 1 else name for option, name in names.items()}.__getitem__


def titled(model: Model) -> str:
    """The title of a model."""
    return _names(language.get())["titles"].get(model.key, model.title)


def field_called(name: str) -> str:
    """The name of a field of the explored collection: the bundled one's are ours, those of any other are data."""
    return _names(language.get())["fields"].get(name, name) if st.session_state.get("collection") == WORLD else name


def value_called(value: str) -> str:
    """The name of what a field of the explored collection holds: the bundled one's few values are ours, all else is
    data.
    """
    names = _values().get(value, {}) if st.session_state.get("collection") == WORLD else {}
    return names.get(language.get(), value)


@cache
def _values() -> dict[str, dict[str, str]]:
    """By code, the names of the values that the fields of the bundled collection have, but for those of single things,
    which stand in captions too.
    """
    return json.loads((settings().assets / "values.json").read_text(encoding="utf-8"))


def described(name: str, otherwise: str) -> str:
    """What a model or collection that ships is; of any other what it says of itself, in its own language."""
    return _names(language.get())["shipped"].get(name, otherwise)


def terms_of_use() -> dict[str, str]:
    """The terms of the weights that the catalogue names, by their English words; an operator's are as they were
    written.
    """
    openai = _(
        "Its makers say: not to be deployed without tests in the place of use, "
        "and not for surveillance or face recognition."
    )
    rail = _(
        "Not for anything unlawful or harmful: deceiving, defaming, discriminating, medical advice, law enforcement. "
        "Who passes it on passes this on."
    )
    clip = catalog.get("clip-b32")
    return {part.terms: says for part, says in zip(clip.parts, (openai, rail), strict=True)}


@cache
def _names(code: str) -> dict[str, dict[str, str]]:
    """All that has another name in this language: the options of each choice by its key; and the titles of the models
    of the catalogue that are no proper names, what each of these models and the bundled collection is, and the fields
    of the bundled collection.
    """
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
        "lane": {
            "warm-up": _("warm-up"),
            "quick": _("quick work"),
            "render": _("drawings"),
            "fit": _("maps and concepts"),
            "classes": _("classes"),
            "large": _("large collections"),
            "embed": _("embeddings"),
            "fetch": _("downloads"),
            "import": _("imports"),
            "rest": _("what can wait"),
            "sheets": _("pictures of maps"),
        },
        "lang": {"auto": _("Your browser’s"), **LANGUAGES},
        "titles": {
            "emoji-2": _("Emoji World, another training"),
            "fast": _("CLIP ViT-L/14 + Stable Diffusion 1.5 in four steps"),
        },
        "shipped": {
            "emoji": _(
                "A small CLIP trained from scratch on drawn scenes of emoji; bundled, needs no GPU and no network."
            ),
            "emoji-2": _(
                "The same kind of CLIP trained on the same world "
                "from another seed, on half as many scenes; bundled, to compare two spaces with."
            ),
            "clip-b32": _("OpenAI's small CLIP, quick enough for a laptop; draws texts."),
            "clip-l14": _(
                "OpenAI's large CLIP, whose text tower Stable Diffusion reads with; "
                "draws texts, and with unCLIP any point of the space."
            ),
            "fast": _(
                "As clip-l14, drawing texts in four steps instead of fifteen "
                "(a LoRA; needs the package peft; without it, in fifteen)."
            ),
            "siglip2-b16": _(
                "Google's SigLIP 2, many languages: each probability stands by itself, "
                "so that none may be right; draws nothing."
            ),
            "metaclip2-b32": _(
                "Meta's CLIP of 300 languages, trained on pictures and texts from all over the world; draws nothing."
            ),
            "tipsv2-b14": _(
                "Google DeepMind's TIPS, which sees the parts of a picture as well as the whole; draws nothing."
            ),
            "laion-h14": _(
                "The large open CLIP, trained on two billion pictures with English captions; "
                "draws any point by an IP-Adapter."
            ),
            "laion-bigg": _(
                "The largest open CLIP; Kandinsky draws any point of its space, and its prior imagines the pictures of "
                "texts."
            ),
            WORLD: _("2,626 drawn scenes: who wears what, things in places, colours, counts, and everything once."),
        },
        "fields": {
            "kind": _("kind"),
            "thing": _("thing"),
            "group": _("group"),
            "category": _("category"),
            "colour": _("colour"),
            "place": _("place"),
            "background": _("background"),
            "count": _("count"),
            "relation": _("relation"),
            "wearer": _("wearer"),
            "headwear": _("headwear"),
            "eyewear": _("eyewear"),
        },
    }
