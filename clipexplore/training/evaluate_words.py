"""How well the bundled CLIP knows the words that people type, and what it does not know: the second table of
`evaluate`.

Each thing is shown once, alone, on a ground drawn from a held-out seed; a word is answered by the nearest of these
pictures. Needs the sources of `words`, and for the last rows a folder of photographs.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from ..images import encode, open_picture
from ..known import DRAWN, Known, evenness
from ..models.embedder import Embedder
from ..vectors import normalize
from . import words
from .evaluate import bare_scenes, embed_scenes, headwear, held_out_scenes
from .scenes import HEADWEAR, HELD_OUT, MAKERS, draw
from .things import pluralize, things
from .train_text import DIGITS, nonsense, unknown
from .words import Said

ANALOGIES = Path(__file__).with_name("analogies.txt")
BARS = {
    "English word → its thing in five": 0.85,
    "emoji character → its thing first": 0.95,
    "analogies in three": 0.70,
    "digit and word, cosine": 0.95,
    "digit → right count first": 0.90,
    "known against never learned, AUC": 0.95,
    "scenes against photographs, AUC": 0.99,
    **{f"{language}: name → its thing first": 0.75 for language in words.LANGUAGES},
    **{f"{language}: name → its thing in five": 0.90 for language in words.LANGUAGES},
}
MOST = 600  # texts of a row, spread evenly over all of them
PEOPLE = (
    "Margaret Thornbury",
    "Kowalski",
    "Yusuf",
    "Priyanka",
    "Oluwaseun",
    "Giovanni",
    "Svetlana",
    "Dubois",
    "Hernandez",
    "Nakamura",
)


def evaluate_words(embedder: Embedder, taught: Known) -> dict[str, float]:
    """Every figure about texts by name, shares in [0, 1]."""
    pictures = embed_scenes(embedder, bare_scenes())
    found = english(embedder, pictures) | emoji(embedder, pictures) | names(embedder, pictures)
    found |= {f"{name}, of the wide bank": value for name, value in wide_headwear(embedder).items()}
    return found | analogies(embedder) | counts(embedder) | known(embedder, taught)


def wide_headwear(embedder: Embedder) -> dict[str, float]:
    """The figures of hat − no hat, among the words of the wide bank."""
    index = {thing.name: number for number, thing in enumerate(things())}
    alone = {
        kind: {kind} | {said.text for said in words.english() if said.own and said.things == (index[kind],)}
        for kind in HEADWEAR
    }
    return headwear(embedder, words.bank(), alone)


def english(embedder: Embedder, pictures: np.ndarray) -> dict[str, float]:
    """Words of emojilib; and plurals of names, which are never trained on."""
    found = [Said(text, "en", indices, False) for text, indices in words.emojilib_words().items()]
    plurals = [
        Said(pluralize(said.text), "en", said.things, True)
        for said in words.english()
        if said.own and said.text.isascii()
    ]
    return {
        "English word → its thing in five": in_first(embedder, pictures, found, 5),
        "English word → its thing first": in_first(embedder, pictures, found, 1),
        "plural of a name → its thing in five": in_first(embedder, pictures, plurals, 5),
    }


def emoji(embedder: Embedder, pictures: np.ndarray) -> dict[str, float]:
    return {"emoji character → its thing first": in_first(embedder, pictures, words.emoji(), 1)}


def names(embedder: Embedder, pictures: np.ndarray) -> dict[str, float]:
    """For each language names, tags that were trained on and tags that were not."""
    figures = {}
    for language in words.LANGUAGES:
        said = words.foreign(language)
        kinds = {
            "tag": [each for each in said if not each.own and not words.is_held_out(each)],
            "held-out tag": list(filter(words.is_held_out, said)),
            "name": [each for each in said if each.own],
        }
        figures[f"{language}: name → its thing first"] = in_first(embedder, pictures, kinds["name"], 1)
        figures |= {
            f"{language}: {kind} → its thing in five": in_first(embedder, pictures, some, 5)
            for kind, some in kinds.items()
        }
    return figures


def in_first(embedder: Embedder, pictures: np.ndarray, said: Sequence[Said], k: int) -> float:
    """How often one of the k pictures nearest to a text is of a thing that it is true of, for `MOST` of them;
    `pictures` `(things, dim)`.
    """
    said = said[:: -(-len(said) // MOST)]
    nearest = np.argsort(-embedder.embed_texts([each.text for each in said]) @ pictures.T, axis=1)[:, :k]
    return float(np.mean([bool(set(row) & set(each.things)) for row, each in zip(nearest.tolist(), said, strict=True)]))


def analogies(embedder: Embedder) -> dict[str, float]:
    """How often an answer is among the three words of the bank nearest to a sum of texts, its own terms left out."""
    bank, hits = words.bank(), []
    vectors = embedder.embed_texts(bank)
    for terms, answers in analogy_list():
        point = sum(
            sign * vector
            for (sign, _), vector in zip(terms, embedder.embed_texts([text for _, text in terms]), strict=True)
        )
        given = {text for _, text in terms}
        order = [bank[index] for index in np.argsort(-vectors @ normalize(point)) if bank[index] not in given]
        hits.append(bool(set(order[:3]) & answers))
    return {"analogies in three": float(np.mean(hits))}


@cache
def analogy_list() -> list[tuple[list[tuple[int, str]], set[str]]]:
    """(terms with their signs, answers) of each line like "king - man + woman = queen, princess"."""
    found = []
    for line in ANALOGIES.read_text("utf-8").splitlines():
        asked, answers = line.split(" = ")
        parts = asked.replace(" + ", "|+").replace(" - ", "|-").split("|")
        found.append(([(-1 if part[0] == "-" else 1, part.lstrip("+-")) for part in parts], set(answers.split(", "))))
    return found


def counts(embedder: Embedder, number: int = 40) -> dict[str, float]:
    """ "3 cats" against "three cats", one to nine; and "3 cats" among pictures of two to five of the same."""
    rng, some = Random(HELD_OUT), [thing for thing in things() if thing.plural and len(thing.name.split()) == 1]
    chosen = rng.sample(some, number)
    written = [
        (f"{word} {noun}", f"{digit} {noun}")
        for thing in chosen
        for word, digit in DIGITS.items()
        for noun in [thing.name if digit == "1" else thing.plural]
    ]
    in_words, in_digits = (embedder.embed_texts(list(texts)) for texts in zip(*written, strict=True))
    hits = []
    for row, thing in enumerate(chosen):
        seed = HELD_OUT + row
        shown = embed_scenes(
            embedder, [MAKERS["count"](seed, Random(seed), thing.name, count) for count in (2, 3, 4, 5)]
        )
        hits += (
            (in_digits[row * len(DIGITS) + 1 : row * len(DIGITS) + 5] @ shown.T).argmax(1) == np.arange(4)
        ).tolist()
    return {
        "digit and word, cosine": float((in_words * in_digits).sum(1).mean()),
        "digit → right count first": float(np.mean(hits)),
    }


def known(embedder: Embedder, taught: Known) -> dict[str, float]:
    """How well words that were learned, in forms that were not, are told from nouns, names of people and nonsense that
    never were.

    By the list of what was learned, as the product tells them; and by the cosine to the middle of all names, where what
    is not known is meant to lie.
    """
    rng = Random(HELD_OUT)
    strangers = unknown(training=False)[:1500] + [nonsense(rng) for _ in range(300)] + list(PEOPLE)
    names = [said.text for said in words.english() if said.own and said.text.isascii()]
    learned = [pluralize(name) for name in names[::2]] + [f"a photo of my {name}" for name in names[1::2]]
    learned += [said.text for language in words.LANGUAGES for said in words.foreign(language)[::40] if said.own]
    middle = normalize(embedder.embed_texts([thing.name for thing in things()]).mean(0))
    shares = (np.array([taught.share(text) for text in texts]) for texts in (learned, strangers))
    return {
        "known against never learned, AUC": auc(*shares),
        "the same by the vector alone, AUC": auc(
            *(embedder.embed_texts(texts) @ middle for texts in (strangers, learned))
        ),
    }


def photographs(folder: Path, number: int = 1000) -> dict[str, float]:
    """How well scenes, as they are stored, are told from the photographs of a folder, and how often one is taken for a
    photograph.
    """
    scenes = np.array([evenness(open_picture(encode(draw(one), "WEBP"))) for one in held_out_scenes(number)])
    taken = np.array([evenness(open_picture(path.read_bytes())) for path in sorted(folder.glob("*.jpg"))])
    return {
        "scenes against photographs, AUC": auc(scenes, taken),
        "scenes taken for photographs": float(np.mean(scenes < DRAWN)),
        "photographs taken for scenes": float(np.mean(taken >= DRAWN)),
    }


def auc(high: np.ndarray, low: np.ndarray) -> float:
    """How often one of `high` exceeds one of `low`; ties count half."""
    order = np.sort(low)
    return float(np.mean(np.searchsorted(order, high, "left") + np.searchsorted(order, high, "right")) / (2 * len(low)))
