"""Back and Forward step through what a visitor did, and the address is that of what is on screen."""

from views import choose, open_view, query, settle, write


def back(window) -> None:
    window.go_back()
    settle(window)


def state(window) -> tuple:
    """The address, what stands in the fields, and the pictures; texts may say how long a search took."""
    settle(window)
    fields = window.locator("[data-testid=stMain] :is(input[type=text], textarea)")
    return (
        (window.url.partition("?")[0], *sorted(query(window).split("&"))),
        fields.evaluate_all("each => each.map((one) => one.value)"),
        window.locator(".gallery li").evaluate_all("each => each.map((one) => one.dataset.id)"),
    )


def test_back_and_forward_step_through_what_was_typed(visitor, server):
    window, seen = open_view(visitor(), f"{server.url}/search?k=4"), []
    for typed in ("rain", "cat + crown", "a dog"):
        seen.append(state(window))
        write(window, "Expression", typed)
    last = state(window)
    assert len({each[0] for each in [*seen, last]}) == 4
    for view in reversed(seen):
        back(window)
        assert state(window) == view
    for _ in range(3):
        window.go_forward()
        settle(window)
    assert state(window) == last


def test_an_example_is_one_step_and_so_is_a_page(visitor, server):
    window = open_view(visitor(), f"{server.url}/arithmetic?k=7&bank=captions")
    before = state(window)
    window.get_by_role("button", name="four people, one hat").click()
    window.wait_for_function("location.search.includes('pairs=')")
    there = state(window)
    window.get_by_test_id("stMain").get_by_role("link", name="Search", exact=True).click()
    window.wait_for_url("**/search?q=*")
    settle(window)
    choose(window, "captions")  # a choice is a step too
    window.wait_for_url("**in=captions*")
    back(window)
    assert "in=captions" not in window.url
    settle(window)
    back(window)
    assert state(window) == there
    back(window)
    assert state(window) == before


def test_a_link_with_a_wrong_value_does_not_hold_whoever_goes_back(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?k=5")
    window.goto(f"{server.url}/search?k=nonsense&q=rain")
    settle(window)
    assert query(window) == "q=rain"
    for _ in range(3):  # Streamlit may have made an entry of its own before anything of ours was loaded
        if query(window) != "k=5":
            back(window)
    assert query(window) == "k=5"


def test_a_slash_leads_to_the_box_and_is_typed_in_it(visitor, server):
    window = open_view(visitor(), f"{server.url}/search")
    window.keyboard.press("/")
    window.keyboard.type("and/or")
    assert window.get_by_label("Expression", exact=True).input_value() == "and/or"
