"""Every sentence a visitor reads, in one catalogue, so that it can be read through, corrected and translated in one place."""

from typing import NamedTuple


class PageText(NamedTuple):
    """What a page says about itself: an emoji as `icon`, `lead` in one line, `why` behind "What is happening?", its `formula` in LaTeX, and something to try."""

    title: str
    icon: str
    lead: str
    why: str
    formula: str
    attempt: str


PAGES = {
    "start": PageText(
        "CLIP Explorer",
        "🧭",
        "Pictures and texts as points of one space. Type anything below, or pick an example.",
        "CLIP turns every picture and every text into a vector of length 1, so that those which match point the same way. "
        "How well two match is their cosine: 1 for the same direction, 0 for nothing in common. "
        "A point of that space is written here as an **expression** – texts and pictures, added and subtracted – and every page takes one.",
        r"\cos(a, b) = a \cdot b, \qquad \lVert a \rVert = \lVert b \rVert = 1",
        "Take the hat off: replace `@man-top-hat - @man` by `@man - @man-top-hat` and watch the words turn around.",
    ),
    "search": PageText(
        "Search",
        "🔎",
        "Text, picture or any sum of them in; the nearest pictures, captions and words out.",
        "The expression becomes one vector, and everything is ranked by its cosine with it. A cosine alone says little: with CLIP a perfect match "
        "may be 0.3. So each comes with **z**, by how many standard deviations it stands above the average of all that was searched.",
        r"\text{score}_i = q \cdot x_i, \qquad z_i = \frac{q \cdot x_i - \operatorname{mean}}{\operatorname{std}}",
        "Add and subtract: `@lion-jungle-07 - jungle + snow`. Press ⋯ under a picture for more or less like it.",
    ),
    "classify": PageText(
        "Classify",
        "🏷️",
        "Describe the classes in words; no training, no labels.",
        "Each class name is put into the templates, embedded, averaged and normalised. The picture's cosines with the classes, times CLIP's learned "
        "scale, go through a softmax. The probabilities are **conditional on one of your classes being right**: CLIP never answers “none of these”. "
        "Look at the cosines to see whether any class fits at all. Source: Radford et al. 2021, §3.1.",
        r"p_i = \frac{e^{s\,(x \cdot c_i)}}{\sum_j e^{s\,(x \cdot c_j)}}",
        "Remove the right class from the list and watch which wrong one becomes almost certain.",
    ),
    "map": PageText(
        "Map",
        "🗺️",
        "The collection laid out on a plane, with your own points among it.",
        "**PCA** keeps the two directions along which the pictures differ most; distances shrink but are never torn. **UMAP** keeps neighbourhoods: what is "
        "close stays close, but directions, sizes and gaps mean nothing. Its map was fitted on 10,000 captions; pictures and your points are placed among "
        "their nearest captions. Neighbours in the list are always those of the true space, not of the plane.",
        r"\text{PCA: } y = V_2^\top (x - \bar x), \qquad \text{UMAP: } y = \textstyle\sum_k w_k\, y_k,\; w = \operatorname{softmax}(x \cdot x_k / \tau)",
        "Draw a loop around a cluster with the lasso and see what is in it. Colour by place, then by thing.",
    ),
    "interpolate": PageText(
        "Interpolate",
        "🎞️",
        "Walk from one point to another, and see what lies along the way.",
        "**slerp** walks along the sphere at constant speed; **lerp** takes the straight line through it, so that its points are shorter than 1 and "
        "the middle is passed faster. Every frame shows its nearest picture and caption, and how far it still is from each stop.",
        r"\operatorname{slerp}(a, b; t) = \frac{\sin((1-t)\,\Omega)}{\sin \Omega}\,a + \frac{\sin(t\,\Omega)}{\sin \Omega}\,b, \qquad \cos \Omega = a \cdot b",
        "Give a third stop on a line of its own, or start at a picture: `@lion-jungle-07`.",
    ),
    "arithmetic": PageText(
        "Arithmetic",
        "🎩",
        "Subtract a bare head from one with a hat, and the nearest words are about hats.",
        "What two pictures share cancels in their difference; what remains points towards what only the first one has. Its cosines with the words of a bank "
        "are small, so read the **order**, and z: a word at z = 4 stands four standard deviations above the bank. The sign matters: with − without.",
        r"d = \frac{x_\text{hat} - x_\text{bare}}{\lVert x_\text{hat} - x_\text{bare} \rVert}, \qquad \text{score}_w = d \cdot w",
        "Give several pairs, one a line: their mean is a cleaner direction, and the agreement says how parallel they are.",
    ),
}

