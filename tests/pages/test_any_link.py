"""Whatever a link holds, the page behind it is whole: nothing is raised, and every value is one its widget allows."""

import pytest
from helpers import HOSTILE, PAGES, assert_whole, captions, errors, figures, follow, open_link, open_page, values
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from streamlit.runtime.pages_manager import PagesManager

from clipexplore import links
from clipexplore.models import catalog
from clipexplore.store.shelves import explorable, folders
from clipexplore.ui.titles import called

SHIPPED = PagesManager.__init__  # of which `conftest` takes a part away
NAMED = {"method": ("pca", "umap"), "other": tuple(catalog.models())}  # that are called otherwise in English
ANY = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=40), st.integers(-(10**400), 10**400).map(str), st.floats().map(str)
)


def assert_in_range(app, page: str) -> None:
    """What the browser would hold back holds on the server too."""
    assert app.session_state["model"] in catalog.models() and app.session_state["collection"] in explorable(folders())
    for slider in app.slider:
        assert slider.min <= slider.value <= slider.max
    for choice in app.main.selectbox:  # one that no link sets may begin with nothing chosen
        shown = choice.value and called(choice.key, choice.value)
        assert shown in choice.options or (choice.value is None and choice.key not in links.PAGES[page])
    for (
        choice
    ) in app.segmented_control:  # an empty value in a link is "none" to Streamlit; the pages take it for the default
        assert choice.value is None or called(choice.key, choice.value) in choice.options
    for field in [*app.text_input, *app.text_area]:
        assert len(field.value) <= field.proto.max_chars
    assert values(app, page).keys() <= links.PAGES[page].keys()


@pytest.mark.parametrize("page", PAGES)
def test_every_key_of_a_page_set_to_the_same_nonsense(page):
    for nonsense in HOSTILE[:: len(HOSTILE) // 6]:
        assert_in_range(open_page(page, dict.fromkeys([*links.ALL, *links.PAGES[page]], nonsense)), page)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("search", {"q": "@n59"}),
        ("classify", {"image": "@n59"}),
        ("map", {"points": "@n59\ncat"}),
        ("components", {"q": "@n59"}),
        ("interpolate", {"stops": "@n59\ncat"}),
        ("arithmetic", {"q": "@n59"}),
        ("words", {"q": "@n59"}),
    ],
)
def test_names_of_names_that_double_are_worked_out_once_on_every_page(page, link):
    """Sixty lines, each twice the one above: written out they are 2 ** 60 terms."""
    names = "n0 = a red cat\n" + "\n".join(f"n{n} = @n{n - 1} + @n{n - 1}" for n in range(1, 60))
    assert_whole(app := open_page(page, {"names": names, "draw": "false", **link}), page)
    assert app.session_state["names"] == names and not errors(app)


@pytest.mark.parametrize("page", PAGES)
@settings(max_examples=6, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_links_of_anything(page, data):
    keys = [*links.ALL, *links.PAGES[page], links.OPEN, "unknown", "__proto__", "embed"]
    link = data.draw(
        st.dictionaries(st.sampled_from(keys), st.one_of(ANY, st.lists(ANY, min_size=2, max_size=3)), max_size=4)
    )
    assert_in_range(open_page(page, link), page)


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
@settings(
    max_examples=1000 // len(PAGES) + 1, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None
)
@given(data=st.data())
def test_a_thousand_links_of_anything(page, data):
    test_links_of_anything.hypothesis.inner_test(page, data)


def _valid(draw, app) -> dict[str, object]:
    """Values that the widgets of a page allow, for some of its keys."""
    found = {}
    for slider in app.slider:
        found[slider.key] = (
            draw(st.integers(0, round((slider.max - slider.min) / slider.step))) * slider.step + slider.min
        )
    for choice in [*app.main.selectbox, *app.segmented_control]:
        values = {called(choice.key, value): value for value in NAMED.get(choice.key, ())}
        found[choice.key] = draw(st.sampled_from([values.get(option, option) for option in choice.options]))
    for switch in [*app.toggle, *app.checkbox]:
        found[switch.key] = draw(st.booleans())
    for field in [*app.text_input, *app.text_area]:
        found[field.key] = draw(
            st.sampled_from(["hat", "lion + 0.5*snow", "@man-top-hat - @man", '"a, b & c – ü猫"', "cat\ndog"])
        )
    return {key: value for key, value in found.items() if draw(st.booleans())}


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in PAGES if links.PAGES[page]])
@settings(
    max_examples=200 // len(PAGES) + 2, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None
)
@given(data=st.data())
def test_two_hundred_valid_states_open_as_they_were(page, data):
    chosen = {key: value for key, value in _valid(data.draw, open_page(page)).items() if key in links.PAGES[page]}
    first = open_page(page, {key: str(value) for key, value in chosen.items()})
    assert values(follow(first, page), page) == values(first, page)


