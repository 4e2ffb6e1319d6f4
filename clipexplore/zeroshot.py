"""Zero-shot classification: class names become embeddings, and a picture takes the nearest.

Separate because it is a lesson of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.vectors import cosine_similarity, normalize


@dataclass(frozen=True, eq=False)
class Scores:
    """How well each picture (row) fits each class (column).

    Attributes
    ----------
    cosines
        `(n, c)` float32 in [−1, 1].
    logits
        `(n, c)` float32: logit_scale × cosine.
    probs
        `(n, c)` float32; each row sums to 1, given that one of these classes is right: "none of them" is no answer.
    """

    cosines: np.ndarray
    logits: np.ndarray
    probs: np.ndarray


def class_embeddings(
    embed_texts: Callable[[list[str]], np.ndarray], class_names: Sequence[str], templates: Sequence[str]
) -> np.ndarray:
    """One embedding a class: the normalised mean of its name's embeddings in all templates.

    Parameters
    ----------
    embed_texts
        Texts to their embeddings `(n, dim)`; called once, with all of them.
    class_names
        At least one.
    templates
        At least one; `{}` stands in each exactly once, for the name.

    Returns
    -------
    np.ndarray
        `(n, dim)` float32, unit rows, in the order of the names.

    Raises
    ------
    InputError
        When a list is empty or a template does not hold `{}` exactly once.

    Source
    ------
    A. Radford et al., Learning transferable visual models from natural language supervision, 2021, §3.1.4.
    """
    if not class_names:
        raise InputError("There is no class name to choose from; write one on each line.")
    _check_templates(templates)
    # replace, not str.format, which would let a template reach into the objects of the program
    texts = [template.replace("{}", name) for name in class_names for template in templates]
    embeddings = normalize(embed_texts(texts))
    return normalize(embeddings.reshape(len(class_names), len(templates), -1).mean(axis=1))


def classify(images: np.ndarray, classes: np.ndarray, logit_scale: float) -> Scores:
    """How well each picture fits each class.

    Parameters
    ----------
    images
        `(n, dim)` picture embeddings.
    classes
        `(c, dim)` class embeddings, c ≥ 1.
    logit_scale
        The factor the model has learned, exponentiated (100 for OpenAI's models): how sharply a cosine decides.
    """
    cosines = cosine_similarity(images, classes)
    logits = np.float32(logit_scale) * cosines
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Scores(cosines, logits, weights / weights.sum(axis=1, keepdims=True))


def _check_templates(templates: Sequence[str]) -> None:
    if not templates:
        raise InputError('There is no template; write at least one, such as "a photo of a {}."')
    for template in templates:
        if (count := template.count("{}")) != 1:
            raise InputError(f"The template {template!r} holds {{}} {count} times; write it once, where the name goes.")
