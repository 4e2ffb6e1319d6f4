"""CLIP Explorer: `streamlit run app.py`. Navigation, the sidebar that all pages share, and the one error boundary.

`streamlit run` imports this file once for the server, and then runs it for every visitor at every change.
"""

import streamlit as st

from clipexplore import links, ui
from clipexplore.language import _
from clipexplore.settings import settings
from clipexplore.store.shelves import explorable


def main() -> None:
    """One run for one visitor."""
    mark = str(settings().assets / "mark.svg")
    st.set_page_config(page_title="CLIP Explorer", page_icon=mark, layout="wide")
    st.logo(mark, size="large")
    ui.speak()
    ui.warm_up()
    ui.begin_run()

    page = ui.navigation()
    if pupil := ui.is_pupil():
        ui.follow()

    # A link holds what a widget shows, so these show the keys, and the titles stand below.
    with st.sidebar:
        collections = explorable(ui.folders())
        ui.model_card(ui.model_box())
        ui.say_missing(collections)
        collection = st.selectbox(_("Collection"), list(collections), key="collection", bind="query-params")
        st.caption(ui.described(collection, collections[collection]))
        with st.expander(_("Names"), icon=":material/bookmark:", expanded=bool(st.session_state.get("names"))):
            st.text_area(
                _("One per line: name = expression"),
                links.ALL["names"],
                key="names",
                bind="query-params",
                max_chars=4000,
                placeholder="blueness = a blue rose - a red rose",
                help=_(
                    "After `blueness = a blue rose - a red rose`, `@blueness` is that direction on every page: "
                    "`@lion + @blueness`. A name can use those above it. Names are part of the link."
                ),
            )
            remarks_on_names = st.container()
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
