"""The Collections page: from a drop to a search, on a session's own collection; who sees what; and what may go wrong on
the way.
"""

import io
import json
import random
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures_imports import fill, jpeg
from helpers import buttons, captions, errors, figures, labels, open_page, pictures, the_error, unescaped, values

from clipexplore import links
from clipexplore.access import Caller
from clipexplore.settings import settings
from clipexplore.sources.recognise import open_source
from clipexplore.store import export, shelves
from clipexplore.store.collection import Collection
from clipexplore.store.stored import Stored
from clipexplore.ui import imports, making, session
from clipexplore.ui.progress import lane

ROOT = Path(__file__).parents[2]


def drop(app, *files):
    """Drops files on the form and presses Import."""
    app.file_uploader(key="making-files").set_value(
        [(name, data, "application/octet-stream") for name, data in files]
    ).run()
    assert not app.exception
    (begin,) = [button for button in app.button if button.label == "Import"]
    return begin.click().run()


def settle(app):
    """Waits until no import is at work any more."""
    for _ in range(2400):
        if all(job.state not in ("queued", "running") for job in imports.jobs().values()):
            return app.run()
        time.sleep(0.05)
    raise AssertionError("an import does not end")


@pytest.fixture(autouse=True)
def who_comes_is_a_visitor(monkeypatch):
    monkeypatch.setattr(session, "caller", lambda: Caller("192.168.7.31"))


@pytest.fixture
def app():
    app = open_page("collections")
    app.text_input(key="making-title").set_value("Holidays").run()
    return app


def inside(app):
    """The ids of what is shown of the collection."""
    shown = [unescaped(each.value) for each in app.main.caption]
    return [each.split()[0][1:] for each in shown if each.startswith("@")]


def names(app):
    return [each.key.removeprefix("explore-") for each in buttons(app, "explore-")]


def explore(app):
    """Explores the collection that was made here, and comes back."""
    app.button(key="explore-my-holidays").click().run()
    assert app.title[0].value == "Search" and app.session_state["collection"] == "my-holidays"
    return app.switch_page("pages/collections.py").run()


def jpegs(count):
    return [(f"p{number}.jpg", jpeg(number)) for number in range(count)]


def test_the_default_view_shows_what_is_bundled():
    app = open_page("collections")
    assert (
        names(app) == ["emoji-world"]
        and len(inside(app)) == 24
        and f"{len(Collection.open(shelves.folders()['emoji-world'])):,}" in captions(app)
    )
    assert values(app, "collections") == links.PAGES["collections"]


def test_a_drop_becomes_a_collection_that_every_page_explores(app):
    settle(drop(app, *jpegs(9), ("p3.txt", b"a red noise\n")))
    assert names(app) == ["emoji-world", "my-holidays"] and not errors(app)
    assert any("9 added" in unescaped(each.value) for each in app.success)
    explore(app)
    assert app.session_state["collection"] == "my-holidays" and len(inside(app)) == 9
    app.switch_page("pages/search.py").run()
    app.text_input(key="q").set_value("@p3").run()
    assert pictures(app, "search")[0] == "p3" and not errors(app)
    app.switch_page("pages/map.py").run()
    assert not app.exception and not [each for each in errors(app) if "went wrong" in each]
    assert not list(shelves.session_folder(app.session_state["visitor"]).rglob("incoming/*")), (
        "what was dropped is not kept twice"
    )


def test_another_session_sees_nothing_of_it_until_it_is_shared(app):
    settle(drop(app, *jpegs(3)))
    other = open_page("collections", {"collection": "my-holidays"})
    assert names(other) == ["emoji-world"] and "belongs to another session" in other.sidebar.warning[0].value
    app.button(key="share-my-holidays").click().run()
    assert names(app) == ["emoji-world", "holidays"]
    other = open_page("search", {"collection": "holidays", "q": "@p1"})
    assert pictures(other, "search")[0] == "p1" and not other.sidebar.warning
    there = open_page("collections")
    assert names(there) == ["emoji-world", "holidays"] and not [
        each for each in there.button if each.key == "delete-holidays"
    ], "only who made it may"
    assert [each for each in app.button if each.key == "delete-holidays"]


def test_two_sessions_may_call_theirs_alike_and_each_gets_its_own(app):
    settle(drop(app, *jpegs(3)))
    other = open_page("collections")
    other.text_input(key="making-title").set_value("Holidays").run()
    settle(drop(other, *[(f"q{number}.jpg", jpeg(50 + number)) for number in range(4)]))
    for each, ids in ((app, {"p0", "p1", "p2"}), (other, {"q0", "q1", "q2", "q3"})):
        explore(each)
        assert set(inside(each)) == ids
        each.switch_page("pages/search.py").run()
        assert set(pictures(each, "search")) == ids


