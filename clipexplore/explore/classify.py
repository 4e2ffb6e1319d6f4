"""Classify: pictures against classes that anybody can write down, and a whole labelled collection judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clipexplore.errors import InputError
from clipexplore.expression import folded
from clipexplore.labs.zeroshot import (
    TEMPLATE_SETS,
    ClassReport,
    Reliability,
    Scores,
    Threshold,
    best_scale,
    best_sigmoid,
    by_template_count,
    class_embeddings,
    none_of_these,
    probabilities,
    refused_below,
    reliability,
    report,
)
from clipexplore.labs.zeroshot import classify as scores_of
from clipexplore.language import _
from clipexplore.models.families import Scale
from clipexplore.reports import Report, silent
from clipexplore.space import Point, Space

LEAST = 3  # pictures that a class of a collection needs
MOST = 60  # classes of a collection: the most frequent
WRONG = 18  # mistakes that are listed
AT_ONCE = 256  # texts that are embedded between two reports
COUNTS = (1, 2, 4, 8, 16, 25)  # of templates
TEMPLATES = ("a photo of a {}",)


@dataclass(frozen=True, eq=False)
class Classified:
    """Pictures (rows) against classes (columns).

    Attributes
    ----------
    points
        The pictures, or whatever else was classified.
    scale
        What made the logits; probabilities sum to 1 where it has no bias, else each stands by itself.
    cut
        Texts that are longer than the model reads, each with its number of tokens.
    """

    SHOWN: ClassVar = ("probs", "cosines")
    points: list[Point]
    class_names: list[str]
    scores: Scores
    scale: Scale
    cut: list[tuple[str, int]]

    @property
    def probs(self) -> np.ndarray:
        return self.scores.probs

    @property
    def cosines(self) -> np.ndarray:
        return self.scores.cosines

    @property
    def answers(self) -> list[str | None]:
        """The most probable class of each picture; None, "none of these", where each stands by itself and none reaches
        ½.
        """
        least = 0 if self.scale.logit_bias is None else 0.5
        best = zip(self.probs.argmax(axis=1), self.probs.max(axis=1), strict=True)
        return [self.class_names[column] if prob >= least else None for column, prob in best]


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes as vectors `(c, dim)`, unit rows, and their texts that were cut, with their tokens."""

    vectors: np.ndarray
    cut: list[tuple[str, int]]


def classes_of(
    space: Space,
    class_names: Sequence[str],
    templates: Sequence[str] = TEMPLATES,
    report: Report = silent,
) -> Classes:
    """The classes of `classify`, some texts at a time, since many of them take a minute; `report` as in `judge`."""
    vectors = class_embeddings(_in_parts(space, report), class_names, templates)
    return Classes(vectors, space.cut([text.replace("{}", name) for text in templates for name in class_names]))


def _in_parts(space: Space, report: Report) -> Callable[[list[str]], np.ndarray]:
    """What embeds texts some at a time, with a report before each part."""

    def embed(texts: list[str]) -> np.ndarray:
        parts = []
        for start in range(0, len(texts), AT_ONCE):
            report(start / len(texts), _("Embedding {count:,} texts").format(count=len(texts)))
            parts.append(space.embed_texts(texts[start : start + AT_ONCE]))
        return np.concatenate(parts)

    return embed


def classify(
    space: Space,
    image: Sequence[str],
    class_names: Sequence[str],
    templates: Sequence[str] = TEMPLATES,
    classes: Classes | None = None,
) -> Classified:
    """How well each of some expressions, pictures as a rule, fits each class.

    Parameters
    ----------
    image
        At least one expression.
    templates
        Texts with one `{}`, where the class name goes; a class is the mean of its texts.
    classes
        What `classes_of` gives for these names and templates, where that is known.

    Raises
    ------
    InputError
        As `Space.point` and `class_embeddings`, and for a class that is there twice, in whatever case.
    """
    _check_different(class_names)
    points, scale = [space.point(each) for each in image], space.model.scale
    classes = classes or classes_of(space, class_names, templates)
    pictures = np.stack([point.vector for point in points])
    scores = scores_of(pictures, classes.vectors, scale.logit_scale, scale.logit_bias)
    return Classified(points, list(class_names), scores, scale, classes.cut)


