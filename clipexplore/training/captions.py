"""What can be said of a scene: the grammar of Emoji World.

`literal` says everything and says it one way, so that two different scenes rarely share it. `caption` draws one of the
many ways to say it. `words` is the set of all bare words that are true of a scene, `training_words` those that it is
trained with this time.
"""

from collections.abc import Iterable
from functools import cache
from random import Random

from .places import COLOURS, PLACES
from .scenes import EYEWEAR, HEADWEAR, Item, Scene
from .things import IRREGULAR, Thing, by_name, noun_keywords, things, with_article

NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
RELATIONS = {
    "left": ("{0} to the left of {1}", "{0} on the left of {1}", "{0} on the left and {1} on the right"),
    "right": ("{0} to the right of {1}", "{0} on the right of {1}", "{1} on the left and {0} on the right"),
    "above": ("{0} above {1}", "{0} over {1}", "{0} at the top and {1} at the bottom"),
    "below": ("{0} below {1}", "{0} under {1}", "{1} at the top and {0} at the bottom"),
    "on": ("{0} on {1}", "{0} on top of {1}", "{1} with {0} on top"),
}
SIDES = {
    "left": ("on the left", "on the right"),
    "right": ("on the right", "on the left"),
    "above": ("at the top", "at the bottom"),
    "below": ("at the bottom", "at the top"),
}
WEARING = ("{0} with {1}", "{0} wearing {1}", "{0} in {1}", "{1} on {0}")
FRAMES = (
    "{}",
    "{}",
    "{}",
    "a photo of {}",
    "a picture of {}",
    "an image of {}",
    "a drawing of {}",
    "an emoji of {}",
    "this is {}",
)
BACKGROUND = ("on {} background", "against {} background", "in front of {} wall")
COLOUR_WORDS = {
    "red": ("crimson", "scarlet"),
    "orange": ("tangerine",),
    "yellow": ("golden",),
    "green": ("emerald",),
    "blue": ("azure",),
    "purple": ("violet",),
    "pink": ("rosy",),
    "brown": ("chocolate-coloured",),
    "black": ("jet-black",),
    "white": ("snow-white",),
    "grey": ("gray",),
}
# What people call things where CLDR has no word for it: names and feelings.
SYNONYMS = {
    "man": ("guy", "gentleman"),
    "woman": ("lady",),
    "boy": ("lad",),
    "girl": ("young girl",),
    "baby": ("infant",),
    "child": ("kid",),
    "old man": ("grandfather", "elderly man"),
    "old woman": ("grandmother", "elderly woman"),
    "older person": ("elderly person",),
    "dog face": ("dog", "puppy"),
    "cat face": ("cat", "kitty"),
    "tiger face": ("tiger",),
    "rabbit face": ("rabbit", "bunny"),
    "mouse face": ("mouse",),
    "pig face": ("pig",),
    "cow face": ("cow",),
    "monkey face": ("monkey",),
    "horse face": ("horse",),
    "dog": ("hound",),
    "automobile": ("car",),
    "bus": ("coach",),
    "bicycle": ("bike",),
    "airplane": ("aeroplane", "plane"),
    "lion": ("big cat",),
    "pensive face": ("melancholy", "sad"),
    "crying face": ("sadness", "tears"),
    "angry face": ("anger", "furious"),
    "grinning face": ("happy", "joy"),
    "loudly crying face": ("grief", "despair"),
    "fearful face": ("fear",),
    "worried face": ("worry",),
    "disappointed face": ("disappointment",),
    "smiling face with heart-eyes": ("in love", "adoration"),
    "sleeping face": ("asleep", "tired"),
    "astonished face": ("surprise",),
    "thinking face": ("thoughtful", "curious"),
    "yawning face": ("boredom", "bored"),
    "relieved face": ("calm", "serene"),
    "nauseated face": ("disgust", "sick"),
    "confused face": ("confusion",),
    "partying face": ("celebration", "party"),
    "enraged face": ("rage", "fury"),
    "red heart": ("love",),
    "alarm clock": ("clock",),
    "sunglasses": ("shades",),
    "glasses": ("spectacles",),
}
KINDS = {
    "animal-mammal": "animal",
    "animal-bird": "bird",
    "animal-bug": "insect",
    "animal-marine": "sea creature",
    "plant-flower": "flower",
    "food-fruit": "fruit",
    "food-vegetable": "vegetable",
    "drink": "drink",
    "musical-instrument": "musical instrument",
    "tool": "tool",
    "transport-ground": "vehicle",
    "transport-water": "boat",
    "transport-air": "aircraft",
    "place-building": "building",
    "clothing": "clothing",
    "food-sweet": "dessert",
    "person-sport": "sport",
    "family": "family",
}
PLURALS = set(IRREGULAR.values()) - set(IRREGULAR)  # that do not end in s


def literal(scene: Scene) -> str:
    """Everything about the scene, in the one plain wording: "three red lions in the jungle"."""
    return " ".join(filter(None, (_subject(scene, None), _setting(scene, None))))


def synonymous(scene: Scene, rng: Random) -> str:
    """Everything about the scene in other words: CLDR's and everyday synonyms, other phrases for places."""
    text = " ".join(filter(None, (_subject(scene, rng), _setting(scene, rng))))
    return rng.choice(FRAMES).format(text)


