"""An expression that nobody typed, for whoever does not know where to begin."""

from random import Random

from clipexplore.expression import Expression, Term, format
from clipexplore.space import Space


def surprise(space: Space, rng: Random) -> str:
    """The sum of two pictures of the collection, or of two words where it has no pictures and there are words."""
    if (space.kind == "pictures" or "words" not in space.searchable) and len(space.collection) > 1:
        terms = [Term(space.collection.ids[row], is_id=True) for row in rng.sample(range(len(space.collection)), 2)]
    else:
        terms = [Term(space.words.captions[row]) for row in rng.sample(range(len(space.words)), 2)]
    return format(Expression(tuple(terms)))
