"""What is drawn of the space: points moved to where pictures lie, walks over token states, and how far pictures are from each other.

Separate from `renderer`, which draws whatever it is given: here stands what is right to give it.
"""

import numpy as np
from PIL import Image

from clipexplore.errors import InputError
from clipexplore.space import Point, PointTerm
from clipexplore.vectors import Curve, Easing, normalize, path


def across_gap(point: Point, gap: np.ndarray | None) -> np.ndarray:
    """The vector of a point `(dim,)`, unit norm, moved to where pictures lie: every text in the sum counts as the picture it would caption.

    A decoder knows picture embeddings, and texts lie across the modality gap: a matched pair has a cosine of a third. So `gap` `(dim,)`, the mean picture
    minus the mean text embedding, is added to each text, with its weight; in a difference of two texts it cancels. A name counts as the texts it is made
    of. Pictures stay where they are, and without a gap everything does.
    """
    share = sum(_weight_of_texts(part) for part in point.terms)
    if gap is None or not share:
        return point.vector
    return normalize(point.vector * np.float32(point.length) + np.float32(share) * gap)


def _weight_of_texts(part: PointTerm) -> float:
    if part.meaning is not None:
        return part.term.weight * sum(map(_weight_of_texts, part.meaning.terms)) / part.meaning.length
    return 0.0 if part.term.is_id else part.term.weight


def one_text(point: Point) -> str | None:
    """The text of a point that is one text and nothing else, for which alone there are token states; None for a sum or a picture."""
    terms = point.expression.terms
    return terms[0].text if len(terms) == 1 and not terms[0].is_id and terms[0].weight > 0 else None


def prompt_path(states: np.ndarray, frames: int, curve: Curve = "slerp", easing: Easing = "linear") -> np.ndarray:
    """A walk over token states, `(frames, tokens, width)` float32.

    Parameters
    ----------
    states
        Those of the stops, `(stops, tokens, width)`, stops ≥ 2.
    curve
        "slerp" turns each token's state by a constant angle a frame, its length going evenly; "lerp" follows straight lines.

    Raises
    ------
    InputError
        As `vectors.path`, for any of the tokens.

    Source
    ------
    traberph/CLIP-Interpolation: slerp of each token for itself looks better than lerp for long prompts.
    """
    walks = [path(states[:, token], frames, curve, easing) for token in range(states.shape[1])]
    points = np.stack([walk.points for walk in walks], 1)
    if curve == "lerp":
        return points
    lengths = np.linalg.norm(states, axis=2)  # (stops, tokens)
    stops = np.arange(len(states))
    along = np.stack([np.interp(walks[0].positions, stops, lengths[:, token]) for token in range(states.shape[1])], 1)
    return (points * along[..., None]).astype(np.float32)


def changes(pictures: list[Image.Image]) -> np.ndarray:
    """How much each picture differs from the one before, `(n − 1,)` in [0, 255]: the mean absolute difference of their values.

    Raises
    ------
    InputError
        For pictures of different sizes.
    """
    if len({picture.size for picture in pictures}) > 1:
        raise InputError("Pictures of different sizes cannot be compared; draw them with the same model.")
    values = [np.asarray(picture, np.float32) for picture in pictures]
    return np.array([np.abs(b - a).mean() for a, b in zip(values, values[1:], strict=False)])
