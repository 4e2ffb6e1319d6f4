"""What people call things: sources read as they are, split as promised, and nothing held out is learned."""

import pytest

pytestmark = pytest.mark.usefixtures("sources")


@pytest.fixture(scope="module")
def words(sources):
    from clipexplore.training import words

    return words


@pytest.fixture(scope="module")
def said(words):
    return {each.text: each for each in words.english()}


def names(each):
    from clipexplore.training.things import things

    return {things()[index].name for index in each.things}


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("kitten", "cat face"),
        ("doggy", "dog face"),
        ("ufo", "flying saucer"),
        ("king", "prince"),
        ("queen", "princess"),
        ("car", "automobile"),
    ],
)
def test_everyday_names_are_names(said, text, thing):
    assert said[text].own and thing in names(said[text])


def test_broader_words_are_true_of_all_their_kind(said):
    animal = names(said["feline"])
    assert {"lion", "tiger", "leopard"} <= animal and "dog" not in animal
    assert {"lion", "dog", "whale"} <= names(said["mammal"]) and not said["mammal"].own


def test_texts_are_cleaned(words):
    assert words.cleaned("  Grinning_face  with\tBIG eyes ") == "grinning face with big eyes"
    assert words.cleaned("cafÃ© ’n’ tea") == "café 'n' tea"  # mojibake is mended
    assert all(each.text == words.cleaned(each.text) for each in words.english())


def test_an_emoji_is_the_same_in_all_its_forms(words):
    from clipexplore.training.things import things

    found = words.emoji_characters()
    heart, fire = "❤️", "🧑🏽‍🚒"
    assert found[heart] == found[heart.replace("\ufe0f", "")] and things()[found[heart]].name == "red heart"
    assert found[fire] == found["🧑‍🚒"] and things()[found["👑"]].name == "crown"
    assert "🇩🇪" not in found and "🇩🇪" in words.other_emoji() and not set(found) & set(words.other_emoji())


@pytest.mark.parametrize(
    ("language", "text", "thing"),
    [
        ("de", "katze", "cat"),
        ("es", "gato", "cat"),
        ("zh", "猫", "cat"),
        ("ru", "кошка", "cat"),
        ("ja", "王冠", "crown"),
    ],
)
def test_other_languages_name_the_same_things(words, language, text, thing):
    assert thing in names(next(each for each in words.foreign(language) if each.text == text))


def test_half_of_the_tags_and_no_name_are_held_out(words):
    every = [each for language in words.LANGUAGES for each in words.foreign(language)]
    tags = [each for each in every if not each.own]
    assert len(words.LANGUAGES) == 12 and sum(map(words.is_held_out, tags)) == pytest.approx(len(tags) / 2, rel=0.03)
    assert not any(words.is_held_out(each) for each in every if each.own)


def test_strangers_are_of_no_source_and_split_in_two(words, said):
    from clipexplore.training.train_text import unknown

    taught, asked = (unknown(training) for training in (True, False))
    assert not set(taught) & set(asked) and not set(said) & (set(taught) | set(asked)) and len(asked) > 10_000


def test_analogies_ask_for_words_of_the_bank(words):
    from clipexplore.training.evaluate_words import analogy_list

    bank = set(words.bank())
    assert {"kitten", "king", "top hat", "snow"} <= bank and len(bank) > 4000
    assert len(analogy_list()) == 60 and all(answers & bank for _, answers in analogy_list())
    assert analogy_list()[0] == ([(1, "king"), (-1, "man"), (1, "woman")], {"queen", "princess"})


def test_the_bank_is_what_the_sources_say(words):
    assert words.bank() == words.words_for_bank()
