"""The page Lessons, alone and in class; an AppTest is one phone or the teacher's machine."""

import pytest
from helpers import assert_whole, captions, click, errors, labels, open_page, settled, unescaped, values

from clipexplore import links
from clipexplore.lessons import lessons, own_folder
from clipexplore.settings import settings
from clipexplore.ui.room import room

ALL = lessons()


def shown(app) -> str:
    return "\n".join(unescaped(each.value) for each in [*app.main.markdown, *app.success, *app.info])


def options(app) -> list[str]:
    return [each.label for each in app.button if (each.key or "").startswith("option-")]


def buttons(app) -> list[str]:
    return [each.key for each in app.button]


def bars(app) -> list[str]:
    return [each.proto.text for each in app.get("progress")]


def the_way(app):
    """The page that answers, and the keys of its link, once they are shown."""
    return [(each.proto.page, each.proto.query_string) for each in app.main.get("page_link")]


# Alone


def test_the_first_lesson_is_open_and_all_are_listed_in_order():
    app, first = open_page("lessons"), next(iter(ALL.values()))
    assert app.subheader[0].value == first.title and options(app) == list(first.options)
    assert app.radio(key="lesson").options == [each.title for each in ALL.values()]


def test_the_answer_and_the_way_to_it_show_only_after_a_prediction():
    app, lesson = open_page("lessons", {"lesson": "hat"}), ALL["hat"]
    assert lesson.question in shown(app) and lesson.why not in shown(app) and not the_way(app)
    click(app, lesson.options[0])
    assert lesson.why in shown(app) and f"The page shows: **{lesson.options[lesson.answer]}**" in shown(app)
    assert f"You predicted: {lesson.options[0]}" in captions(app) and not options(app)
    assert the_way(app) == [("arithmetic", "q=%40man-top-hat+-+%40man")]
    assert f"1 of {len(ALL)} predicted" in captions(app)


def test_a_right_prediction_is_told_as_such():
    app, lesson = open_page("lessons", {"lesson": "gap"}), ALL["gap"]
    click(app, lesson.options[lesson.answer])
    assert f"As you predicted: **{lesson.options[lesson.answer]}**" in shown(app)


def test_the_next_lesson_is_a_click_away_and_the_last_has_none():
    app = click(open_page("lessons"), f"Next: {[*ALL.values()][1].title}")
    assert values(app, "lessons") == {"lesson": [*ALL][1]} and "next-lesson" in buttons(app)
    assert "next-lesson" not in buttons(open_page("lessons", {"lesson": [*ALL][-1]}))


def test_what_was_predicted_is_forgotten_on_request():
    app = click(open_page("lessons"), ALL["match"].options[0])
    click(app, "Forget my predictions")
    assert options(app) == list(ALL["match"].options) and "predicted" not in captions(app)


def test_a_lesson_that_is_not_here_is_told_and_the_first_is_open():
    app = open_page("lessons", {"lesson": "gone"})
    assert values(app, "lessons") == {"lesson": "match"} and not errors(app)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("lesson", ALL.values(), ids=ALL)
def test_the_link_of_a_lesson_opens_its_page_in_that_state(lesson):
    app = settled(open_page(lesson.page, dict(lesson.keys)))
    assert_whole(app, lesson.page)
    assert not errors(app) and not app.warning
    for key, value in lesson.keys:
        here, default = values(app, lesson.page)[key], links.PAGES[lesson.page][key]
        assert here == type(default)(value) if not isinstance(default, bool) else str(here).lower() == value, key


def test_what_the_page_of_a_lesson_shows_is_its_answer():
    lesson = ALL["hat"]
    assert labels(open_page(lesson.page, dict(lesson.keys)), "arithmetic-bars")[0] == lesson.options[lesson.answer]


def test_a_teachers_lesson_stands_after_ours_and_a_mistake_is_told_to_the_operator():
    own_folder().mkdir(parents=True)
    text = (settings().assets / "lessons" / "040-hat.toml").read_text(encoding="utf-8")
    (own_folder() / "10-mine.toml").write_text(text.replace("Hat − no hat", "My own"), encoding="utf-8")
    (own_folder() / "30-other.toml").write_text(text, encoding="utf-8")
    (own_folder() / "20-worse.toml").write_text(text.replace("answer = 2", "answer = 9"), encoding="utf-8")
    app = open_page("lessons", {"lesson": "mine"})
    assert app.subheader[0].value == "My own"
    titles = app.radio(key="lesson").options  # two of one title are told apart
    assert titles[-2:] == ["My own", "Hat − no hat (other)"] and "Hat − no hat (hat)" in titles
    (warning,) = app.warning
    assert "20-worse.toml cannot be used: answer is not the number of an option" in unescaped(warning.value)


def test_a_link_with_another_model_is_opened_afresh():
    own_folder().mkdir(parents=True)
    text = (settings().assets / "lessons" / "040-hat.toml").read_text(encoding="utf-8")
    (own_folder() / "mine.toml").write_text(text.replace("/arithmetic?", "/arithmetic?collection=words&"), "utf-8")
    app = click(open_page("lessons", {"lesson": "mine"}), ALL["hat"].options[0])
    (link,) = app.main.get("link_button")
    assert link.proto.url == "arithmetic?collection=words&q=%40man-top-hat+-+%40man" and not the_way(app)


