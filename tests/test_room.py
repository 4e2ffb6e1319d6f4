"""The class: who sees what in which order, and that nothing is left of it."""

import pytest

from clipexplore.room import FORGOTTEN, Room


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def room(clock):
    return Room(lambda: clock[0])


def test_nothing_is_asked_at_first(room):
    assert room.asked is None and room.counts() == []
    room.answer("hat", "phone", 1)
    room.show()
    room.end()
    assert room.asked is None


def test_thirty_answers_are_counted_and_shown_when_the_teacher_says_so(room):
    room.ask("hat", 3)
    for number in range(30):
        room.answer("hat", f"phone {number}", number % 3 // 2)
    assert room.counts() == [20, 10, 0] and not room.asked.shown
    room.show()
    assert room.asked.shown


def test_the_first_answer_of_a_device_counts(room):
    room.ask("hat", 2)
    room.answer("hat", "phone", 1)
    room.answer("hat", "phone", 0)
    assert room.counts() == [0, 1]


def test_a_late_phone_answers_after_the_answers_are_shown(room):
    room.ask("hat", 2)
    room.show()
    room.answer("hat", "late", 0)
    assert room.counts() == [1, 0]


@pytest.mark.parametrize(("lesson", "option"), [("gap", 0), ("hat", 2), ("hat", -1)])
def test_what_is_not_asked_is_not_counted(room, lesson, option):
    room.ask("hat", 2)
    room.answer(lesson, "phone", option)
    assert room.counts() == [0, 0]


def test_another_question_and_the_end_forget_the_answers(room):
    for forget in (lambda: room.ask("hat", 2), room.end):
        room.ask("hat", 2)
        room.answer("hat", "phone", 1)
        room.show()
        forget()
        assert sum(room.counts()) == 0 and not (room.asked and room.asked.shown)


def test_a_question_that_was_never_ended_is_forgotten(room, clock):
    room.ask("hat", 2)
    room.answer("hat", "phone", 1)
    clock[0] = FORGOTTEN
    assert room.counts() == [0, 1]
    clock[0] += 1
    assert room.counts() == [] and room.asked is None


def test_what_is_shown_to_the_room_has_a_number_of_its_own_and_is_forgotten(room, clock):
    room.lead("search", (("q", "rain"),))
    first = room.led
    room.lead("search", (("q", "rain"),))
    assert room.led.number != first.number and room.led.keys == first.keys
    clock[0] = FORGOTTEN + 1
    assert room.led is None
