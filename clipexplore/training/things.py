"""What Emoji World is made of: every thing the emoji font can draw, with its English name, grammar and synonyms.

Names and keywords come from Unicode CLDR, groups from Unicode's emoji-test.txt, pictures from Noto Color Emoji;
Debian packages `unicode-cldr-core`, `unicode-data` and `fonts-noto-color-emoji`. They are needed to draw the world, not
to explore it.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
EMOJI_TEST = Path("/usr/share/unicode/emoji/emoji-test.txt")
ANNOTATIONS = [
    Path(f"/usr/share/unicode/cldr/common/{folder}/en.xml") for folder in ("annotations", "annotationsDerived")
]
STRIKE = 109  # the font holds bitmaps of this one size

RENAMED = {"woman's hat": "sun hat", "billed cap": "baseball cap", "rescue worker's helmet": "rescue helmet"}
LEFT_OUT = {"Symbols", "Flags", "Component"}
SKIN_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
IRREGULAR = {
    "man": "men",
    "woman": "women",
    "person": "people",
    "child": "children",
    "mouse": "mice",
    "goose": "geese",
    "tooth": "teeth",
    "foot": "feet",
    "sheep": "sheep",
    "deer": "deer",
    "fish": "fish",
    "squid": "squid",
    "bison": "bison",
    "ox": "oxen",
    "knife": "knives",
    "leaf": "leaves",
    "wolf": "wolves",
    "wife": "wives",
    "shrimp": "shrimp",
    "mailman": "mailmen",
    "snowman": "snowmen",
    "policeman": "policemen",
    "calf": "calves",
    "loaf": "loaves",
    "radio": "radios",
    "piano": "pianos",
    "photo": "photos",
    "kangaroo": "kangaroos",
    "avocado": "avocados",
    "flamingo": "flamingos",
    "video": "videos",
    "yo-yo": "yo-yos",
    "dodo": "dodos",
    "taco": "tacos",
    "burrito": "burritos",
    "banjo": "banjos",
    "igloo": "igloos",
    "merman": "mermen",
    "merperson": "merpeople",
    "metro": "metros",
    "memo": "memos",
    "kimono": "kimonos",
    "dango": "dango",
    "moai": "moai",
    "elf": "elves",
    "sheaf": "sheaves",
    "scarf": "scarves",
    "blowfish": "blowfish",
    "die": "dice",
    "crossbones": "crossbones",
}
# Names that are no nouns to count, although scenes count what they stand for: no article, no ending.
UNINFLECTED = re.compile(
    r"people \w+ing|[\w-]+-thirty|(?:un)?locked.*|rolling on the floor "
    r"laughing|star-struck|dizzy|foggy|ZZZ|dashing away|high voltage|dna"
    r"|breast-feeding|camping|cooking|horse racing|tennis|(?:field|ice) hockey|lacrosse|ping pong|badminton"
)
ARTICLE_ALONE = {
    "rhinoceros",
    "seedling",
    "shamrock",
    "tornado",
    "gear",
}  # the other way round: not counted, yet one takes an article
# What ends the head of a noun phrase: nothing behind it changes with number.
AFTER_HEAD = re.compile(
    r" (?:with|without|of|in|on|from|behind|for|over|and|at|to|facing|tilted|not|done|wearing|(?:up|down)(?! hand))\b"
    r"|(?:(?<=person)|(?<=m[ae]n)|(?<=face)|(?<=globe)|(?<=index)|(?<=chart)|(?<=leaf)) (?=(?:mountain )?\w+ing\b)"
)
# Names that are already plural, or are stuff rather than pieces; they take no article and are not counted.
UNCOUNTED = set(
    [
        "scissors",
        "glasses",
        "sunglasses",
        "goggles",
        "jeans",
        "shorts",
        "gloves",
        "socks",
        "skis",
        "chopsticks",
        "clothes",
        "trousers",
        "people",
        "hands",
        "lips",
        "eyes",
        "fries",
        "cards",
        "arts",
        "chains",
        "thongs",
        "briefs",
        "sandals",
        "boots",
        "footprints",
        "dominos",
        "beans",
        "dumplings",
        "noodles",
        "waves",
        "sparkles",
        "notes",
        "scales",
        "grapes",
        "cherries",
        "olives",
        "peanuts",
        "bubbles",
        "droplets",
        "sake",
        "broccoli",
        "garlic",
        "ginger",
        "bread",
        "bacon",
        "butter",
        "salt",
        "honey",
        "cheese",
        "milk",
        "rice",
        "tea",
        "wine",
        "spaghetti",
        "oden",
        "ice",
        "cream",
        "sushi",
        "hair",
        "clothing",
        "luggage",
        "money",
        "fire",
        "water",
        "fog",
        "rain",
        "snow",
        "wind",
        "lightning",
        "tornado",
        "smoke",
        "dust",
        "cash",
        "paper",
        "anger",
        "basketballing",
        "tears",
        "cream",
        "meat",
        "popcorn",
        "bowling",
        "o'clock",
        "thirty",
        "men",
        "women",
        "thumbs",
        "volume",
        "arts",
        "soap",
        "thread",
        "yarn",
        "yen",
        "dollars",
        "euro",
        "pounds",
        "wrestlers",
        "wings",
        "dizziness",
        "sweat",
        "coral",
        "bamboo",
        "seedling",
        "shamrock",
        "ears",
        "legs",
        "feet",
        "partying",
        "fireworks",
        "bricks",
        "rocks",
        "logs",
        "gear",
        "knobs",
        "thumbs",
        "crossed",
        "silver",
        "gold",
    ]
)
TAGS_NOT_NOUNS = re.compile(r"(?:ing|ed|ly|ous|ful|y)$")


@dataclass(frozen=True)
class Thing:
    """One emoji as a thing of the world.

    `name` is the literal name; `plural` is None for what is not counted; `keywords` are CLDR's, rarest first, without
    those that a third of the kin share; `group` and `kind` are Unicode's group and subgroup, such as `Animals & Nature`
    and `animal-mammal`.
    """

    emoji: str
    name: str
    group: str
    kind: str
    keywords: tuple[str, ...]
    plural: str | None

    @property
    def slug(self) -> str:
        return slug(self.name)

    @property
    def takes_article(self) -> bool:
        """Whether one says "a" or "an" before the name."""
        return self.name in ARTICLE_ALONE or bool(self.plural and not UNINFLECTED.fullmatch(self.name))

    @property
    def one(self) -> str:
        """The name with its article: "a lion", "an apple", "scissors"."""
        return with_article(self.name) if self.takes_article else self.name


def slug(text: str) -> str:
    """Lower-case ASCII letters and digits joined by hyphens, as used in ids."""
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("'", "")).strip("-")


def with_article(noun: str) -> str:
    vowel = re.match(r"(?i)[aeiou]|hour|x-ray", noun) and not re.match(r"(?i)uni|uk|ufo|one|eu|ewe", noun)
    return f"{'an' if vowel else 'a'} {noun}"


def pluralize(name: str) -> str:
    """The plural of a noun phrase: only its head changes ("person lifting weights" → "people lifting weights"), or each
    of two ("nuts and bolts").
    """
    if UNINFLECTED.fullmatch(name):
        return name
    match = AFTER_HEAD.search(name)
    phrase, rest = (name[: match.start()], name[match.start() :]) if match else (name, "")
    if rest.startswith(" and "):
        rest = f" and {pluralize(rest.removeprefix(' and '))}"
    first, _, head = phrase.rpartition(" ")
    first = re.sub(r"^(wo)?man\b(?!')", r"\1men", first)  # "man judge" → "men judges"
    return f"{first} {_plural_noun(head)}".strip() + rest


def _plural_noun(noun: str) -> str:
    if noun.lower() in IRREGULAR:
        return IRREGULAR[noun.lower()]
    if re.search(r"(?:[sxz]|[cs]h)$", noun):
        return noun + "es"
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    if re.search(r"[^aeiou]o$", noun):
        return noun + "es"
    return noun + "s"


def plain_name(name: str) -> str:
    """CLDR's name as one would say it: "woman: red hair" → "woman with red hair", "family: man, boy" → "family of man
    and boy".
    """
    name = name.replace("’", "'").replace("“", "").replace("”", "")
    name = RENAMED.get(name, name)
    if ": " in name:
        head, tail = name.split(": ", 1)
        members = tail.split(", ")
        tail = " and ".join([", ".join(members[:-1]), members[-1]]) if len(members) > 1 else tail
        name = f"{head} {'of' if head in {'family', 'kiss', 'couple with heart'} else 'with'} {tail}"
    return name


def _is_counted(name: str) -> bool:
    head = AFTER_HEAD.split(name)[0].split()[-1].lower()
    return head not in UNCOUNTED and not (head.endswith("s") and not head.endswith(("ss", "us", "bus", "is")))


def _annotations() -> dict[str, tuple[str, list[str]]]:
    names: dict[str, str] = {}
    keywords: dict[str, list[str]] = {}
    for path in ANNOTATIONS:
        for node in ElementTree.parse(path).iter("annotation"):
            code, text = node.get("cp"), node.text or ""
            if node.get("type") == "tts":
                names[code] = text
            else:
                keywords[code] = [word.strip().replace("’", "'") for word in text.split("|")]
    return {code: (name, keywords.get(code, [])) for code, name in names.items()}


def _emoji_with_kind() -> list[tuple[str, str, str]]:
    found, group, kind = [], "", ""
    for line in EMOJI_TEST.read_text("utf-8").splitlines():
        if line.startswith("# group: "):
            group = line.removeprefix("# group: ")
        elif line.startswith("# subgroup: "):
            kind = line.removeprefix("# subgroup: ")
        elif "; fully-qualified" in line and group not in LEFT_OUT:
            emoji = "".join(chr(int(code, 16)) for code in line.split(";")[0].split())
            if not SKIN_TONE.search(emoji):
                found.append((emoji, group, kind))
    return found


@cache
def things() -> tuple[Thing, ...]:
    """All things in Unicode's order: skin-tone variants, flags, symbols and repeated pictures are left out."""
    annotations = _annotations()
    rows, seen = [], set()
    for emoji, group, kind in _emoji_with_kind():
        entry = annotations.get(emoji.replace("\ufe0f", ""))
        picture = sprite(emoji).tobytes()
        if entry and picture not in seen and np.asarray(sprite(emoji))[..., 3].any():
            seen.add(picture)
            rows.append((emoji, plain_name(entry[0]), group, kind, entry[1]))
    counts = Counter(word for row in rows for word in set(row[4]))
    return tuple(_thing(*row, counts) for row in rows)


