"""CLIP Explorer: `streamlit run app.py`. Navigation, the sidebar that all pages share, and the one error boundary.

`streamlit run` imports this file once for the server, and then runs it for every visitor at every change.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.settings import settings


def main() -> None:
    """One run for one visitor."""
    mark = str(settings().assets / "mark.svg")
    st.set_page_config(page_title="CLIP Explorer", page_icon=mark, layout="wide")
    st.logo(mark, size="large")
    ui.speak()
    ui.warm_up()
    ui.begin_run()

    page = ui.navigation()
    ui.go_where_sent()
    pupil = ui.is_pupil()

    with st.sidebar:
        ui.model_box()
        ui.collection_box()
        remarks_on_names = ui.names_box()
        ui.language_box()
        if pupil:
            ui.follow_box()
        share = st.container()

    remarks = st.container()
    if pupil:
        ui.teachers_page()
    with ui.show_errors():
        if ui.ready(page.url_path, page.title):
            page.run()
            ui.end_page()
            ui.chosen_bar()
            ui.picture_view()
    with remarks:
        ui.say_refused()
    ui.afresh_button()
    ui.complete()
    ui.keep_window()

    with remarks_on_names:
        ui.check_names()
    with share:
        ui.share_box()


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, **ui.around_the_app())