# In class


@pytest.fixture
def in_class(home, monkeypatch):
    monkeypatch.setenv("CLIPEXPLORE_PUBLIC_URL", "http://192.168.7.20:8501")
    settings.cache_clear()
    yield
    room().end()
    room().let_go()


def phone(lesson="hat"):
    return open_page("lessons", {"lesson": lesson})


def teacher(lesson="hat"):
    app = phone(lesson)
    app.session_state["operator"] = True
    return app.run()


def press(app, key):
    return app.button(key=key).click().run()


def test_only_the_teacher_can_ask_and_only_where_others_reach_the_server(in_class):
    assert "ask" in buttons(teacher()) and "ask" not in buttons(phone())


def test_on_a_machine_of_ones_own_there_is_no_class():
    assert "ask" not in buttons(teacher())


def test_a_class_answers_before_it_sees_what_it_answered(in_class):
    lesson, front, phones = ALL["hat"], teacher(), [phone(), phone(), phone()]
    press(front, "ask")
    for app, option in zip(phones[:2], (1, 0), strict=True):
        click(app.run(), lesson.options[option])
        assert "answer" in captions(app) and lesson.why not in shown(app) and not bars(app)
    front.run()
    assert "2 answers so far" in captions(front) and not bars(front) and not options(front)
    press(front, "show")
    counted = [f"{option} · **{n}**" for option, n in zip(lesson.options, (1, 1, 0, 0), strict=True)]
    for app in (front, *phones[:2]):
        app.run()
        assert bars(app) == counted and lesson.why in shown(app)
    late = phones[2].run()
    assert options(late) == list(lesson.options) and not bars(late) and lesson.why not in shown(late)
    click(late, lesson.options[1])
    assert bars(late)[1] == f"{lesson.options[1]} · **2**" and lesson.why in shown(late)


def test_whoever_predicted_it_at_home_is_asked_again(in_class):
    app = click(phone(), ALL["hat"].options[1])
    assert ALL["hat"].why in shown(app)
    press(teacher(), "ask")
    app.run()
    assert options(app) == list(ALL["hat"].options) and ALL["hat"].why not in shown(app)


def test_a_phone_at_another_lesson_is_asked_above_it(in_class):
    front, app = teacher("gap"), phone("hat")
    press(front, "ask")
    app.run()
    assert [each.value for each in app.subheader] == [ALL["gap"].title, ALL["hat"].title]
    assert [each.value for each in app.info] == ["Your class is asked:"]
    assert options(app) == [*ALL["gap"].options, *ALL["hat"].options]
    click(app, ALL["gap"].options[0])
    assert room().counts() == [1, 0, 0] and options(app) == list(ALL["hat"].options)
    assert f"Your answer: **{ALL['gap'].options[0]}**" in shown(app) and ALL["gap"].why not in shown(app)


def test_after_the_end_nothing_is_left_of_the_answers(in_class, home):
    front, app = teacher(), phone()
    press(front, "ask")
    click(app.run(), ALL["hat"].options[0])
    press(front, "show")
    press(front, "end")
    app.run()
    assert ALL["hat"].why in shown(app) and not bars(app) and room().asked is None
    assert {path.name for path in home.rglob("*") if path.is_file()} <= {"calendar"}, "that of the jobs"


def test_a_phone_that_comes_late_sees_the_question_until_it_answers(in_class):
    lesson, front = ALL["hat"], teacher()
    press(front, "ask")
    press(front, "show")
    late = phone()
    for _ in range(3):  # it looks again and again
        assert options(late.run()) == list(lesson.options) and not bars(late) and lesson.why not in shown(late)
    assert bars(click(late, lesson.options[1]))[1] == f"{lesson.options[1]} · **1**"
    press(front, "end")
    assert not options(late.run()) and not bars(late)


# What the teacher shows


def going(app):
    """The page that a phone is on, and what its field holds."""
    return app.title[0].value, app.text_input[0].value if app.text_input else ""


def test_a_class_is_offered_what_the_teacher_shows_and_whoever_follows_goes_along(in_class):
    front, still, one = open_page("arithmetic", {"q": "cat + crown"}), phone(), phone()
    front.session_state["share"] = True
    assert "lead" not in buttons(front.run()) and "present" in buttons(front), "a visitor"
    front.session_state["operator"] = True
    press(front.run(), "lead")
    assert "go-there" in buttons(still.run()) and going(still)[0] == "Lessons", "nobody is moved"
    assert going(press(still, "go-there")) == ("Arithmetic", "cat + crown")
    one.toggle(key="following").set_value(True).run()
    assert going(one) == ("Arithmetic", "cat + crown") and "go-there" not in buttons(one)
    room().lead("search", (("q", "rain"),))
    assert "go-there" in buttons(still.run()) and going(one.run()) == ("Search", "rain")
    room().let_go()
    assert "go-there" not in buttons(still.run())
