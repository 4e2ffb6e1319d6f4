"""Where things stand: the colours and places of Emoji World, and how a background is drawn.

A place is a sky, a ground and a few decorations; everything else about it is a shade drawn from the seed.
"""

from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from .things import sprite

SIZE = 128  # pixels, width and height of a scene

COLOURS = {
    "red": (214, 40, 40),
    "orange": (247, 127, 0),
    "yellow": (250, 214, 50),
    "green": (56, 158, 62),
    "blue": (38, 98, 217),
    "purple": (128, 50, 170),
    "pink": (245, 120, 180),
    "brown": (121, 77, 44),
    "black": (28, 28, 30),
    "white": (250, 250, 250),
    "grey": (132, 134, 138),
}
BACKGROUND_COLOURS = tuple(name for name in COLOURS if name not in ("white", "grey"))  # those would pass for plain


@dataclass(frozen=True)
class Place:
    """A kind of background.

    `phrase` is the literal wording and `synonyms` others; `words` are bare words for it. `sky` and `ground` are (top,
    bottom) colours, `horizon` the share of the height above the ground; `high` and `low` are emoji that decorate the
    sky and the horizon.
    """

    phrase: str
    words: tuple[str, ...]
    synonyms: tuple[str, ...]
    sky: tuple[tuple[int, int, int], tuple[int, int, int]]
    ground: tuple[tuple[int, int, int], tuple[int, int, int]]
    horizon: float
    high: str
    low: str


PLACES = {
    "snow": Place(
        "in the snow",
        ("snow", "winter"),
        ("in winter", "on a snowy day", "in a snowy landscape"),
        ((170, 196, 222), (226, 236, 245)),
        ((250, 252, 255), (226, 234, 244)),
        0.55,
        "❄",
        "🌲",
    ),
    "jungle": Place(
        "in the jungle",
        ("jungle", "rainforest"),
        ("in the rainforest", "in a tropical forest", "among the jungle trees"),
        ((20, 74, 40), (44, 118, 56)),
        ((30, 84, 34), (18, 56, 26)),
        0.62,
        "🌿",
        "🌴🌿🌴",
    ),
    "desert": Place(
        "in the desert",
        ("desert", "sand"),
        ("in a sandy desert", "among the dunes", "on the hot sand"),
        ((252, 206, 128), (254, 232, 186)),
        ((226, 180, 106), (200, 148, 80)),
        0.55,
        "☀",
        "🌵",
    ),
    "beach": Place(
        "on the beach",
        ("beach", "seaside"),
        ("at the seaside", "on a sandy beach", "by the shore"),
        ((110, 196, 240), (64, 160, 216)),
        ((246, 222, 166), (232, 200, 140)),
        0.60,
        "☀",
        "🏖🌴🐚",
    ),
    "night": Place(
        "at night",
        ("night", "dark"),
        ("in the dark", "under the stars", "at midnight"),
        ((8, 10, 36), (22, 26, 70)),
        ((14, 16, 34), (6, 8, 20)),
        0.78,
        "⭐🌙✨⭐",
        "",
    ),
    "ocean": Place(
        "under water",
        ("ocean", "underwater"),
        ("in the ocean", "deep in the sea", "at the bottom of the sea"),
        ((20, 110, 180), (8, 58, 120)),
        ((10, 60, 110), (6, 36, 74)),
        0.82,
        "🫧",
        "🪸🐚",
    ),
    "city": Place(
        "in the city",
        ("city", "town"),
        ("in town", "on a city street", "downtown"),
        ((176, 190, 206), (214, 220, 228)),
        ((96, 98, 104), (74, 76, 82)),
        0.66,
        "☁",
        "🏢🏬🏢",
    ),
    "meadow": Place(
        "in a meadow",
        ("meadow", "grass"),
        ("on the grass", "in a green field", "in the countryside"),
        ((136, 206, 250), (200, 232, 252)),
        ((124, 196, 78), (84, 160, 56)),
        0.52,
        "☁",
        "🌼🌷",
    ),
    "mountains": Place(
        "in the mountains",
        ("mountains", "alps"),
        ("high in the mountains", "among the peaks", "in the alps"),
        ((150, 190, 228), (206, 222, 238)),
        ((124, 120, 112), (92, 96, 88)),
        0.62,
        "☁",
        "🏔⛰🏔",
    ),
    "space": Place(
        "in space",
        ("space", "galaxy"),
        ("in outer space", "among the planets", "floating in the galaxy"),
        ((10, 4, 28), (40, 14, 70)),
        ((40, 14, 70), (16, 6, 40)),
        0.90,
        "🪐✨🌍✨",
        "",
    ),
    "room": Place(
        "in a room",
        ("room", "indoors"),
        ("indoors", "at home", "in the living room"),
        ((238, 222, 196), (228, 208, 178)),
        ((162, 110, 66), (136, 90, 52)),
        0.68,
        "🖼",
        "🛋🪴",
    ),
    "autumn": Place(
        "in the autumn forest",
        ("autumn", "forest"),
        ("in the woods in autumn", "among falling leaves", "in the fall"),
        ((240, 190, 120), (232, 150, 80)),
        ((168, 96, 40), (130, 70, 30)),
        0.60,
        "🍂",
        "🍁🌳🍂",
    ),
    "sunset": Place(
        "at sunset",
        ("sunset", "dusk"),
        ("at dusk", "in the evening light", "as the sun goes down"),
        ((94, 54, 130), (250, 130, 80)),
        ((80, 40, 70), (50, 24, 50)),
        0.72,
        "",
        "🌇",
    ),
    "rain": Place(
        "in the rain",
        ("rain", "storm"),
        ("on a rainy day", "in a storm", "in wet weather"),
        ((96, 108, 124), (140, 152, 166)),
        ((90, 104, 110), (70, 84, 92)),
        0.70,
        "🌧💧💧",
        "",
    ),
    "farm": Place(
        "on a farm",
        ("farm", "barn"),
        ("at the farm", "near a barn", "in a farmyard"),
        ((160, 212, 246), (214, 236, 250)),
        ((214, 178, 84), (180, 140, 56)),
        0.55,
        "☁",
        "🌾🚜🌾",
    ),
}