def test_deleted_and_had_back(app):
    settle(drop(app, *jpegs(3)))
    app.button(key="delete-my-holidays").click().run()
    assert names(app) == ["emoji-world"]
    (undo,) = buttons(app, "undo-")
    undo.click().run()
    assert names(app) == ["emoji-world", "my-holidays"] and not errors(app)


def test_the_collection_one_looks_at_may_be_deleted(app):
    settle(drop(app, *jpegs(3)))
    explore(app)
    app.button(key="delete-my-holidays").click().run()
    assert app.session_state["collection"] == "emoji-world" and not errors(app) and not app.exception
    assert not app.warning  # no link has named what is not here
    assert any("my-holidays" in each.value and "deleted" in each.value for each in app.caption)


def test_a_name_is_changed(app):
    settle(drop(app, *jpegs(3)))
    app.text_input(key="title-my-holidays").set_value("Summer").run()
    assert any("Summer" in each.value for each in app.markdown) and names(app)[1] == "my-holidays"


def test_more_is_added_and_what_is_known_is_not(app):
    settle(drop(app, *jpegs(4)))
    app.selectbox(key="making-into").set_value("my-holidays").run()
    settle(drop(app, *jpegs(6)))
    assert any(
        "2 added" in each.value and "4 there already" in each.value for each in map(lambda each: each, app.success)
    )


@pytest.mark.parametrize(
    "files", [[("a.zip", b"no zip")], [("a.csv", b"caption\n\xfa\xff")], [("a.npy", b"\x93NUMPY")]]
)
def test_what_is_no_source_is_one_sentence_and_leaves_nothing(app, files):
    settle(drop(app, *files))
    assert the_error(app) and names(app) == ["emoji-world"]
    assert not list(shelves.session_folder(app.session_state["visitor"]).rglob("*")), "nothing stays on the disk"
    settle(drop(app, *jpegs(2)))
    assert names(app) == ["emoji-world", "my-holidays"] and not errors(app), "the next begins afresh"


def test_nothing_is_read_on_the_thread_of_the_page(app, monkeypatch):
    threads = []

    def noting(*arguments):
        threads.append(threading.current_thread().name)
        return open_source(*arguments)

    monkeypatch.setattr(imports, "open_source", noting)
    settle(drop(app, ("c.txt", b"a cat\na dog\n")))
    assert threads == ["lane-import"] and names(app) == ["emoji-world", "my-holidays"]


def test_pictures_that_are_none_are_listed_and_the_rest_is_in(app):
    settle(drop(app, *jpegs(3), ("bad.jpg", b"no picture")))
    assert any("1 refused" in each.value for each in app.success)
    folder = shelves.folders(app.session_state["visitor"])["my-holidays"]
    assert "bad.jpg" in (folder / "rejected.csv").read_text(encoding="utf-8-sig")


def test_a_hostile_zip_is_refused(app):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../evil.jpg", jpeg(0))
    settle(drop(app, ("a.zip", file.getvalue())))
    assert "leads out of it" in the_error(app)


def test_what_does_not_fit_leaves_the_collection_as_it_was(app):
    settle(drop(app, *jpegs(2)))
    app.selectbox(key="making-into").set_value("my-holidays").run()
    settle(drop(app, ("c.csv", b"caption\na cat\n")))
    assert any("holds pictures and the source captions" in unescaped(each.value) for each in app.warning)
    folder = shelves.session_folder(app.session_state["visitor"]) / "my-holidays"
    assert len(Collection.open(folder, verify=True)) == 2 and not (folder / "import.json").exists()
    assert not (folder / "incoming").exists()


def test_names_of_files_lead_nowhere(app, home):
    settle(drop(app, ("../../../evil.jpg", jpeg(0)), ("C:\\x\\b.jpg", jpeg(1)), ("/etc/passwd.jpg", jpeg(2))))
    folder = shelves.folders(app.session_state["visitor"])["my-holidays"]
    assert len(Collection.open(folder, verify=True)) == 3 and not list(home.parent.rglob("evil*"))


def allow(monkeypatch, **limits):
    changed = replace(settings(), **limits)
    monkeypatch.setattr(session, "settings", lambda: changed)


def test_the_quota_of_a_session(app, monkeypatch):
    allow(monkeypatch, session_megabytes=0.001)
    drop(app, *jpegs(4))
    assert "more than" in the_error(app) and names(app) == ["emoji-world"]


