"""Concepts of the bundled world, and of a collection of one's own."""

import numpy as np
import pytest

from clipexplore import Space
from clipexplore.errors import InputError, MissingError
from clipexplore.explore import concepts as module
from clipexplore.explore.concepts import concept, concepts, dictionary, has_concepts, learn
from clipexplore.explore.turned import amounts_as_text, amounts_of, turn
from clipexplore.labs.concepts import Dictionary
from clipexplore.settings import settings
from clipexplore.store.collection import Collection


def of_value(space, value: str):
    """The concept that tells a value best."""
    return max((card for card in concepts(space).cards if card.value == value), key=lambda card: card.f1)


def test_what_is_shipped_is_of_the_model_that_is_shipped(space):
    path = settings().assets / module.SHIPPED
    assert path.stat().st_size < 2_000_000
    assert Dictionary.load(path, space.model.clip.revisions.pictures) is not None, (
        "run python -m clipexplore.training.concepts"
    )
    assert Dictionary.load(path, "another model") is None


def test_cards_say_what_the_dictionary_holds(space):
    found, held = concepts(space), dictionary(space)
    pictures = space.collection.embeddings("emoji", "pictures")
    amounts = held.read(pictures).toarray()
    assert found.count == len(found.cards) == amounts.shape[1] and found.k == 12 and found.explained > 0.9
    card = of_value(space, "place: snow")
    own = amounts[:, card.number - 1]
    assert card.share == pytest.approx((own > 0).mean()) and card.usual == pytest.approx(np.median(own[own > 0]))
    assert card.examples[0] == space.collection.ids[int(own.argmax())] and len(card.examples) == module.EXAMPLES
    assert {"snow", "winter"} & set(card.words) and card.f1 > 0.95
    places = space.collection.fields["place"]
    assert {places.iloc[space.collection.row(id)] for id in card.examples} == {"snow"}


def test_the_order_is_that_which_was_asked_for(space):
    for order, name in (("stability", "stability"), ("purity", "purity"), ("frequency", "share")):
        values = [getattr(card, name) for card in concepts(space, order=order).cards]
        assert values == sorted(values, reverse=True)
    assert concepts(space, find="snow").cards[0].number == of_value(space, "place: snow").number


def test_one_concept_is_where_its_pictures_are(space):
    card = of_value(space, "headwear: top hat")
    found = concept(space, card.number)
    assert found.card == card and "top hat" in [hit.caption for hit in found.words]
    assert [hit.cosine for hit in found.words] == sorted([hit.cosine for hit in found.words], reverse=True)
    assert found.coordinates.shape == (len(space.collection), 2)
    assert (found.amounts > 0).mean() == pytest.approx(card.share)
    assert all(amount == pytest.approx(found.amounts[space.collection.row(id)]) for id, amount in found.pictures)


def test_a_concept_turned_off_and_another_on(space):
    jungle, snow = (of_value(space, f"place: {place}").number for place in ("jungle", "snow"))
    asked = amounts_as_text({jungle: 0, snow: 1.5})
    found = turn(space, "@lion-jungle-07", asked)
    assert all(hit.id.startswith("lion-jungle") for hit in found.before)
    assert all(hit.id.startswith("lion-snow") for hit in found.after)
    (first, before, after), (second, *levels), *_rest = found.parts
    assert (first.number, after, second.number, levels) == (jungle, 0, snow, [0, 1.5]) and before > 0.5
    assert found.turned.weight_of_pictures == 1 and np.linalg.norm(found.turned.vector) == pytest.approx(1)


def test_what_is_not_turned_stays(space):
    found = turn(space, "@lion-jungle-07")
    np.testing.assert_allclose(found.turned.vector, space.point("@lion-jungle-07").vector, atol=2e-3)
    assert found.cosine == pytest.approx(1) and 1 <= len(found.parts) <= 12
    assert all(before == after > 0 for _card, before, after in found.parts)


def test_texts_are_read_as_pictures(space):
    words = {word for card, _before, _after in turn(space, "a lion in the snow").parts[:4] for word in card.words}
    assert {"lion", "snow", "winter"} & words


def test_what_is_turned_is_read_as_it_is_written():
    assert amounts_of(" 12 0, 40 1.5 ,") == {12: 0, 40: 1.5} and amounts_of("") == {}
    assert amounts_of(amounts_as_text({7: 0.05, 3: 3})) == {7: 0.05, 3: 3}
    for wrong in ("snow", "12", "12 0 1", "1.5 1"):
        with pytest.raises(InputError, match="is not the number of a concept and how much of it"):
            amounts_of(wrong)
    for wrong in ("12 -1", "12 3.5", "12 nan", "12 inf"):
        with pytest.raises(InputError, match="There can be 0 to 3 times the usual amount of a concept, not"):
            amounts_of(wrong)


def test_a_concept_that_is_not_there_is_a_sentence(space):
    count = len(dictionary(space))
    for number in (0, count + 1):
        with pytest.raises(InputError, match=f"There is no concept {number}; they are numbered from 1 to {count}"):
            concept(space, number)
    with pytest.raises(InputError, match="There is no concept 90000"):
        turn(space, "@lion", "90000 1")


@pytest.fixture
def own(space, tmp_path):
    """A tenth of the world as a collection of one's own."""
    world = space.collection
    rows = list(range(0, len(world), 10))
    items = world.fields.iloc[rows].reset_index(drop=True)
    items.insert(0, "id", [world.ids[row] for row in rows])
    items.insert(1, "caption", [world.captions[row] for row in rows])
    pictures = [world.picture(id) for id in items["id"]]
    made = Collection.create(tmp_path / "own", name="own", title="Own", items=items, pictures=pictures)
    for kind in ("pictures", "captions"):
        made.add_embeddings("emoji", space.revision, kind, world.embeddings("emoji", kind)[rows])
    return Space(space.model, Collection.open(tmp_path / "own"), space.words, space.background, world=world)


def test_concepts_of_ones_own_pictures_are_learned_and_kept(own):
    assert not has_concepts(own)
    with pytest.raises(MissingError, match="The concepts of Own have not been learned for this model"):
        concepts(own)
    told = []
    found = learn(own, report=lambda share, stage: told.append((share, stage)))
    assert has_concepts(own) and found.pictures == len(own.collection) and found.count <= found.pictures // 2
    assert found.explained > 0.5 and 0 < found.stability < 1
    assert told == sorted(told, key=lambda each: each[0]) and told[-1] == (0.9995, "Learning from seed 2 of 2")
    again = dictionary(Space(own.model, own.collection, own.words, own.background))
    np.testing.assert_array_equal(again.directions, dictionary(own).directions)


def test_few_pictures_are_not_learned_from(own, monkeypatch):
    monkeypatch.setattr(module, "MOST", 50)
    with pytest.raises(InputError, match="from at least 100 different points, and there are"):
        learn(own)


def test_what_another_model_learns_of_the_world_is_kept_at_home(space, monkeypatch):
    monkeypatch.setattr(module, "_revision", lambda space: "another model")
    assert module._file(space).is_relative_to(settings().home) and not has_concepts(space)
