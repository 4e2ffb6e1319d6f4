"""From page to page: what one explores goes along, each page keeps its own state, and links bring theirs.

Streamlit forgets a page's widgets and parameters when another page is shown. Here they are noted as the next begins,
and put back into the link when their page is shown again.
"""

import streamlit as st
from streamlit.errors import StreamlitAPIException

from clipexplore import links
from clipexplore.language import _

from .session import by_history, page_here, run

CARRIED = "to-"  # before a key in a link from page to page, as `carried` writes it
POINT = "q"  # the key of the point that is explored
FOLLOWING = ("start", "search", "arithmetic", "apart", "concepts", "components")  # pages that the point goes along to


def arrive(page: str) -> None:
    """Begins a page with what its link carries, else with what was shown here before and the point explored since."""
    before = page_here()
    if before and before != page and "noted" not in st.session_state:
        _note(before)
        st.session_state["noted"] = True  # what is carried starts over, with the values of the page before gone
    _take_carried(page)
    if before == page:
        return
    st.session_state["shown-page"] = page
    st.session_state.pop("noted", None)
    _forget_the_page_before(page)
    keys = [key for key in ("model", *links.PAGES[page]) if key in st.query_params]
    st.session_state["given"] = {key: st.query_params.get_all(key) for key in keys}
    if keys and not before:
        says = _("This is a shared view. Change anything to continue from here.")
        st.toast(says, icon=":material/link:")
    if before and (by_history() or not set(keys) - {"model"}):  # not by a link
        _come_back(page)


def carried(**values: str | list[str]) -> dict[str, str | list[str]]:
    """What a link to another page holds to open it with these values."""
    return {f"{CARRIED}{key}": value for key, value in values.items()}


def send_to(page: str, keys: dict[str, list[str]], sidebar: dict[str, str]) -> None:
    """Lets the next run begin on another page, with these keys of its link and these values of the sidebar."""
    st.session_state["going"] = page, keys, sidebar


def go_where_sent() -> None:
    """Goes to the page of `send_to`; before any widget is shown, since a switch empties the link."""
    if going := st.session_state.pop("going", None):
        page, keys, sidebar = going
        st.session_state.update(sidebar)
        st.switch_page(run().pages[page], query_params=carried(**keys))


def _take_carried(page: str) -> None:
    """Puts into the link what a link of `open_in` carries, and starts over with it.

    It carries that under other names, because a change of page drops every key that the page before has too.
    """
    given = {name: st.query_params.get_all(name) for name in st.query_params if name.startswith(CARRIED)}
    if given:
        _forget_the_page_before(page)
    for name, values in given.items():
        if (key := name.removeprefix(CARRIED)) in links.PAGES[page]:
            _set_in_link(key, values, values if len(values) > 1 else values[0])
        del st.query_params[name]
    if given:
        st.rerun()


def _note(page: str) -> None:
    """Notes what a page that is left has shown, and the point explored there if the visitor chose one."""
    defaults = links.PAGES[page]
    shown = {key: st.session_state[key] for key in defaults if key in st.session_state}
    changed = {key: value for key, value in shown.items() if value != defaults[key] and value is not None}
    st.session_state.setdefault("left", {})[page] = changed
    if page in FOLLOWING and (POINT in changed or "point" in st.session_state) and shown.get(POINT):
        st.session_state["point"] = shown[POINT]


def _come_back(page: str) -> None:
    """Puts into the link what the page has shown before and the point explored since, and starts over with it.

    After Back and Forward that is what the address lacks: Streamlit drops from it every key that the page before has.
    """
    state = dict(st.session_state.get("left", {}).get(page, {}))
    if by_history():
        state = {key: value for key, value in state.items() if key not in st.query_params}
    elif page in FOLLOWING and "point" in st.session_state:
        state[POINT] = st.session_state["point"]
    _forget_the_page_before(page)
    for key, value in state.items():
        _set_in_link(key, _written(value), value)
    if state:
        st.rerun()


def _written(value: object) -> str | list[str]:
    """A value of a widget as Streamlit writes it into a link."""
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _set_in_link(key: str, written: str | list[str], value: object) -> None:
    """Gives a widget that is not shown yet its value, by the link if the page before has no widget of that key."""
    try:
        st.query_params[key] = written
    except StreamlitAPIException:
        st.session_state[key] = value


def _forget_the_page_before(page: str) -> None:
    """Drops values that are not in the link.

    Streamlit does so at the end of a run; until then a key that both pages have, such as `rank`, has the other page's
    value, which this page may not allow.
    """
    for key in run().choices_before & links.PAGES[page].keys():  # what both have is read from the link again
        st.session_state.pop(key, None)
    run().choices_before = set()
    for key in links.PAGES[page].keys() - set(st.query_params):
        st.session_state.pop(key, None)


def end_page() -> None:
    """For a page that has run whole: the choices that it no longer shows leave the link."""
    shown = run().choices
    for key in (run().choices_before - shown) & links.PAGES[page_here()].keys() & set(st.query_params):
        del st.query_params[key]
    run().choices_before = shown


def afresh_button() -> None:
    """A button back to the page as it is first seen, after the page has run; only where a widget on it was changed."""
    if (place := run().afresh) is None:
        return  # no page stands there
    defaults = links.PAGES[page_here()]
    if any(st.session_state.get(key, defaults[key]) != defaults[key] for key in run().widgets):
        place.button(_("Start afresh"), on_click=_start_afresh, icon=":material/restart_alt:", type="tertiary")


def _start_afresh() -> None:
    for note in ("point", "left"):
        st.session_state.pop(note, None)
    for key, default in links.PAGES[page_here()].items():
        if key in st.session_state:
            st.session_state[key] = default


def say_refused() -> None:
    """Says which values of the link the page did not take, after it has run for the first time."""
    given = st.session_state.pop("given", {})
    refused = [
        key for key, values in given.items() if key in st.session_state and not _same(values, st.session_state[key])
    ]
    if refused:
        message = _("The link has no usable value for {keys}; the default is shown.")
        st.info(message.format(keys=", ".join(f"`{key}`" for key in refused)), icon=":material/link_off:")


def _same(given: list[str], value: object) -> bool:
    """Whether a widget shows what the link gave it."""
    if isinstance(value, list | tuple):
        return given == [str(each) for each in value]
    if isinstance(value, str):
        return given[-1] == value
    if isinstance(value, bool) or value is None:
        return given[-1].lower() == str(value).lower()
    try:
        return float(given[-1]) == value
    except ValueError:
        return False