def test_as_many_pictures_as_a_session_may_have(app, monkeypatch):
    allow(monkeypatch, session_pictures=2)
    settle(drop(app, *jpegs(4)))
    assert any("2 added" in each.value and "2 refused" in each.value for each in app.success)


def test_what_is_made_for_everybody_counts_too(app, monkeypatch):
    allow(monkeypatch, session_pictures=5)
    app.toggle(key="making-shared").set_value(True).run()
    settle(drop(app, *jpegs(12)))
    assert any("5 added" in each.value and "7 refused" in each.value for each in app.success)
    drop(app, *jpegs(12))
    assert "holds 5 pictures" in the_error(app)


def test_imports_that_wait_bring_no_more_than_a_session_may_have(app, monkeypatch):
    """Ten at once, into ten collections: what each brings is not known before it is done."""
    allow(monkeypatch, session_pictures=5)
    going = threading.Event()
    lane("import").submit(lambda job: going.wait(60))
    drop(app, *jpegs(5))
    app.text_input(key="making-title").set_value("Again").run()
    drop(app, *jpegs(5))
    assert "Your last import is not done yet" in the_error(app)
    going.set()
    settle(app)
    assert names(app) == ["emoji-world", "my-holidays"]
    drop(app, *jpegs(5))
    assert "holds 5 pictures" in the_error(app)


def test_an_import_that_goes_on_brings_what_there_is_room_for_by_now(app, monkeypatch):
    allow(monkeypatch, session_pictures=5)
    folder = shelves.new_folder("Stopped", app.session_state["visitor"])
    path = imports.put_down(
        [SimpleNamespace(name=f"{n}.jpg", getbuffer=lambda n=n: jpeg(n)) for n in range(9)], folder, "s"
    )
    Stored.create(folder, name=folder.name, title="Stopped", kind="pictures")
    (folder / imports.NOTE).write_text(json.dumps(imports.Import(str(path), "emoji", 9, False).__dict__))
    settle(drop(app, *jpegs(3)))
    settle(app.button(key="go-on-my-stopped").click().run())
    assert len(Collection.open(folder)) == 2 and any("7 refused" in each.value for each in app.success)


def test_what_was_shared_and_deleted_counts_once_it_is_more_than_a_session_may_have(app, monkeypatch):
    settle(drop(app, *jpegs(2)))
    (size,) = [each.bytes for each in shelves.shelf(app.session_state["visitor"]) if each.of == "own"]
    allow(monkeypatch, session_megabytes=1.5 * size / 1e6)
    for _ in range(2):
        app.button(key="share-my-holidays").click().run()
        app.button(key="delete-holidays").click().run()
        app.text_input(key="making-title").set_value("Holidays").run()
        settle(drop(app, *jpegs(2)))
    app.button(key="delete-my-holidays").click().run()
    drop(app, *jpegs(2))
    assert "more than" in the_error(app)


@pytest.mark.parametrize(("megabytes", "forms"), [(300, {"csv", "parquet", "npy", "zip", "out"}), (1, {"csv"})])
def test_what_is_larger_than_a_visitor_may_bring_is_made_for_no_download(monkeypatch, megabytes, forms):
    allow(monkeypatch, session_megabytes=megabytes)
    offered = [each.key for each in open_page("collections").get("download_button")]
    assert {key.removesuffix("-emoji-world") for key in offered if key.endswith("-emoji-world")} == forms


def test_visitors_do_not_fill_the_disk(app, monkeypatch):
    full = replace(settings(), free_megabytes=10**7)
    monkeypatch.setattr(shelves, "settings", lambda: full)
    drop(app, *jpegs(2))
    assert "disk is nearly full" in the_error(app) and names(app) == ["emoji-world"]


def test_a_folder_of_the_server_counts_as_any_other(app, tmp_path, monkeypatch):
    fill(tmp_path / "data", 4)
    allow(monkeypatch, session_pictures=3)
    monkeypatch.setattr(imports, "allowed_folders", lambda: [tmp_path / "data"])
    monkeypatch.setattr(making, "allowed_folders", lambda: [tmp_path / "data"])
    app.run().segmented_control(key="making-from").set_value("server").run()
    app.selectbox(key="making-folder").set_value(tmp_path / "data").run()
    (begin,) = [button for button in app.button if button.label == "Import"]
    settle(begin.click().run())
    assert any("3 added" in each.value and "1 refused" in each.value for each in app.success)


