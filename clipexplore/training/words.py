"""What people call the things of Emoji World: English words, names in twelve other languages, emoji characters, broader
words, and what is none of these.

    npm install --prefix runs/sources emojilib@4.0.3 emojibase-data@17.0.0
    apt-get install wordnet-base
    python -m clipexplore.training.words      # writes bank.txt, the words that the product ships

Sources, needed to train and not to use: emojilib 4.0.3 (MIT), emojibase-data 17.0.0 (MIT, from Unicode CLDR), Unicode
CLDR (see `things`), WordNet 3.0 (WordNet licence). Every text is cleaned as a visitor's is: mended by ftfy, in lower
case, underscores and runs of space as one space.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from ..models.families import CLIP
from .captions import KINDS, SYNONYMS, short, vocabulary
from .scenes import HEADWEAR
from .things import EMOJI_TEST, SKIN_TONE, Thing, things

SOURCES = Path("runs/sources/node_modules")
WORDNET = Path("/usr/share/wordnet")
LANGUAGES = ("de", "fr", "es", "it", "pt", "nl", "pl", "ru", "ja", "zh", "ko", "hi")
BANK = Path(__file__).with_name("bank.txt")
VARIATION = "\ufe0f"
MOST_THINGS = 200  # what is true of more things than this tells none of them
# What people call things for which no source has it as a name.
EVERYDAY = {
    "cat face": ("kitten", "pussycat"),
    "dog face": ("doggy", "pup"),
    "flying saucer": ("ufo",),
    "prince": ("king",),
    "princess": ("queen",),
    "money-mouth face": ("greedy",),
    "T-shirt": ("shirt",),
    "mobile phone": ("phone", "smartphone"),
    "airplane": ("jet",),
    "lion": ("lioness",),
}
# WordNet's first sense of a name is taken where it is filed under what the thing's group can be.
FILES = {
    "Animals & Nature": {5, 17, 19, 20},
    "Food & Drink": {13, 20},
    "Travel & Places": {6, 15, 17},
    "Objects": {6, 10},
    "Activities": {6, 4},
    "People & Body": {18, 8},
}


@dataclass(frozen=True)
class Said:
    """Something people type.

    `things` are the indices in `things()` that it is true of. A name is what they are called, `own`; a tag only belongs
    to them. `language` is a code of two letters, or "emoji".
    """

    text: str
    language: str
    things: tuple[int, ...]
    own: bool


def cleaned(text: str) -> str:
    """A text as the tokenizer gets it."""
    if not text.isascii():
        text = CLIP.clean(text)
    return " ".join(text.replace("_", " ").replace("’", "'").lower().split())


@cache
def emoji_characters() -> dict[str, int]:
    """Every way to write the emoji of a thing – with and without U+FE0F, in all skin tones – and the thing's index."""
    known = {plain(thing.emoji): index for index, thing in enumerate(things())}
    found = {}
    for line in EMOJI_TEST.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            written = "".join(chr(int(code, 16)) for code in line.split(";")[0].split())
            if (index := known.get(plain(written))) is not None:
                found |= {written: index, written.replace(VARIATION, ""): index}
    return found


@cache
def other_emoji() -> tuple[str, ...]:
    """Emoji characters of no thing: flags, symbols, digits."""
    lines = (line for line in EMOJI_TEST.read_text("utf-8").splitlines() if "; fully-qualified" in line)
    written = ("".join(chr(int(code, 16)) for code in line.split(";")[0].split()) for line in lines)
    return tuple(text for text in written if text not in emoji_characters())


def plain(emoji: str) -> str:
    """Without skin tone and U+FE0F."""
    return SKIN_TONE.sub("", emoji).replace(VARIATION, "")


@cache
def english() -> tuple[Said, ...]:
    """English words and names with what they are true of, those of emojilib, CLDR, our own synonyms and WordNet, in
    alphabetical order.
    """
    names, tags = {}, {}
    for index, thing in enumerate(things()):
        first, *rest = _emojilib().get(plain(thing.emoji), [thing.name])
        own = HEADWEAR.get(thing.name) or (
            thing.name,
            *SYNONYMS.get(thing.name, ()),
            *EVERYDAY.get(thing.name, ()),
            *wordnet_synonyms(thing),
        )
        _add(names, [*own, first], index)
        _add(tags, [*rest, *thing.keywords, KINDS.get(thing.kind, "")], index)
        _add(tags, broader(thing), index)
    return _gathered("en", names, tags)


@cache
def emojilib_words() -> dict[str, tuple[int, ...]]:
    """Every word of emojilib that belongs to an emoji of the world, and its things."""
    found: dict[str, set[int]] = {}
    for index, thing in enumerate(things()):
        _add(found, _emojilib().get(plain(thing.emoji), ()), index)
    return {text: tuple(sorted(indices)) for text, indices in found.items()}


