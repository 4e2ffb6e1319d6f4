"""Make what the product ships from the world and the trained CLIP: the collections, their embeddings and the background
map.

    python -m clipexplore.training.build_assets          # about four minutes on one core, most of it one UMAP fit
    python -m clipexplore.training.build_assets --second # only what the second model makes of them; a minute

Writes assets/collections/: `emoji-world` (pictures), `words` (the word bank) and `background` (10,000 captions and the
texts of the pages' defaults and examples, with a UMAP map); and assets/lexicon.npz, what the page Words learns from
these. The second model, the judge of drawings, embeds the first two.
"""

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from .. import links
from ..expression import parse
from ..images import encode, open_picture
from ..known import Known, words_of
from ..labs.lexicon import learn
from ..maps.place import onto, place
from ..maps.reference import fit_umap
from ..models.embedder import Embedder
from ..models.revisions import WEIGHTS, revision_of
from ..settings import settings
from ..store.collection import Collection
from ..store.published import add_model
from ..vectors import normalize
from . import captions
from .places import COLOURS, PLACES
from .scenes import EYEWEAR, HEADWEAR, MAKERS, WEARERS, Scene, alone, draw, dressed, scene
from .things import by_name, slug, things
from .words import bank

MODEL, SECOND = "emoji", "emoji-2"
SEED = 2026
BACKGROUND_CAPTIONS = 10_000
# Things that stand in every place, twice; a walk from place to place needs them.
AT_HOME_ANYWHERE = (
    "lion",
    "elephant",
    "cat",
    "dog",
    "penguin",
    "turtle",
    "owl",
    "bicycle",
    "automobile",
    "sailboat",
    "rocket",
    "house",
    "robot",
    "snowman",
    "person walking",
    "red apple",
    "birthday cake",
    "guitar",
    "soccer ball",
    "rose",
)
MANY_OF = (("lion", "jungle"), ("lion", "snow"), ("cat", "room"), ("dog", "beach"))  # eight of each
TWO_TO_FIND = ("cat", "butterfly")
RECOLOURED = ("automobile", "rose", "top hat", "butterfly", "guitar", "house", "t-shirt", "balloon")
WORN = [(None, None), *((hat, None) for hat in HEADWEAR), *((None, eyewear) for eyewear in EYEWEAR)]
LICENCE = "Pictures: Noto Color Emoji, SIL OFL 1.1; names: Unicode CLDR, Unicode licence; arrangement: Apache-2.0"


def emoji_world(seed: int = SEED) -> list[tuple[str, Scene]]:
    """(id, scene) of the shipped collection: who wears what, things in places, colours, counts, pairs, and every thing
    once. Another seed draws other scenes of the same kinds.
    """
    who = [(wearer, hat, eyewear) for wearer in WEARERS for hat, eyewear in WORN]
    worn = [(slug("-".join(filter(None, each))), dressed(seed, *each, None, None)) for each in who]
    seeds = count(seed)
    rest = [
        one for part in (_in_places, _in_colours, _counted, _paired, _each_once, _looked_for) for one in part(seeds)
    ]
    taken = {id for id, _ in worn}
    return worn + [(id, one) for id, one in _numbered(rest) if id not in taken]


def _in_places(seeds: Iterator[int]) -> list[Scene]:
    pairs = [(name, place) for name in AT_HOME_ANYWHERE for place in PLACES for _ in range(2)] + [
        pair for pair in MANY_OF for _ in range(6)
    ]
    return [alone(next(seeds), name, place) for name, place in pairs]


def _in_colours(seeds: Iterator[int]) -> list[Scene]:
    return [alone(next(seeds), name, colour=colour) for name in RECOLOURED for colour in COLOURS]


def _counted(seeds: Iterator[int]) -> list[Scene]:
    names = [
        thing.name for thing in things() if thing.plural and thing.kind in ("animal-mammal", "food-fruit", "sport")
    ]
    return [
        MAKERS["count"](seed := next(seeds), Random(seed), name, number)
        for name in Random(SEED).sample(names, 24)
        for number in (2, 3, 4, 5)
    ]