def test_deleting_makes_room_at_once(app, monkeypatch):
    allow(monkeypatch, session_pictures=3)
    settle(drop(app, *jpegs(3)))
    app.button(key="delete-my-holidays").click().run()
    app.text_input(key="making-title").set_value("Again").run()
    settle(drop(app, *jpegs(3)))
    assert any("3 added" in each.value for each in app.success)


def test_captions_alone_are_explored_too(app):
    lines = "".join(f"a thing number {number},{'home' if number % 2 else 'away'}\n" for number in range(12))
    settle(drop(app, ("c.csv", f"caption,place\n{lines}".encode())))
    explore(app)
    assert not errors(app) and len(app.dataframe[0].value) == 12
    app.switch_page("pages/search.py").run()
    app.segmented_control(key="in").set_value("captions").run()
    app.text_input(key="q").set_value("a thing number 7").run()
    assert labels(app, "search-bars")[0] == "a thing number 7" and not errors(app)
    app.selectbox(key="facet").set_value("place").run()
    app.multiselect(key="only").set_value(["away"]).run()
    assert len(labels(app, "search-bars")) == 6 and not errors(app)


def test_labels_from_folders_are_judged_by_classify_and_pairs_matched(app):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(8):
            archive.writestr(f"{'cat' if number % 2 else 'dog'}/{number}.jpg", jpeg(number))
            archive.writestr(f"{'cat' if number % 2 else 'dog'}/{number}.txt", f"picture {number}")
    settle(drop(app, ("labelled.zip", file.getvalue())))
    explore(app)
    app.switch_page("pages/match.py").run()
    assert not errors(app) and "match-matrix" in figures(app)
    app.switch_page("pages/classify.py").run()
    app.segmented_control(key="task").set_value("collection").run()
    assert app.selectbox(key="field").options == ["label"]
    for _ in range(200):
        if any(metric.value.endswith("%") for metric in app.metric):
            break
        time.sleep(0.1)
        app.run()
    assert any(metric.value.endswith("%") for metric in app.metric) and not errors(app)


def test_facets_search_only_some():
    app = open_page("search", {"q": "lion", "facet": "place", "only": ["snow"]})
    found = Collection.open(shelves.folders()["emoji-world"])
    shown = pictures(app, "search")
    assert shown and {found.fields["place"].iloc[found.row(id)] for id in shown} == {"snow"}
    assert f"Among {(found.fields['place'] == 'snow').sum():,} pictures" in captions(app)


@pytest.mark.parametrize(
    "link", [{}, {"seed": "7"}, {"look": "duplicates", "near": "0.95"}, {"look": "outliers"}], ids=str
)
def test_the_shown_code_finds_what_the_page_shows(link):
    app = open_page("collections", link)
    for _ in range(300):
        if app.main.code:
            break
        time.sleep(0.1)
        app.run()
    for _ in range(300):
        if inside(app):
            break
        time.sleep(0.1)
        app.run()
    (lines,) = [each.value for each in app.main.code]
    variables: dict = {}
    exec(compile(lines, "shown", "exec"), variables)
    groups = getattr(variables["result"], "groups", [variables["result"].hits])
    assert [hit.id for group in groups[:12] for hit in group[:24]] == inside(app) != []


@pytest.mark.parametrize("look", ["duplicates", "outliers"])
def test_a_look_inside(app, look):
    settle(drop(app, *jpegs(8), ("same.png", jpeg(3, format="PNG"))))
    explore(app)
    app.segmented_control(key="look").set_value(look).run()
    for _ in range(100):
        if any(word in captions(app) for word in ("groups of near-duplicates", "least like their ten nearest")):
            break
        time.sleep(0.1)
        app.run()
    if look == "duplicates":
        assert {"p3", "same"} <= set(inside(app))
    else:
        assert len(inside(app)) == 9


def test_exports_are_read_again(tmp_path, home):
    from fixtures_imports import take

    fill(tmp_path / "in" / "cats", 3)
    fill(tmp_path / "in" / "dogs", 3, start=3)
    take(tmp_path / "it", tmp_path / "in")
    found = Collection.open(tmp_path / "it")
    assert export.as_csv(found).decode("utf-8-sig").splitlines()[1] == "p0000,,cats"
    np.testing.assert_array_equal(np.load(io.BytesIO(export.as_npy(found, "toy"))), found.embeddings("toy", "pictures"))
    (tmp_path / "again.zip").write_bytes(export.as_zip(found))
    take(tmp_path / "again", tmp_path / "again.zip")
    again = Collection.open(tmp_path / "again")
    assert (again.ids, again.captions, again.fields["label"].tolist()) == (
        found.ids,
        found.captions,
        found.fields["label"].tolist(),
    )
    (tmp_path / "ready.parquet").write_bytes(export.as_parquet(found))
    take(tmp_path / "ready", tmp_path / "ready.parquet")
    assert Collection.open(tmp_path / "ready").fields["label"].tolist() == found.fields["label"].tolist()


