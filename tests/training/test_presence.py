from clipexplore.training import presence as recipe
from clipexplore.training.scenes import Item, Scene

BOX = (0, 0, 9, 9)


def one(name: str, place: str | None = None) -> Scene:
    return Scene(1, "single", (Item(name, BOX, None, "thing"),), place=place)


def test_whatever_is_called_by_a_word_of_a_question_is_held_out():
    scenes = [one("lion", "snow"), one("tiger", "snow"), one("dog face"), one("dog"), one("person walking")]
    asked = [
        recipe.Question("names", ("lion",), "lion"),
        recipe.Question("captions", ("a dog in the snow",), "dog"),
        recipe.Question("sums", ("tiger", "snow"), "tiger"),
    ]
    found = recipe.gone(asked, scenes)
    assert found[0].tolist() == [True, False, False, False, False]
    assert found[1].tolist() == [False, False, True, True, False]
    assert found[2, 1] and not found[2, 0]


def test_every_thing_is_asked_for():
    asked = recipe.questions([one("lion", "snow"), one("dog")])
    assert {each.thing for each in asked} == {"lion", "dog"}
    assert {each.kind for each in asked if each.thing == "lion"} == {
        "names",
        "captions",
        "paraphrases",
        "other words",
        "sums",
    }
    assert ("lion", "snow") in {each.texts for each in asked}
    assert all(text for each in asked for text in each.texts)