def _paired(seeds: Iterator[int]) -> list[Scene]:
    names = [thing.name for thing in things() if thing.kind.startswith(("animal", "food", "transport"))]
    pairs = [tuple(Random(next(seeds)).sample(names, 2)) for _ in range(24)]
    return [
        MAKERS["pair"](seed := next(seeds), Random(seed), pair, relation)
        for pair in pairs
        for relation in ("left", "right", "above", "below")
    ]


def _each_once(seeds: Iterator[int]) -> list[Scene]:
    return [alone(next(seeds), thing.name) for thing in things()]


def _looked_for(seeds: Iterator[int]) -> list[Scene]:
    """The two things that the page Classify looks for first, beside each other in the meadow."""
    scenes = [
        MAKERS["pair"](seed := next(seeds), Random(seed), TWO_TO_FIND, relation)
        for relation in ("left", "right", "above", "below")
    ]
    return [
        replace(one, place="meadow", background=None, items=tuple(replace(item, colour=None) for item in one.items))
        for one in scenes
    ]


def _numbered(scenes: list[Scene]) -> list[tuple[str, Scene]]:
    """Ids like `lion-jungle-07`: what is there, where, and a number; things on plain ground have no number unless they
    need one.
    """
    stems = [_stem(one) for one in scenes]
    total, seen, named = Counter(stems), Counter(), []
    for stem, one in zip(stems, scenes, strict=True):
        seen[stem] += 1
        named.append((stem if total[stem] == 1 and not one.place else f"{stem}-{seen[stem]:02d}", one))
    return named


def _stem(one: Scene) -> str:
    first = one.items[0]
    what = {
        "count": f"{captions.NUMBERS[one.count]} {by_name()[first.name].plural}",
        "pair": f" {one.relation} ".join(i.name for i in one.items),
    }
    return slug(
        " ".join(
            filter(
                None,
                (
                    first.colour,
                    what.get(one.kind, first.name),
                    one.place or (one.background and f"on {one.background}"),
                ),
            )
        )
    )


def fields(one: Scene) -> dict[str, object]:
    """The columns of an item: what pages colour, filter and test by; `boxes` lists "name left top width height" in
    pixels of 128.
    """
    first = one.items[0]
    return {
        "kind": one.kind,
        "thing": first.name,
        "group": by_name()[first.name].group,
        "category": by_name()[first.name].kind,
        "colour": first.colour,
        "place": one.place,
        "background": one.background,
        "count": one.count,
        "relation": one.relation,
        "wearer": one.worn("wearer"),
        "headwear": one.worn("headwear"),
        "eyewear": one.worn("eyewear"),
        "boxes": "; ".join(" ".join(map(str, (item.name, *item.box))) for item in one.items),
    }


def background_captions(number: int) -> list[str]:
    """Different captions by the grammar, of scenes and wordings that the seed draws."""
    rng, found, seeds = Random(SEED), {}, count(SEED)
    while len(found) < number:
        one = scene(next(seeds))
        found[captions.caption(one, rng) if rng.random() < 0.3 else captions.synonymous(one, rng)] = None
    return list(found)


def page_texts() -> list[str]:
    """The texts of the pages' defaults and examples: stored, so that these answer before any model is loaded."""
    examples = json.loads((settings().assets / "examples.json").read_text(encoding="utf-8"))
    found: dict[str, None] = {}
    for page, defaults in links.PAGES.items():
        for example in [{"set": {}}, *examples.get(page, ())]:
            found |= dict.fromkeys(_texts_of({key: str(value) for key, value in (defaults | example["set"]).items()}))
    return list(found)


def _texts_of(state: dict[str, str]) -> list[str]:
    """What a page in a state embeds: the texts in its expressions, its classes in their templates, the cells of its
    grid.
    """
    lines = {key: value.splitlines() for key, value in state.items()}
    written = [line for key in ("q", "image", "points", "stops", "pairs", "picture") for line in lines.get(key, ())]
    texts = [
        template.replace("{}", name) for template in lines.get("templates", ()) for name in lines.get("class_names", ())
    ]
    cells = [
        state["cell"].replace("{value}", value).replace("{object}", thing)
        for thing in lines.get("objects", ())
        for value in lines["values"]
    ]
    return [term.text for line in written + cells for term in parse(line).terms if not term.is_id] + texts