@pytest.mark.parametrize(
    ("before", "link", "page"),
    [
        ("pixels", {"rank": "1"}, "words"),
        ("words", {"rank": "300", "k": "30"}, "components"),
        ("arithmetic", {"k": "1", "q": "cat"}, "search"),
        ("search", {"k": "100", "q": "hat"}, "words"),
    ],
)
def test_nothing_is_left_of_the_page_before(before, link, page):
    app = open_page(before, link)
    assert {key: str(value) for key, value in values(app, before).items() if key in link} == link
    app.query_params.clear()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception and not errors(app)
    carried = {"q": link["q"]} if "q" in link and page == "search" else {}  # what one explores goes along
    assert values(app, page).items() <= (links.PAGES[page] | carried).items()


def test_a_page_that_streamlit_runs_alone_starts_over_through_the_app(monkeypatch):
    """As it does for a link into a fresh server, here once another page has been shown."""
    app = open_page("start")
    monkeypatch.setattr(PagesManager, "__init__", SHIPPED)
    app.query_params["k"] = "7"
    app.switch_page("pages/search.py").run()
    assert_whole(app, "search")
    assert values(app, "search")["k"] == 7


@pytest.mark.parametrize(
    "query",
    ["q=cat&q=dog", "k=1&k=2", "q", "=", "&&&", "q=%00&k=%ff", "q=%zz", "k=7;drop", "Q=cat", "q=" + "a%20" * 5000],
)
def test_links_as_no_browser_writes_them(query):
    assert_in_range(open_link("search", query), "search")


@pytest.mark.parametrize("k", ["0", "-1", "101", "", "inf", "nan", "many"])
def test_a_count_out_of_range_is_the_default(k):
    assert values(open_page("search", {"k": k}), "search")["k"] == 24


@pytest.mark.parametrize(
    ("page", "key"),
    [("search", "in"), ("map", "method"), ("map", "color"), ("interpolate", "curve"), ("arithmetic", "bank")],
)
def test_an_unknown_choice_is_the_default(page, key):
    drawn = {"draw": "false"} if "draw" in links.PAGES[page] else {}  # what is drawn appears little by little
    usual = open_page(page, drawn)
    for choice in ("nonsense", ""):
        app = open_page(page, {key: choice, **drawn})
        assert not errors(app) and captions(app) == captions(usual) and figures(app) == figures(usual)


TYPED = "![x](http://evil.example/x.png)"
AS_TYPED = {
    "text_input",
    "text_area",
    "code",
    "plotly_chart",
    "image",
    "bidi_component",
}  # show a text as it is; all else reads Markdown


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "text",
    [f'"{TYPED}"', f"{TYPED}\ncat", f'cat + "{TYPED}', f"{{}} {TYPED}\n{{}}"],
    ids=["expression", "lines", "error", "templates"],
)
def test_no_text_of_a_visitor_is_read_as_markdown(page, text):
    keys = [key for key, default in links.PAGES[page].items() if isinstance(default, str)]
    app = open_page(page, dict.fromkeys(keys, text))
    read = [node for node in app if hasattr(node, "proto") and node.proto is not None and node.type not in AS_TYPED]
    assert len(read) > 10 and not [str(node.proto) for node in read if TYPED[:4] in str(node.proto)]
