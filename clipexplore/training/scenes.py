"""Emoji World: a seed in, a captioned scene out.

A `Scene` is a description – things with their boxes and colours, a place, a count, a wearer and what is worn – and
`draw` turns it into pixels. The same seed gives the same bytes on the same versions of Pillow, FreeType and the font.
Seeds from `HELD_OUT` on are never trained on.

Scenes come in groups of four that differ in one respect (`group`), because a contrastive batch teaches what tells its
members apart: with and without a hat, four colours of one thing, four places, one thing or two on four sides.
"""

from dataclasses import dataclass, replace
from functools import cache
from random import Random

from PIL import Image

from .places import BACKGROUND_COLOURS, COLOURS, PLACES, SIZE, draw_background
from .things import by_name, sprite, things

HELD_OUT = 1 << 40

# Each kind of headwear with the bare words that are true of it, its own first.
HEADWEAR = {
    "top hat": ("top hat", "hat"),
    "sun hat": ("sun hat", "hat"),
    "baseball cap": ("baseball cap", "cap", "hat"),
    "graduation cap": ("graduation cap", "cap", "hat"),
    "military helmet": ("military helmet", "helmet"),
    "rescue helmet": ("rescue helmet", "helmet"),
    "crown": ("crown",),
}
EYEWEAR = ("glasses", "sunglasses", "goggles")

# Where the head is inside the emoji: (centre x, bottom of a hat, width of a hat, eye line, width of glasses), as shares
# of its box.
_PERSON, _ANIMAL = (0.5, 0.26, 0.86, 0.56, 0.66), (0.5, 0.24, 0.72, 0.45, 0.66)
WEARERS = {
    **dict.fromkeys(
        (
            "man",
            "woman",
            "person",
            "boy",
            "girl",
            "child",
            "baby",
            "old man",
            "old woman",
            "older person",
            "man with beard",
            "person with blond hair",
            "man with blond hair",
        ),
        _PERSON,
    ),
    **dict.fromkeys(
        (
            "dog face",
            "cat face",
            "lion",
            "tiger face",
            "bear",
            "panda",
            "fox",
            "wolf",
            "rabbit face",
            "mouse face",
            "hamster",
            "koala",
            "pig face",
            "cow face",
            "monkey face",
            "frog",
            "polar bear",
        ),
        _ANIMAL,
    ),
    **dict.fromkeys(("robot", "alien", "skull", "ghost", "grinning face", "crying face"), _PERSON),
}


@dataclass(frozen=True)
class Item:
    """One thing in a scene: its name, its box (left, top, width, height) in pixels and the colour it was repainted in,
    if any.
    """

    name: str
    box: tuple[int, int, int, int]
    colour: str | None = None
    role: str = "thing"  # "thing", "wearer", "headwear", "eyewear"


@dataclass(frozen=True)
class Scene:
    """What is in a picture. `kind` is "single", "count", "pair", "row", "worn" or "on".

    `relation` places the first item against the second, or a single one in the picture.
    """

    seed: int
    kind: str
    items: tuple[Item, ...]
    place: str | None = None
    background: str | None = None
    relation: str | None = None

    @property
    def count(self) -> int:
        return len(self.items) if self.kind == "count" else 1

    def worn(self, role: str) -> str | None:
        """The name of what plays a role ("wearer", "headwear", "eyewear"), if anything does."""
        return next((item.name for item in self.items if item.role == role), None)


# How often each kind comes, in the order of MAKERS: for CLIP, and for the drawing model, which has more than a thousand
# things to learn the looks of.
SHARES = (40, 24, 14, 9, 5, 8)
DRAWING_SHARES = (74, 9, 8, 6, 1, 2)


def scene(seed: int, shares: tuple[int, ...] = SHARES) -> Scene:
    """The scene of a seed: any kind, at the frequencies of a training mix."""
    rng = Random(seed)
    kind = rng.choices(tuple(MAKERS), shares)[0]
    return MAKERS[kind](seed, rng)


def group(seed: int, lesson: str = "everything") -> list[Scene]:
    """Four scenes: mostly one contrast, as often as the lesson has it, else four unrelated ones."""
    rng = Random(seed)
    shares, some = LESSONS[lesson]
    return rng.choices(CONTRASTS, shares)[0](seed, rng, some)