def texts_collection(
    folder: Path, name: str, title: str, texts: list[str], embedder: Embedder, **fields: list[str]
) -> Collection:
    """A collection of captions without pictures, embedded."""
    ids = [f"{name}-{number:05d}" for number in range(len(texts))]
    items = pd.DataFrame({"id": ids, "caption": texts, **fields})
    made = Collection.create(folder / name, name=name, title=title, items=items, licence=LICENCE)
    made.add_embeddings(MODEL, embedder.revision, "captions", embedder.embed_texts(texts))
    return made


def sources(words: list[str]) -> list[str]:
    """Where each word is from: "captions", which are made of it, or "emojilib", where it is said of some emoji."""
    said = {word.lower() for word in captions.vocabulary()}
    return ["captions" if word.lower() in said else "emojilib" for word in words]


def pictures_collection(folder: Path, embedder: Embedder) -> Collection:
    """`emoji-world`: pictures as WebP, embedded from what is stored, so that anybody who embeds them gets the same
    vectors.
    """
    world = emoji_world()
    items = pd.DataFrame([{"id": id, "caption": captions.literal(one), **fields(one)} for id, one in world])
    pictures = [encode(draw(one), "WEBP") for _, one in world]
    made = Collection.create(
        folder / "emoji-world",
        name="emoji-world",
        title="Emoji World",
        items=items,
        pictures=pictures,
        licence=LICENCE,
        seed=SEED,
        description=f"{len(world):,} drawn scenes: who wears what, things in places, colours, counts, "
        "and everything once.",
    )
    vectors = embedder.project_images([open_picture(data) for data in pictures])
    made.add_embeddings(MODEL, embedder.revision, "pictures", vectors, keep_lengths=True)
    vectors = embedder.project_texts(made.captions)
    made.add_embeddings(MODEL, embedder.revision, "captions", vectors, keep_lengths=True)
    return made


def embed_by_second(assets: Path) -> None:
    """What the second model makes of pictures, captions and words, beside what is there; and what it has learned."""
    judge = assets / "training/judge"
    embedder = Embedder.load(judge)
    said = {word for text in background_captions(BACKGROUND_CAPTIONS) for word in words_of(text)}
    Known(frozenset(text.lower() for text in said.union(captions.vocabulary()))).save(judge)
    for name in ("emoji-world", "words"):
        folder = assets / "collections" / name
        shipped = Collection.open(folder)
        made = {"captions": embedder.project_texts(shipped.captions)}
        if shipped.has_pictures:
            made["pictures"] = embedder.project_images([open_picture(shipped.picture(id)) for id in shipped.ids])
        lengths = {kind: np.linalg.norm(each, axis=1) for kind, each in made.items()} if shipped.has_pictures else {}
        vectors = {kind: normalize(each) for kind, each in made.items()}
        add_model(folder, SECOND, revision_of(judge / WEIGHTS), vectors, lengths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--assets", type=Path, default=settings().assets)
    parser.add_argument("--second", action="store_true", help="only what the second model makes of what is there")
    options = parser.parse_args()
    if not options.second:
        build(options.assets)
    embed_by_second(options.assets)


def build(assets: Path) -> None:
    """The collections, the lexicon and the map, all by the bundled model."""
    embedder = Embedder.load(assets / "models/emoji/clip")
    with TemporaryDirectory() as made:
        folder = Path(made)
        world = pictures_collection(folder, embedder)
        words = texts_collection(folder, "words", "Words", bank(), embedder, source=sources(bank()))
        texts = list(dict.fromkeys([*page_texts(), *background_captions(BACKGROUND_CAPTIONS)]))
        background = texts_collection(folder, "background", "Background captions", texts, embedder)
        defaults = links.PAGES["words"]
        learn(background.captions, defaults["window"], defaults["rank"]).save(assets / "lexicon.npz")
        known, places = background.embeddings(MODEL, "captions"), fit_umap(background.embeddings(MODEL, "captions"))
        background.add_map(MODEL, "umap", places)
        world.add_map(MODEL, "umap", place(onto(world.embeddings(MODEL, "pictures"), known), known, places))
        shutil.rmtree(assets / "collections", ignore_errors=True)
        for each in (world, words, background):
            each.publish(assets / "collections" / each.name)


if __name__ == "__main__":
    main()