EXPORTS = """
import sys
sys.path[:0] = ["tests", "."]
from pathlib import Path
from clipexplore.store.collection import Collection
from clipexplore.store.export import as_csv, as_npy, as_parquet, as_zip
print("begun", flush=True)
while True:
    for export in (as_csv, as_parquet, as_zip, lambda collection: as_npy(collection, "toy")):
        export(Collection.open(Path(sys.argv[1])))
        print("one more", flush=True)
"""


@pytest.mark.long
def test_exports_that_are_killed_at_twenty_random_moments_change_nothing(tmp_path, home):
    from fixtures_imports import take

    fill(tmp_path / "in", 40)
    take(tmp_path / "it", tmp_path / "in")

    def contents():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before, chance = contents(), random.Random(3)
    for number in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", EXPORTS, str(tmp_path / "it")], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            for _ in range(1 + number % 5):
                assert process.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
        assert contents() == before


def test_an_address_among_the_roots_is_imported_as_a_folder_is(tmp_path, monkeypatch):
    fill(tmp_path / "bucket" / "birds", 3)
    address = (tmp_path / "bucket").as_uri()
    monkeypatch.setenv("CLIPEXPLORE_ROOTS", address)
    settings.cache_clear()
    app = open_page("collections")
    app.segmented_control(key="making-from").set_value("server").run()
    assert app.selectbox(key="making-folder").options == [address]
    app.selectbox(key="making-folder").set_value(address).run()
    (begin,) = [button for button in app.button if button.label == "Import"]
    settle(begin.click().run())
    assert names(app) == ["emoji-world", "my-bucket"] and not errors(app)
    assert any("3 added" in each.value for each in app.success)


def test_a_folder_of_the_server_only_below_the_roots(tmp_path, monkeypatch):
    assert imports.allowed_folders() == []
    fill(tmp_path / "data" / "birds", 3)
    monkeypatch.setenv("CLIPEXPLORE_ROOTS", str(tmp_path / "data"))
    settings.cache_clear()
    assert imports.allowed_folders() == [tmp_path / "data", tmp_path / "data" / "birds"]
    app = open_page("collections")
    app.segmented_control(key="making-from").set_value("server").run()
    app.selectbox(key="making-folder").set_value(tmp_path / "data" / "birds").run()
    (begin,) = [button for button in app.button if button.label == "Import"]
    settle(begin.click().run())
    assert names(app) == ["emoji-world", "my-birds"] and not errors(app)


def test_a_look_shows_what_would_be_imported_and_takes_the_column_that_is_chosen(app):
    rows = "file,poem\n" + "".join(f"p{number}.jpg,a thing with number {number}\n" for number in range(3))
    files = [*jpegs(3), ("metadata.csv", rows.encode()), ("notes.xyz.csv", b"a;b\n1;2\n")]
    app.file_uploader(key="making-files").set_value(
        [(name, data, "application/octet-stream") for name, data in files]
    ).run()
    app.button(key="making-look").click().run()
    for _ in range(200):
        if [each for each in app.main.markdown if "metadata.csv" in each.value]:
            break
        time.sleep(0.05)
        app.run()
    assert "imagefolder of Hugging Face" in " ".join(unescaped(each.value) for each in app.main.markdown)
    assert any("Which column is the caption?" in unescaped(each.value) for each in app.main.warning)
    assert names(app) == ["emoji-world"] and not list(
        shelves.session_folder(app.session_state["visitor"]).glob(".look*")
    )
    app.selectbox(key="making-caption").set_value("poem").run()
    (begin,) = [button for button in app.button if button.label == "Import"]
    settle(begin.click().run())
    folder = shelves.folders(app.session_state["visitor"])["my-holidays"]
    assert Collection.open(folder).captions == [f"a thing with number {number}" for number in range(3)]


def test_a_collection_is_taken_away_in_the_form_of_another_tool(app, tmp_path):
    settle(drop(app, *jpegs(3), ("p1.txt", b"said")))
    folder = shelves.folders(app.session_state["visitor"])["my-holidays"]
    assert app.selectbox(key="form-my-holidays").options == [*export.FORMS]
    (tmp_path / "out.zip").write_bytes(export.zipped(Collection.open(folder), "csv", "emoji"))
    assert sorted(each.caption for each in open_source(tmp_path / "out.zip")) == ["", "", "said"]
