"""The link format: the keys of every page and their defaults.

A value equal to its default is absent from a link, so a default is as much a part of the format as a key: changing one changes what old
links show, and needs an entry in the changelog. The same key means the same thing on every page.
"""

ALL = {"model": "emoji", "collection": "emoji-world", "names": ""}

PAGES: dict[str, dict[str, object]] = {
    "start": {"q": "@man-top-hat - @man"},
    "search": {"q": "lion + snow", "k": 24, "in": "pictures", "facet": "any", "only": [], "draw": False},
    "classify": {
        "image": "@man-top-hat",
        "class_names": "top hat\ncrown\nhelmet\nbaseball cap\nsunglasses",
        "templates": "a photo of a {}", "task": "pictures", "field": "headwear", "using": "many", "judge": False,
    },
    "map": {
        "method": "pca", "points": "hat\nlion\nsnow\n@man-top-hat", "color": "group", "region": "", "x": 1, "y": 2, "solid": False, "heat": "hat", "by": "k-means", "groups": 12,
        "fit": "background", "n_neighbors": 15, "min_dist": 0.1, "seed": 0, "metric": "cosine", "fitter": "torch", "placing": "neighbours",
        "facet": "any", "only": [], "like": "", "least": 0.25, "draw": False,
    },
    "components": {
        "of": "pictures", "center": True, "standardize": False, "part": "spectrum", "rank": 10, "x": 1, "y": 2, "z": 3, "solid": False, "component": 1,
        "points": "hat\nlion\nsnow\n@man-top-hat", "q": "@lion-jungle-07",
    },
    "pixels": {"source": "collection", "picture": "@lion-jungle-07", "digit": 0, "rank": 10},
    "interpolate": {
        "stops": "@lion-jungle-07\n@lion-snow-07", "frames": 9, "curve": "slerp", "easing": "linear", "draw": True, "space": "auto", "shift": True,
        "num_inference_steps": None, "guidance_scale": None, "scheduler": "own", "seed": 0,
    },
    "arithmetic": {"q": "@man-top-hat - @man", "k": 12, "bank": "words", "exclude": False, "pairs": "", "draw": False, "onto": "@dog-face"},
    "match": {"n": 12, "seed": 0, "swap": 0, "logit_scale": None, "dot": False, "image": "", "captions": "", "show": "cosines", "closed": 0},
    "properties": {
        "objects": "automobile\nrose\nbutterfly\nguitar\nhouse\nballoon",
        "values": "red\nbrown\nyellow\ngreen\nblue\npurple\npink\nblack",
        "cell": "a {value} {object}", "before": "red", "after": "blue",
    },
    "words": {"q": "man - boy + girl", "k": 10, "window": 4, "rank": 100},
    "collections": {"look": "sample", "near": 0.95, "seed": 0},
    "status": {},
}
