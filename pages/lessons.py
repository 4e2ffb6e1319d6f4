"""Lessons: in each a prediction to make first, and the page that answers it.

What one learns: what surprises is remembered (Crouch et al. 2004, Am. J. Phys. 72, 835: whoever predicts the outcome of
a demonstration understands it better than whoever only watches).
"""

import streamlit as st

from clipexplore import ui
from clipexplore.language import _

ui.header(
    lead=_("Predict first, then look: short lessons, each with the page that answers it."),
    why=_(
        "Each lesson asks before it shows. Students who predict the outcome of a demonstration understand it better "
        "than those who only watch (Crouch et al. 2004), and what one learns from an answer is the more, the less one "
        "expected it: the formula gives it in bits. What you predict is kept on your device."
    ),
    formula=r"I = -\log_2 p(\text{what you see})",
    attempt=_("Say how sure you are before you press: an answer that you gave one chance in eight teaches three bits."),
)
shown, listed = st.columns([5, 3], gap="large")
with listed:
    lesson = ui.lesson_list()
with shown:
    if lesson:
        ui.show_lesson(lesson)

ui.code(
    lines="""from clipexplore.lessons import lessons

for name, lesson in lessons().items():
    print(name, "|", lesson.question, "|", lesson.options[lesson.answer], "|", lesson.page, lesson.keys)"""
)
