"""The things of the world: how many, that each is itself only, and that their names are said in good English."""

import pytest

from clipexplore.training.things import (
    SKIN_TONE,
    by_name,
    keyword_counts,
    noun_keywords,
    plain_name,
    pluralize,
    slug,
    sprite,
    things,
    with_article,
)

PLURALS = {
    # the head of a phrase changes, not its end
    "lion": "lions",
    "red apple": "red apples",
    "person lifting weights": "people lifting weights",
    "man in tuxedo": "men in tuxedo",
    "woman with red hair": "women with red hair",
    "hourglass done": "hourglasses done",
    "hourglass not done": "hourglasses not done",
    "glass of milk": "glasses of milk",
    "map of Japan": "maps of Japan",
    "face blowing a kiss": "faces blowing a kiss",
    "globe showing Americas": "globes showing Americas",
    "woman mountain biking": "women mountain biking",
    "page facing up": "pages facing up",
    "leaf fluttering in wind": "leaves fluttering in wind",
    "index pointing up": "indexes pointing up",
    "palm up hand": "palm up hands",
    "chart increasing with yen": "charts increasing with yen",
    "family of man, woman and boy": "families of man, woman and boy",
    # both of two
    "nut and bolt": "nuts and bolts",
    "fork and knife with plate": "forks and knives with plate",
    "man judge": "men judges",
    "woman health worker": "women health workers",
    "woman and man holding hands": "women and men holding hands",
    "skull and crossbones": "skulls and crossbones",
    "man's shoe": "man's shoes",
    # irregular
    "mouse": "mice",
    "computer mouse": "computer mice",
    "mouse trap": "mouse traps",
    "old man": "old men",
    "child": "children",
    "wolf": "wolves",
    "maple leaf": "maple leaves",
    "kitchen knife": "kitchen knives",
    "tooth": "teeth",
    "foot": "feet",
    "ox": "oxen",
    "fox": "foxes",
    "deer": "deer",
    "tropical fish": "tropical fish",
    "snowman": "snowmen",
    "woman elf": "women elves",
    "game die": "game dice",
    "merperson": "merpeople",
    # endings
    "box": "boxes",
    "torch": "torches",
    "compass": "compasses",
    "candy": "candies",
    "monkey": "monkeys",
    "potato": "potatoes",
    "volcano": "volcanoes",
    "radio": "radios",
    "kimono": "kimonos",
    "memo": "memos",
    "yo-yo": "yo-yos",
    "bus": "buses",
    # what has none
    "badminton": "badminton",
    "people hugging": "people hugging",
    "two-thirty": "two-thirty",
    "unlocked": "unlocked",
}

ARTICLES = """
a lion; an apple; an hourglass done; a house; a unicorn; a martial arts uniform; a uniform; an umbrella; an OK hand;
an ox; a ewe; an x-ray; a euro banknote; an e-mail; a one-piece swimsuit; an orange background; a UFO; an eight; a yo-
yo; an ear of corn; an upside-down face
""".replace("\n", " ")


@pytest.mark.parametrize(("one", "many"), PLURALS.items())
def test_plurals(one, many):
    assert pluralize(one) == many


@pytest.mark.parametrize("phrase", [phrase.strip() for phrase in ARTICLES.split(";")])
def test_articles(phrase):
    assert with_article(phrase.partition(" ")[2]) == phrase


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("woman: red hair", "woman with red hair"),
        ("family: man, woman, boy", "family of man, woman and boy"),
        ("kiss: man, man", "kiss of man and man"),
        ("woman’s hat", "sun hat"),
        ("Japanese “free of charge” button", "Japanese free of charge button"),
    ],
)
def test_names_as_one_would_say_them(said, name):
    assert plain_name(said) == name


@pytest.mark.parametrize(
    ("text", "plain"),
    [("man’s shoe", "mans-shoe"), ("piñata", "pinata"), ("1st place medal", "1st-place-medal"), ("T-Rex", "t-rex")],
)
def test_slugs(text, plain):
    assert slug(text) == plain


@pytest.mark.usefixtures("world")
class TestWorld:
    @pytest.mark.parametrize(
        ("name", "phrase"),
        [
            ("lion", "a lion"),
            ("ewe", "a ewe"),
            ("fish", "a fish"),
            ("OK hand", "an OK hand"),
            ("scissors", "scissors"),
            ("gear", "a gear"),
            ("rhinoceros", "a rhinoceros"),
            ("badminton", "badminton"),
            ("people wrestling", "people wrestling"),
            ("one-thirty", "one-thirty"),
        ],
    )
    def test_one_of_it(self, name, phrase):
        assert by_name()[name].one == phrase

    def test_there_are_enough(self):
        assert len(things()) >= 1300

    def test_names_ids_emoji_and_pictures_are_unique(self):
        for each in (
            lambda thing: thing.name,
            lambda thing: thing.slug,
            lambda thing: thing.emoji,
            lambda thing: sprite(thing.emoji).tobytes(),
        ):
            assert len({each(thing) for thing in things()}) == len(things())

    def test_no_skin_tones_flags_or_symbols(self):
        assert {thing.group for thing in things()}.isdisjoint({"Symbols", "Flags", "Component"})
        assert not [
            thing.name
            for thing in things()
            if SKIN_TONE.search(thing.emoji) or "skin tone" in thing.name or "flag:" in thing.name
        ]
        assert {"lion", "man", "top hat"} <= set(by_name()) and "input numbers" not in by_name()

    def test_names_are_plain_text(self):
        assert not [
            thing.name for thing in things() if set(thing.name) & set(':’“”"@+*') or thing.name != thing.name.strip()
        ]

    def test_what_is_plural_or_stuff_is_not_counted(self):
        for name in ("scissors", "glasses", "jeans", "grapes", "bread", "spaghetti", "fog", "people holding hands"):
            assert by_name()[name].plural is None and by_name()[name].one == name

    def test_what_is_counted_changes_with_number(self):
        alike = {
            "deer",
            "bison",
            "squid",
            "shrimp",
            "fried shrimp",
            "fish",
            "tropical fish",
            "blowfish",
            "moai",
            "dango",
        }
        assert {thing.name for thing in things() if thing.plural == thing.name and thing.takes_article} == alike

    def test_keywords_tell_something_and_are_not_the_name(self):
        for thing in things():
            assert max((keyword_counts()[word] for word in thing.keywords), default=0) <= 40
            assert thing.name.lower() not in map(str.lower, thing.keywords)

    def test_what_stands_for_a_name_is_a_keyword_of_few(self):
        for thing in things():
            assert set(noun_keywords(thing)) <= set(thing.keywords)
            assert all(keyword_counts()[word] <= 3 for word in noun_keywords(thing))

    def test_a_sprite_is_cropped_to_what_is_drawn(self):
        for thing in things()[::50]:
            picture = sprite(thing.emoji)
            assert picture.mode == "RGBA" and picture.getbbox() == (0, 0, *picture.size) and max(picture.size) > 60
