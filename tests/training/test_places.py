"""Backgrounds: each shows what its name says, and a seed decides it to the byte."""

from random import Random

import numpy as np
import pytest

from clipexplore.training.places import BACKGROUND_COLOURS, COLOURS, PLACES, SIZE, draw_background
from clipexplore.training.things import sprite


def mean_colour(place, colour, seed):
    return np.asarray(draw_background(place, colour, Random(seed))).reshape(-1, 3).mean(0)


def nearest_colour(rgb):
    return min(COLOURS, key=lambda name: np.linalg.norm(rgb - np.array(COLOURS[name])))


def test_there_are_enough():
    assert len(PLACES) >= 13 and len(COLOURS) == 11


def test_no_word_or_phrase_means_two_places():
    said = [text for place in PLACES.values() for text in {place.phrase, *place.synonyms, *place.words}]
    assert len(set(said)) == len(said)


def test_a_place_is_its_own_first_word():
    assert [place.words[0] for place in PLACES.values()] == list(PLACES)


def test_colours_that_pass_for_plain_are_no_backgrounds():
    assert set(COLOURS) - set(BACKGROUND_COLOURS) == {"white", "grey"}


@pytest.mark.parametrize("colour", BACKGROUND_COLOURS)
def test_a_coloured_background_has_that_colour(colour):
    assert [nearest_colour(mean_colour(None, colour, seed)) for seed in range(20)] == [colour] * 20


def test_a_plain_background_is_pale_and_has_no_colour():
    for seed in range(50):
        mean = mean_colour(None, None, seed)
        assert mean.min() > 215 and np.ptp(mean) < 6


@pytest.mark.usefixtures("world")
class TestDrawn:
    @pytest.mark.parametrize("place", [*PLACES, None])
    def test_the_same_seed_gives_the_same_bytes_and_another_others(self, place):
        first, again, other = (draw_background(place, None, Random(seed)) for seed in (7, 7, 8))
        assert first.size == (SIZE, SIZE) and first.mode == "RGB"
        assert first.tobytes() == again.tobytes() != other.tobytes()

    @pytest.mark.parametrize("place", PLACES)
    def test_every_decoration_is_in_the_font(self, place):
        for emoji in PLACES[place].high + PLACES[place].low:
            assert np.asarray(sprite(emoji))[..., 3].any(), f"{emoji!r} draws nothing"

    def test_places_look_different(self):
        """What is true of one place at most of its seeds: it is nearer to its own mean picture than to any other's."""
        pictures = {
            place: [np.asarray(draw_background(place, None, Random(seed)), float) for seed in range(16)]
            for place in PLACES
        }
        means = {place: np.mean(drawn[:8], axis=0) for place, drawn in pictures.items()}
        found = [
            min(means, key=lambda name: np.abs(picture - means[name]).mean()) == place
            for place, drawn in pictures.items()
            for picture in drawn[8:]
        ]
        assert np.mean(found) > 0.9

    def test_night_is_dark_and_snow_is_light(self):
        assert mean_colour("night", None, 0).max() < 70 and mean_colour("snow", None, 0).min() > 190