def _check_different(class_names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in class_names:
        if (said := folded(name)) in seen:
            message = _("The class {name!r} is there twice, so that its probability would be split; leave one out.")
            raise InputError(message.format(name=name))
        seen.add(said)


@dataclass(frozen=True)
class Mistake:
    """A picture that was taken for another class, and how probable that seemed."""

    id: str
    caption: str
    right: str
    named: str
    prob: float


@dataclass(frozen=True, eq=False)
class Verdict:
    """How good one set of templates is.

    Attributes
    ----------
    own, best
        How far probabilities can be trusted with the model's own scale, and with `fitted`.
    fitted
        The scale that fits the labels best.
    inside, outside
        The best cosine with any class of each picture that has one `(n,)`, and of each that has none `(m,)`.
    threshold
        Where "none of these" begins; None where every picture has a class.
    half
        What the model's own "none of these" does, below the cosine to which its sigmoid gives ½; None where it has
        none.
    wrong
        How many pictures were taken for another class; `mistakes` are the most confident of these.
    """

    report: ClassReport
    own: Reliability
    best: Reliability
    fitted: Scale
    inside: np.ndarray
    outside: np.ndarray
    threshold: Threshold | None
    half: Threshold | None
    wrong: int
    mistakes: list[Mistake]


@dataclass(frozen=True, eq=False)
class Judged:
    """A labelled collection, classified.

    Attributes
    ----------
    class_names
        The values of the field, sorted.
    verdicts
        By set of templates: "bare" names, "one" template, "many" (25), and "yours".
    by_count
        The accuracy with the first n of the 25 templates, by n.
    pictures, chance, frequent
        How many pictures have a label, and how often guessing and always naming the most frequent class would be right.
    """

    SHOWN: ClassVar = ("accuracies", "by_count")
    class_names: list[str]
    verdicts: dict[str, Verdict]
    by_count: dict[int, float]
    scale: Scale
    pictures: int
    chance: float
    frequent: float

    @property
    def accuracies(self) -> dict[str, float]:
        return {name: verdict.report.accuracy for name, verdict in self.verdicts.items()}


def label_fields(space: Space) -> list[str]:
    """The fields of the collection that can be labels."""
    return [name for name in space.collection.fields.columns if name != "boxes"]


def judge(
    space: Space,
    field: str,
    templates: Sequence[str] = TEMPLATES,
    report: Report = silent,
) -> Judged:
    """Every picture with a value in a field, classified into the values of that field.

    Parameters
    ----------
    field
        Its values with at least three pictures are the classes, the 60 most frequent at most.
    templates
        The set "yours".
    report
        Is called with the share that is done and what is being done.

    Raises
    ------
    InputError
        When the field has fewer than two such values.
    """
    names, truth, known = _labels(space, field)
    images, sets = space.embeddings("pictures"), {**TEMPLATE_SETS, "yours": templates}
    verdicts: dict[str, Verdict] = {}

    def embed(texts: list[str]) -> np.ndarray:
        done = len(verdicts)  # of the sets, and of what follows them
        return _in_parts(space, lambda share, stage: report((done + share) / (len(sets) + 1), stage))(texts)

    for name, used in sets.items():
        classes = class_embeddings(embed, names, used)
        verdicts[name] = _verdict(space, images @ classes.T, names, truth, known)
    by_count = by_template_count(embed, names, images[known], truth, COUNTS)
    frequent = float(np.bincount(truth).max() / len(truth))
    return Judged(names, verdicts, by_count, space.model.scale, len(truth), 1 / len(names), frequent)


def _labels(space: Space, field: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The classes, the right one of each labelled picture `(n,)`, and which pictures are labelled `(items,)` bool."""
    values = space.collection.fields[field].astype("string")
    counts = values.value_counts()
    names = sorted(counts.index[counts >= LEAST][:MOST])
    if len(names) < 2:
        says = _("The field {field} has fewer than two values with {least} pictures each; choose another.")
        raise InputError(says.format(field=field, least=LEAST))
    known = values.isin(names).fillna(False).to_numpy(bool)
    return names, np.searchsorted(names, values[known].to_list()), known


def _verdict(space: Space, cosines: np.ndarray, names: list[str], truth: np.ndarray, known: np.ndarray) -> Verdict:
    inside, outside = cosines[known], cosines[~known].max(axis=1)
    best, (scale, bias, _learned) = inside.max(axis=1), space.model.scale
    fitted = Scale(best_scale(inside, truth)) if bias is None else Scale(*best_sigmoid(inside, truth))
    probs = probabilities(inside, scale, bias)
    half = refused_below(-bias / scale, best, outside) if bias is not None and len(outside) else None
    return Verdict(
        report=report(inside, truth),
        own=reliability(probs, truth),
        best=reliability(probabilities(inside, *fitted[:2]), truth),
        fitted=fitted,
        inside=best,
        outside=outside,
        threshold=none_of_these(best, outside) if len(outside) else None,
        half=half,
        wrong=int((inside.argmax(axis=1) != truth).sum()),
        mistakes=_mistakes(space, probs, names, truth, np.flatnonzero(known)),
    )


def _mistakes(space: Space, probs: np.ndarray, names: list[str], truth: np.ndarray, rows: np.ndarray) -> list[Mistake]:
    named, sure, collection = probs.argmax(axis=1), probs.max(axis=1), space.collection
    wrong = np.flatnonzero(named != truth)
    first = wrong[np.argsort(-sure[wrong], kind="stable")][:WRONG]
    return [
        Mistake(collection.ids[rows[i]], collection.captions[rows[i]], names[truth[i]], names[named[i]], float(sure[i]))
        for i in first
    ]