TEXTS = {
    "app.title": "CLIP Explorer",
    "app.model": "Model",
    "app.collection": "Collection",
    "app.wrong": "Something went wrong here, and it is not your fault. It has been written to the server's log.",
    "page.why": "What is happening?",
    "page.try": "Try this: ",
    "page.examples": "Examples",
    "page.code": "Show code",
    "page.code_lead": "The same result in a notebook:",
    "expression.label": "Expression",
    "expression.placeholder": "cat + snow   or   @man-top-hat - @man",
    "expression.help": "Texts and @pictures joined by ` + ` and ` - ` with spaces around, with weights like `0.7*cat`. "
    'Put quotes around a text that itself contains " - ". An id such as `@lion-jungle-07` names a picture.',
    "expression.open_in": "Open in",
    "expression.length": "length of the sum {length:.2f}",
    "expression.length_help": "Each term is a vector of length 1. Where the terms agree the sum is long, where they cancel it is short and mostly noise is left.",
    "expression.tokens": "{tokens} of {most} tokens",
    "expression.cut": "“{text}” has {tokens} tokens and the model reads {most}: its end does not count. Shorten it or split it into terms.",
    "lines.none": "Give at least {least}, one a line.",
    "lines.many": "There are {count} lines and {most} are allowed; the rest is left out.",
    "result.more": "More like this",
    "result.less": "Less like this",
    "result.search": "Search from this",
    "result.none": "Nothing is left to show.",
    "result.cosine": "cosine",
    "result.word": "word",
    "result.caption": "caption",
    "result.context": "Among {count:,} {what} the best cosine is {best:.3f}; the average is {mean:.3f} ± {std:.3f}, so the best stands {z:.1f} standard deviations above it.",
    "result.distribution": "All cosines",
    "result.distribution_alt": "Histogram of the cosines of everything searched",
    "result.csv": "CSV",
    "result.npy": "Vector (NPY)",
    "result.png": "Contact sheet (PNG)",
    "start.words": "Nearest words",
    "start.words_alt": "Bars: the words nearest to {q}, with cosine and z",
    "start.pictures": "Nearest pictures",
    "search.in": "Search in",
    "search.k": "Results",
    "search.alt": "Bars: the {what} nearest to {q}, with cosine and z",
    "classify.image": "Pictures, one a line",
    "classify.image_help": "An `@id`, or any other expression, on each line. Upload your own with the button below.",
    "classify.class_names": "Classes, one a line",
    "classify.templates": "Templates, one a line",
    "classify.templates_help": "`{}` stands where the class name goes. Several templates are averaged.",
    "classify.alt": "Bars: the probability of each class for {q}",
    "classify.probability": "probability, given that one of these classes is right",
    "classify.conditional": "Probabilities are a softmax over these classes with the model's own scale {scale:.1f}: they say which class fits **best**, never whether any fits. "
    "“None of these” is no answer CLIP can give; compare the cosines.",
    "map.method": "Projection",
    "map.color": "Colour by",
    "map.points": "Your points, one a line",
    "map.points_help": "Each line is an expression; it is shown on the map as a diamond.",
    "map.x": "Component on x",
    "map.y": "Component on y",
    "map.region": "Region",
    "map.region_help": "Set by a click or the lasso. A polygon as `x y, x y, …`, or the `@id` of one picture; it is part of the link.",
    "map.clear": "Clear the region",
    "map.chosen": "{count:,} pictures in the region",
    "map.near": "Nearest to {q} in the true space",
    "map.nothing": "–",
    "map.rest": "others",
    "map.yours": "your points",
    "map.alt": "Map of {count:,} pictures coloured by {field}",
    "map.component": "component {number} ({share:.1%} of the variance)",
    "map.pca_says": "These two components keep {kept:.1%} of the variance; {lost:.1%} of what tells the pictures apart cannot be seen here.",
    "map.umap_says": "UMAP of {count:,} captions, fitted once; pictures and your points lie among their 15 nearest captions. Only nearness means something here.",
    "interpolate.stops": "Stops, one a line",
    "interpolate.stops_help": "Each line is an expression: a text, an `@id`, or a sum.",
    "interpolate.frames": "Frames",
    "interpolate.frames_help": "How many points in all, the stops included.",
    "interpolate.curve": "Path",
    "interpolate.frame": "frame",
    "interpolate.length": "length before normalising",
    "interpolate.curves_alt": "Lines: the cosine of each frame with every stop, and the length of each frame",
    "interpolate.map_alt": "The path on the plane of its two largest components, the pictures of the collection behind it",
    "interpolate.plane": "component {number} of the path",
    "interpolate.npy": "Path (NPY)",
    "arithmetic.bank": "Against",
    "arithmetic.reverse": "Turn around",
    "arithmetic.exclude": "Leave the inputs out",
    "arithmetic.exclude_help": "Removes the pictures and texts of the expression itself from the results.",
    "arithmetic.several": "Average several pairs",
    "arithmetic.pairs": "Further pairs to average, one a line",
    "arithmetic.pairs_help": "Each line is a difference like the one above. All are normalised and averaged.",
    "arithmetic.agreement": "Agreement of the pairs",
    "arithmetic.agreement_help": "The mean cosine between the differences: 1 if all point the same way, 0 if they have nothing in common.",
    "arithmetic.pictures": "Nearest pictures",
    "share.label": "Share this view",
    "share.lead": "This link opens what you see, for anybody who can reach this server.",
    "share.copy": "Copy the link",
    "share.copied": "Copied",
    "share.qr": "QR code of the link",
    "share.too_long": "The link is too long for a QR code.",
    "uploads.label": "Add a picture",
    "uploads.drop": "Drop pictures here",
    "uploads.camera": "Take a photo",
    "uploads.use_camera": "Use the camera",
    "uploads.use": "Use it",
    "uploads.keep": "Keep for links",
    "uploads.keep_help": "Stores the picture on this server, so that everybody who has the link sees it. Without this it disappears with your session.",
}  # fmt: skip


def text(key: str, **values: object) -> str:
    """The sentence of a key with its values filled in."""
    return TEXTS[key].format(**values) if values else TEXTS[key]
