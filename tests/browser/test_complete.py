"""Behind an "@" ids complete as one types, in a line and in lines; the field stays that of the page and the link."""

from views import open_view, settle


def option(window, text: str):
    """The first of the ids offered, when it begins with that text: the list is of what stands in the field."""
    first = window.locator(f".ids:popover-open li:first-child:has-text('{text}')")
    first.wait_for()
    return first


def test_an_id_is_taken_by_keyboard_and_searched_from(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?k=4")
    field = window.get_by_label("Expression", exact=True)
    field.fill("")
    field.press_sequentially("snow + @lion-sn")
    assert option(window, "@lion-snow").locator("img").evaluate("each => each.naturalWidth") > 0
    field.press("ArrowDown")
    second = window.get_by_role("option", selected=True).inner_text()
    field.press("Enter")
    assert field.input_value() == f"snow + {second}" and not window.locator(".ids:popover-open").count()
    field.press("Enter")
    settle(window)
    assert window.evaluate("new URLSearchParams(location.search).get('q')") == f"snow + {second}"
    assert window.locator(".gallery li").count() == 4


def test_escape_leaves_what_was_typed_and_a_click_takes_an_id_into_a_line(visitor, server):
    window = open_view(visitor(), f"{server.url}/interpolate?draw=false")
    field = window.get_by_label("Stops, one per line", exact=True)
    field.fill("")
    field.press_sequentially("cat\n@penguin")
    option(window, "@penguin")
    field.press("Escape")
    assert field.input_value() == "cat\n@penguin" and not window.locator(".ids:popover-open").count()
    field.press_sequentially("-s")
    option(window, "@penguin-snow-01").click()
    assert field.input_value() == "cat\n@penguin-snow-01"


def test_every_field_of_a_page_is_served_and_those_of_the_page_after_it(visitor, server):
    window = open_view(visitor(), f"{server.url}/search?k=4")
    window.get_by_role("link", name="Classify").first.click()
    settle(window)
    for key, typed in (("class_names", "@penguin-s"), ("image", "@lion-sn"), ("class_names", "@lion-sn")):
        field = window.locator(f".st-key-{key} textarea")
        field.fill("")
        field.press_sequentially(typed)
        option(window, typed)
        field.press("Escape")
        field.blur()
        settle(window)  # what was typed is with the server before the next field is