def draw(scene: Scene) -> Image.Image:
    """The scene as a 128 × 128 RGB picture; shades and decorations of the background come from its seed."""
    picture = draw_background(scene.place, scene.background, Random(scene.seed))
    for item in scene.items:
        left, top, width, height = item.box
        small = _painted(item, (width, height))
        picture.paste(small, (left, top), small)
    return picture


def _painted(item: Item, size: tuple[int, int]) -> Image.Image:
    small = sprite(by_name()[item.name].emoji).resize(size, Image.Resampling.BILINEAR)
    if not item.colour:
        return small
    light = small.convert("L")
    return Image.merge("RGBA", [*(light.point(ramp) for ramp in _ramps(item.colour)), small.getchannel("A")])


@cache
def _ramps(colour: str) -> list[list[int]]:
    """For each channel a table luminance → value that runs from dark over the colour to light, so that drawing stays
    visible.
    """
    ramps = []
    for c in COLOURS[colour]:
        dark, light = c * 0.25, c + (255 - c) * 0.55
        ramps.append(
            [
                int(dark + (c - dark) * v / 150) if v < 150 else int(c + (light - c) * (v - 150) / 105)
                for v in range(256)
            ]
        )
    return ramps


# One maker for each kind of scene


def _single(seed: int, rng: Random) -> Scene:
    place, background = _where(rng)
    name = _any_name(rng)
    return Scene(
        seed, "single", (_centred(name, rng, rng.randint(66, 106), _repaint(rng, name, background)),), place, background
    )


def _count(seed: int, rng: Random, name: str | None = None, number: int | None = None) -> Scene:
    place, background = _where(rng)
    name = name or _any_name(rng, counted=True)
    number = number or rng.randint(2, 5)
    colour = _repaint(rng, name, background, 0.3)
    spots = {
        2: [(32, 64), (96, 64)],
        3: [(32, 40), (96, 40), (64, 94)],
        4: [(34, 34), (94, 34), (34, 94), (94, 94)],
        5: [(28, 28), (100, 28), (64, 64), (28, 100), (100, 100)],
    }[number]
    size = {2: 54, 3: 46, 4: 44, 5: 38}[number] + rng.randint(-5, 5)
    return Scene(seed, "count", tuple(_at(name, x, y, size, rng, colour) for x, y in spots), place, background)


def _pair(seed: int, rng: Random, names: tuple[str, str] | None = None, relation: str | None = None) -> Scene:
    place, background = _where(rng)
    names = names or _distinct_names(rng, 2)
    relation = relation or rng.choice(("left", "right", "above", "below"))
    first, second = {
        "left": ((34, 64), (94, 64)),
        "right": ((94, 64), (34, 64)),
        "above": ((64, 34), (64, 94)),
        "below": ((64, 94), (64, 34)),
    }[relation]
    size = rng.randint(48, 58)
    items = [
        _at(name, *spot, size, rng, _repaint(rng, name, background, 0.3))
        for name, spot in zip(names, (first, second), strict=True)
    ]
    return Scene(seed, "pair", tuple(items), place, background, relation)


def _row(seed: int, rng: Random) -> Scene:
    place, background = _where(rng)
    names = _distinct_names(rng, 3) if rng.random() < 0.5 else tuple(rng.sample(list(HEADWEAR), 3))
    items = [
        _at(name, x, 64, 40, rng, _repaint(rng, name, background)) for name, x in zip(names, (22, 64, 106), strict=True)
    ]
    return Scene(seed, "row", tuple(items), place, background)


def _worn(
    seed: int, rng: Random, wearer: str | None = None, headwear: str | None = "any", eyewear: str | None = "any"
) -> Scene:
    place, background = _where(rng)
    wearer = wearer or rng.choice(list(WEARERS))
    if headwear == "any":
        headwear = rng.choice(list(HEADWEAR)) if rng.random() < 0.66 else None
    if eyewear == "any":
        eyewear = rng.choice(EYEWEAR) if rng.random() < 0.25 else None
    return dressed(
        seed,
        wearer,
        headwear,
        eyewear,
        place,
        background,
        _repaint(rng, headwear, background),
        _repaint(rng, wearer, background, 0.25),
        rng,
    )


def alone(
    seed: int, name: str, place: str | None = None, background: str | None = None, colour: str | None = None
) -> Scene:
    """One thing, at a size and a spot that the seed decides."""
    rng = Random(seed)
    return Scene(seed, "single", (_centred(name, rng, rng.randint(66, 106), colour),), place, background)


