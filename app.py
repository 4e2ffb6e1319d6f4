"""CLIP Explorer: `streamlit run app.py`. Navigation, the sidebar that all pages share, and the one error boundary."""

import streamlit as st

from clipexplore import catalog, links, ui
from clipexplore.space import explorable

st.set_page_config(page_title=ui.text("app.title"), page_icon="🧭", layout="wide")
ui.warm_up()
ui.begin_run()

page = ui.navigation()

# A link holds what a widget shows, so these show the keys, and the titles stand below.
with st.sidebar:
    models, collections = catalog.models(), explorable(ui.visitor())
    model = st.selectbox(ui.text("app.model"), list(models), key="model", bind="query-params")
    ui.model_card(model)
    ui.say_missing(collections)
    collection = st.selectbox(ui.text("app.collection"), list(collections), key="collection", bind="query-params")
    st.caption(collections[collection])
    with st.expander(ui.text("names.label"), icon=":material/bookmark:", expanded=bool(st.session_state.get("names"))):
        st.text_area(ui.text("names.lines"), links.ALL["names"], key="names", bind="query-params", max_chars=4000, placeholder=ui.text("names.line_example"),
                     help=ui.text("names.help"))  # fmt: skip
    ui.check_names()
    share = st.container()

with ui.show_errors():
    if ui.ready(page.url_path, page.title):
        page.run()

with share:
    ui.share_box()