def caption(scene: Scene, rng: Random) -> str:
    """A caption to train on: now and then one bare word, mostly a sentence that may leave out colours and the place."""
    chance = rng.random()
    if chance < 0.1:
        return rng.choice(main_words(scene))
    if chance < 0.5:
        return literal(scene)
    setting = rng.choice((_setting(scene, rng), _setting(scene, None), ""))
    wording = rng if rng.random() < 0.5 else None
    text = " ".join(filter(None, (_subject(scene, wording, colours=rng.random() < 0.5), setting)))
    return rng.choice(FRAMES).format(text)


def main_words(scene: Scene) -> list[str]:
    """One bare word for each element – thing, synonym, headwear, colour, place – to draw a short caption from."""
    found = [word for item in scene.items for word in item_words(item)[:2]]
    return found + [word for item in scene.items if item.colour for word in (item.colour,)] + _where_words(scene)[:1]


def training_words(scene: Scene, rng: Random) -> set[str]:
    """Bare words to train on: the name of everything in the scene, one word more of all that are true, and what is on
    which side.
    """
    return (
        {item_words(item)[0] for item in scene.items}
        | {rng.choice(main_words(scene)), rng.choice(sorted(words(scene)))}
        | sides(scene)
    )


def sides(scene: Scene) -> set[str]:
    """Where each thing is, said of it alone ("lion on the left"): a relation is learned as two such halves."""
    where = SIDES["left"] if scene.kind == "row" else SIDES.get(scene.relation, ())
    ends = (*scene.items[:1], *scene.items[1:][-1:])
    return {f"{item.name} {side}" for item, side in zip(ends, where, strict=False)}


def words(scene: Scene) -> set[str]:
    """Every bare word that is true of the scene: names, keywords, kinds, colours, place, count."""
    found = {word for item in scene.items for word in item_words(item)} | set(_where_words(scene))
    found |= {word for item in scene.items if item.colour for word in (item.colour, *COLOUR_WORDS[item.colour])}
    if scene.kind == "count":
        found.add(NUMBERS[scene.count])
    return found


@cache
def vocabulary() -> tuple[str, ...]:
    """Every bare word the grammar can say, in order."""
    found = {word for thing in things() for word in _thing_words(thing)}
    found |= {word for own in HEADWEAR.values() for word in own} | set(COLOURS) | set(NUMBERS.values())
    found |= {word for place in PLACES.values() for word in place.words} | {
        word for many in COLOUR_WORDS.values() for word in many
    }
    return tuple(sorted(found))


def short(words: Iterable[str]) -> list[str]:
    """Words of at most two parts and 24 letters."""
    return [word for word in words if len(word.split()) <= 2 and len(word) <= 24]


@cache
def _thing_words(thing: Thing) -> tuple[str, ...]:
    if thing.name in HEADWEAR:
        return HEADWEAR[thing.name]
    kind = (KINDS[thing.kind],) if thing.kind in KINDS and thing.name not in EYEWEAR else ()
    return tuple(dict.fromkeys((thing.name, *SYNONYMS.get(thing.name, ()), *thing.keywords, *kind)))


def item_words(item: Item) -> tuple[str, ...]:
    return _thing_words(by_name()[item.name])


def _where_words(scene: Scene) -> list[str]:
    return list(PLACES[scene.place].words) if scene.place else [scene.background] if scene.background else []


def _setting(scene: Scene, rng: Random | None) -> str:
    if scene.place:
        place = PLACES[scene.place]
        return rng.choice((place.phrase, *place.synonyms)) if rng else place.phrase
    if scene.background:
        phrase = rng.choice(BACKGROUND) if rng else BACKGROUND[0]
        return phrase.format(with_article(scene.background))
    return ""


def _subject(scene: Scene, rng: Random | None, colours: bool = True) -> str:
    parts = [_noun_phrase(item, rng, colours) for item in scene.items]
    if scene.kind == "count":
        return _counted(scene, rng, colours)
    if scene.kind == "worn":
        worn = " and ".join(parts[:0:-1])
        return (rng.choice(WEARING) if rng else WEARING[0]).format(parts[0], worn) if worn else parts[0]
    if scene.relation and scene.kind == "single":
        return f"{parts[0]} {SIDES[scene.relation][0]}"
    if scene.relation:
        return (rng.choice(RELATIONS[scene.relation]) if rng else RELATIONS[scene.relation][0]).format(*parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def _counted(scene: Scene, rng: Random | None, colours: bool) -> str:
    item = scene.items[0]
    noun = by_name()[item.name].plural
    return " ".join(filter(None, (NUMBERS[scene.count], _colour(item, rng) if colours else "", noun)))


def _noun_phrase(item: Item, rng: Random | None, colours: bool) -> str:
    thing = by_name()[item.name]
    noun = rng.choice(_nouns(thing)) if rng else thing.name
    described = f"{_colour(item, rng)} {noun}" if colours and item.colour else noun
    return with_article(described) if thing.takes_article or noun != thing.name else described


def _colour(item: Item, rng: Random | None) -> str:
    if not item.colour:
        return ""
    return rng.choice((item.colour, *COLOUR_WORDS[item.colour])) if rng else item.colour


@cache
def _nouns(thing: Thing) -> tuple[str, ...]:
    """What the thing can be called in a sentence."""
    if thing.name in HEADWEAR:
        return HEADWEAR[thing.name]
    synonyms = (
        () if thing.kind.startswith(("face-", "heart")) else SYNONYMS.get(thing.name, ())
    )  # those are feelings, said as bare words only
    known = tuple(word for word in (*synonyms, *noun_keywords(thing)) if not word.endswith("s") and word not in PLURALS)
    return (thing.name, *known[:3])