def coloured(seed: int, rng: Random, names: list[str]) -> Scene:
    """One of these things in a colour, on another colour."""
    background, colour = rng.choice(BACKGROUND_COLOURS), rng.choice(list(COLOURS))
    return alone(seed, rng.choice(names), background=background, colour=colour if colour != background else "white")


def placed(seed: int, rng: Random, names: list[str]) -> Scene:
    """One of these things as it is, in a place."""
    return alone(seed, rng.choice(names), rng.choice(list(PLACES)))


def dressed(
    seed: int,
    wearer: str,
    headwear: str | None,
    eyewear: str | None,
    place: str | None,
    background: str | None,
    colour: str | None = None,
    wearer_colour: str | None = None,
    rng: Random | None = None,
) -> Scene:
    """A wearer, centred, with or without headwear (in a colour) and eyewear; the wearer's box depends on the seed
    alone.
    """
    rng = Random(seed) if rng is None else rng
    centre_x, brim, hat_width, eyes, glasses_width = WEARERS[wearer]
    size = rng.randint(68, 80)
    face = _fit(wearer, 64 + rng.randint(-6, 6), 126 - size // 2 - rng.randint(2, 8), size)
    left, top, width, height = face
    items = [Item(wearer, face, wearer_colour, "wearer")]
    if eyewear:
        items.append(
            Item(
                eyewear,
                _fit(eyewear, left + int(centre_x * width), top + int(eyes * height), int(glasses_width * width)),
                None,
                "eyewear",
            )
        )
    if headwear:
        hat = _fit(headwear, 0, 0, int(hat_width * width))
        items.append(
            Item(
                headwear,
                (left + int(centre_x * width) - hat[2] // 2, top + int(brim * height) - hat[3], *hat[2:]),
                colour,
                "headwear",
            )
        )
    return Scene(seed, "worn", tuple(items), place, background)


def _on(seed: int, rng: Random) -> Scene:
    """Headwear where no head is: alone, or on top of a thing."""
    place, background = _where(rng)
    hat = rng.choice([*HEADWEAR, *HEADWEAR, *EYEWEAR])
    colour = _repaint(rng, hat, background)
    if rng.random() < 0.5:
        return Scene(seed, "single", (_centred(hat, rng, rng.randint(44, 100), colour),), place, background)
    thing = _at(_any_name(rng), 64, 88, rng.randint(60, 70), rng, None)
    return Scene(seed, "on", (_at(hat, 64, 34, rng.randint(42, 54), rng, colour), thing), place, background, "on")


MAKERS = {"single": _single, "worn": _worn, "pair": _pair, "count": _count, "row": _row, "on": _on}


# Groups of four that differ in one respect


def _four_any(seed: int, rng: Random, some: int) -> list[Scene]:
    return [scene(rng.randrange(HELD_OUT)) for _ in range(4)]


def _hats(seed: int, rng: Random, some: int) -> list[Scene]:
    place, background = _where(rng)
    wearer, other = rng.sample(list(WEARERS), 2)
    first, second = rng.sample(list(HEADWEAR), 2)
    colours = _repaint(rng, first, background), _repaint(rng, wearer, background, 0.25)
    fourth = (other, first, None) if rng.random() < 0.6 else (wearer, None, rng.choice(EYEWEAR))
    worn = [(wearer, None, None), (wearer, first, None), (wearer, second, None), fourth]
    return [dressed(seed, *who, place, background, *colours) for who in worn]


def _hats_alone(seed: int, rng: Random, some: int) -> list[Scene]:
    return [_on(seed + i, rng) for i in range(4)]


def _colours(seed: int, rng: Random, some: int) -> list[Scene]:
    base = _single(seed, rng)
    return [
        replace(base, items=(replace(base.items[0], colour=c),))
        for c in rng.sample([c for c in COLOURS if c != base.background], 4)
    ]


def _places(seed: int, rng: Random, some: int) -> list[Scene]:
    base = _single(seed, rng)
    return [replace(base, place=place, background=None) for place in rng.sample(list(PLACES), 4)]


def _siblings(seed: int, rng: Random, some: int) -> list[Scene]:
    base = _single(seed, rng)
    kin = _kin()[by_name()[base.items[0].name].kind]
    alike = [
        replace(base, items=(replace(_centred(name, rng, rng.randint(66, 106)), colour=base.items[0].colour),))
        for name in rng.sample(kin, min(4, len(kin)))
    ]
    return alike + _four_any(seed, rng, some)[len(alike) :]


def _sides(seed: int, rng: Random, some: int) -> list[Scene]:
    names = _distinct_names(rng, 2, some)
    return [_pair(seed, Random(seed), names, relation) for relation in ("left", "right", "above", "below")]


def _spots(seed: int, rng: Random, some: int) -> list[Scene]:
    """One thing on each side of the picture: what a side is, learned before who is on which."""
    place, background = _where(rng)
    name = _distinct_names(rng, 1, some)[0]
    colour, size = _repaint(rng, name, background, 0.3), rng.randint(48, 58)
    spots = {"left": (34, 64), "right": (94, 64), "above": (64, 34), "below": (64, 94)}
    return [
        Scene(seed, "single", (_at(name, *spot, size, Random(seed), colour),), place, background, side)
        for side, spot in spots.items()
    ]


def _counts(seed: int, rng: Random, some: int) -> list[Scene]:
    name = _any_name(rng, counted=True)
    return [_count(seed, Random(seed), name, number) for number in (2, 3, 4, 5)]


CONTRASTS = (_four_any, _hats, _hats_alone, _colours, _places, _siblings, _sides, _spots, _counts)
# How often each contrast comes, and of how many things half of the pairs are made. Sides are learned in lessons of
# their own first: what is where
# is a product of two things to know, and neither its picture nor its caption can be the first to tell it.
LESSONS = {
    "everything": ((24, 16, 6, 6, 4, 14, 18, 6, 6), 48),
    "sides": ((15, 0, 0, 0, 0, 0, 45, 40, 0), 48),
    "sides of few": ((15, 0, 0, 0, 0, 0, 77, 8, 0), 8),
    "sides of more": ((15, 0, 0, 0, 0, 0, 77, 8, 0), 48),
    "things": (
        (30, 16, 4, 8, 6, 36, 0, 0, 0),
        48,
    ),  # what a judge of drawings is asked: things, colours, places, headwear
}


# Choices all makers share


def _where(rng: Random) -> tuple[str | None, str | None]:
    """A place, a background colour, or neither (plain)."""
    chance = rng.random()
    if chance < 0.45:
        return rng.choice(list(PLACES)), None
    return None, rng.choice(BACKGROUND_COLOURS) if chance < 0.7 else None


def _repaint(rng: Random, name: str | None, background: str | None, share: float = 0.4) -> str | None:
    """A colour for a share of things and never the background's.

    Headwear is repainted somewhat more often, so that no kind of hat goes with a colour, but not so often that colour
    goes with hats: with seven in ten, the nearest words of hat − no hat were names of colours.
    """
    if rng.random() < (0.5 if name in HEADWEAR else share):
        return rng.choice([colour for colour in COLOURS if colour != background])
    return None


@cache
def _names(counted: bool) -> list[str]:
    return [thing.name for thing in things() if thing.plural or not counted]


@cache
def _kin() -> dict[str, list[str]]:
    kin: dict[str, list[str]] = {}
    for thing in things():
        kin.setdefault(thing.kind, []).append(thing.name)
    return kin


def _any_name(rng: Random, counted: bool = False) -> str:
    return rng.choice(_names(counted))


def _distinct_names(rng: Random, number: int, some: int = 48) -> tuple[str, ...]:
    """Different things, half of the time out of `some` only: sides and order are learned on those long before all names
    are known.
    """
    every = rng.choice((1, len(_names(False)) // some))
    return tuple(rng.sample(_names(False)[::every], number))


def _centred(name: str, rng: Random, size: int, colour: str | None = None) -> Item:
    slack = (SIZE - size) // 2
    return _at(
        name, 64 + rng.randint(-slack, slack) // 2, 66 + rng.randint(-slack, slack) // 2, size, rng, colour, jitter=0
    )


def _at(name: str, x: int, y: int, size: int, rng: Random, colour: str | None, jitter: int = 5) -> Item:
    return Item(name, _fit(name, x + rng.randint(-jitter, jitter), y + rng.randint(-jitter, jitter), size), colour)


def _fit(name: str, x: int, y: int, size: int) -> tuple[int, int, int, int]:
    """The box of a thing whose longer side is `size`, centred on a point; its proportions are kept."""
    width, height = sprite(by_name()[name].emoji).size
    scale = size / max(width, height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    return x - width // 2, y - height // 2, width, height