def _thing(emoji: str, name: str, group: str, kind: str, words: list[str], counts: Counter) -> Thing:
    useful = [
        w
        for w in words
        if w.lower() != name.lower() and counts[w] <= 40 and re.fullmatch(r"[A-Za-z][A-Za-z' -]{1,24}", w)
    ]
    keywords = tuple(sorted(dict.fromkeys(useful), key=lambda w: (counts[w], w)))
    return Thing(emoji, name, group, kind, keywords, pluralize(name) if _is_counted(name) else None)


@cache
def noun_keywords(thing: Thing) -> tuple[str, ...]:
    """The keywords that can stand in a sentence in place of the name: rare ones that do not look like verbs or
    adjectives.
    """
    return tuple(w for w in thing.keywords if not TAGS_NOT_NOUNS.search(w) and keyword_counts()[w] <= 3)


@cache
def keyword_counts() -> Counter:
    return Counter(word for thing in things() for word in thing.keywords)


@cache
def by_name() -> dict[str, Thing]:
    return {thing.name: thing for thing in things()}


@cache
def sprite(emoji: str) -> Image.Image:
    """The emoji as the font holds it, RGBA, cropped to what is drawn."""
    font = _font()
    picture = Image.new("RGBA", (136, 128))
    ImageDraw.Draw(picture).text((0, 0), emoji, font=font, embedded_color=True)
    return picture.crop(picture.getbbox() or (0, 0, 1, 1))


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), STRIKE)