def bank() -> list[str]:
    """The bank of words that the product ships, from `bank.txt`: to read it no source is needed."""
    return BANK.read_text("utf-8").splitlines()


def words_for_bank() -> list[str]:
    """English words of at most two parts and 24 letters, of the grammar and of emojilib, in alphabetical order; what
    differs in capitals alone is one word.
    """
    plain_words = [word for word in emojilib_words() if re.fullmatch("[a-z][a-z' -]*", word)]
    return sorted({word.lower(): word for word in (*short(plain_words), *short(vocabulary()))}.values())


@cache
def foreign(language: str) -> tuple[Said, ...]:
    """The names and tags of things in a language."""
    known, names, tags = {plain(thing.emoji): index for index, thing in enumerate(things())}, {}, {}
    for entry in json.loads((SOURCES / f"emojibase-data/{language}/data.json").read_text("utf-8")):
        if (index := known.get(plain(entry["emoji"]))) is not None:
            _add(names, [entry["label"]], index)
            _add(tags, entry.get("tags", ()), index)
    return _gathered(language, names, tags)


@cache
def emoji() -> tuple[Said, ...]:
    return tuple(Said(text, "emoji", (index,), True) for text, index in emoji_characters().items())


def is_held_out(said: Said) -> bool:
    """Whether a tag of another language is never trained on: half of them, by a hash of language and text."""
    return said.language in LANGUAGES and not said.own and _hash(f"{said.language} {said.text}") % 2 == 0


def _add(found: dict[str, set[int]], texts: Iterable[str], index: int) -> None:
    for text in filter(None, map(cleaned, texts)):
        found.setdefault(text, set()).add(index)


def _gathered(language: str, names: dict[str, set[int]], tags: dict[str, set[int]]) -> tuple[Said, ...]:
    """A text that names some things is true of those alone; other texts of all that they are a tag of."""
    said = [
        Said(text, language, tuple(sorted(names.get(text, indices))), text in names)
        for text, indices in sorted({**tags, **names}.items())
    ]
    return tuple(each for each in said if len(each.things) <= MOST_THINGS)


@cache
def _emojilib() -> dict[str, list[str]]:
    listed = json.loads((SOURCES / "emojilib/dist/emoji-en-US.json").read_text("utf-8"))
    return {plain(written): words for written, words in listed.items()}


# WordNet


@dataclass(frozen=True)
class Synset:
    """A sense: its file (a number of `lexnames`), its words, and the offsets of what it is a kind of."""

    file: int
    words: tuple[str, ...]
    kinds: tuple[int, ...]


@cache
def _synsets() -> dict[int, Synset]:
    found = {}
    for line in (WORDNET / "data.noun").read_text("utf-8").splitlines():
        if not line.startswith(" "):
            fields = line.split(" | ")[0].split()
            count = int(fields[3], 16)
            words = tuple(cleaned(word) for word in fields[4 : 4 + 2 * count : 2])
            pointers = fields[5 + 2 * count :]
            kinds = tuple(int(pointers[i + 1]) for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("@", "@i"))
            found[int(fields[0])] = Synset(int(fields[1]), words, kinds)
    return found


@cache
def _senses() -> dict[str, tuple[int, ...]]:
    """Noun → offsets of its senses, the most frequent first."""
    lines = [
        line.split() for line in (WORDNET / "index.noun").read_text("utf-8").splitlines() if not line.startswith(" ")
    ]
    return {cleaned(fields[0]): tuple(map(int, fields[-int(fields[2]) :])) for fields in lines}


def _sense(thing: Thing) -> int | None:
    """The first sense of the thing's name, or of its noun without "face", that can be such a thing."""
    name = thing.name.lower().removesuffix(" face")
    return next(
        (sense for sense in _senses().get(name, ()) if _synsets()[sense].file in FILES.get(thing.group, ())), None
    )


def wordnet_synonyms(thing: Thing) -> tuple[str, ...]:
    sense = _sense(thing)
    return () if sense is None else _synsets()[sense].words


def broader(thing: Thing) -> list[str]:
    """Words for what the thing is a kind of, up to eight steps: "feline", "carnivore", "mammal", "animal"."""
    found, at = [], [] if (sense := _sense(thing)) is None else [sense]
    for _ in range(8):
        at = [kind for sense in at for kind in _synsets()[sense].kinds][:3]
        found += [word for sense in at for word in _synsets()[sense].words]
    return found


@cache
def nouns() -> tuple[str, ...]:
    """WordNet's nouns of one word, in small letters only, in an order by hash."""
    single = {word for word in _senses() if re.fullmatch("[a-z]{3,14}", word)}
    return tuple(sorted(single, key=_hash))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


if __name__ == "__main__":
    BANK.write_text("\n".join(words_for_bank()) + "\n", "utf-8")
