"""The link format: the keys of every page and their defaults.

A value equal to its default is absent from a link, so a default is as much a part of the format as a key: changing one changes what old
links show, and needs an entry in the changelog. The same key means the same thing on every page.
"""

ALL = {"model": "emoji", "collection": "emoji-world"}

PAGES: dict[str, dict[str, object]] = {
    "start": {"q": "@man-top-hat - @man"},
    "search": {"q": "lion + snow", "k": 24, "in": "pictures"},
    "classify": {
        "image": "@man-top-hat",
        "class_names": "top hat\ncrown\nhelmet\nbaseball cap\nsunglasses",
        "templates": "a photo of a {}",
    },
    "map": {"method": "pca", "points": "hat\nlion\nsnow\n@man-top-hat", "color": "group", "region": "", "x": 1, "y": 2},
    "interpolate": {"stops": "@lion-jungle-07\n@lion-snow-07", "frames": 9, "curve": "slerp"},
    "arithmetic": {"q": "@man-top-hat - @man", "k": 12, "bank": "words", "exclude": False, "pairs": ""},
}