def draw_background(place: str | None, colour: str | None, rng: Random) -> Image.Image:
    """A 128-px RGB background: the place, a coloured gradient, or plain pale grey where both are None."""
    if place:
        return _draw_place(PLACES[place], rng)
    if colour:
        top = _shade(COLOURS[colour], rng, 14)
        return Image.fromarray(_gradient(top, _shade(top, rng, 14), SIZE))
    level = rng.randint(226, 246)
    return Image.fromarray(_gradient((level, level, level), _shade((level, level, level), rng, 6), SIZE))


def _draw_place(place: Place, rng: Random) -> Image.Image:
    horizon = int(SIZE * (place.horizon + rng.uniform(-0.06, 0.06)))
    sky = _gradient(*(_shade(colour, rng, 12) for colour in place.sky), horizon)
    ground = _gradient(*(_shade(colour, rng, 12) for colour in place.ground), SIZE - horizon)
    picture = Image.fromarray(np.concatenate([sky, ground]))
    for emoji in rng.choices(place.high, k=rng.randint(2, 4)) if place.high else ():
        _decorate(picture, emoji, rng.randint(12, 26), rng.randint(8, 120), rng.randint(6, max(8, horizon - 30)))
    for emoji in rng.choices(place.low, k=rng.randint(2, 3)) if place.low else ():
        size = rng.randint(22, 38)
        _decorate(picture, emoji, size, rng.choice((rng.randint(4, 40), rng.randint(88, 124))), horizon - size // 3)
    return picture


def _decorate(picture: Image.Image, emoji: str, size: int, x: int, y: int) -> None:
    small = _small_sprite(emoji, size)
    picture.paste(small, (x - size // 2, y - size // 2), small)


@cache
def _small_sprite(emoji: str, size: int) -> Image.Image:
    return sprite(emoji).resize((size, size), Image.Resampling.BILINEAR)


def _gradient(top: tuple, bottom: tuple, height: int) -> np.ndarray:
    t = np.linspace(0, 1, max(height, 1), dtype=np.float32)[:, None]
    column = np.asarray(top, np.float32) * (1 - t) + np.asarray(bottom, np.float32) * t
    return np.repeat(column.astype(np.uint8)[:, None], SIZE, axis=1)


def _shade(colour: tuple, rng: Random, by: int) -> tuple:
    shift = rng.randint(-by, by)
    return tuple(min(255, max(0, c + shift + rng.randint(-by // 3, by // 3))) for c in colour)
