"""What a collection holds: shown as a whole, kept by content."""

import json

import numpy as np
import pytest
from fixtures_imports import contents

from clipexplore.errors import InputError
from clipexplore.store.collection import Collection
from clipexplore.store.items import Item, content_key, fields_frame, fields_json
from clipexplore.store.stored import Stored
from clipexplore.vectors import normalize


def items(start, count, **fields):
    return [
        Item(
            f"i{n}",
            "text",
            fields_json({name: each[n - start] for name, each in fields.items()}),
            b"%d" % n,
            None,
            b"%d" % n,
        )
        for n in range(start, start + count)
    ]


def vectors(count, seed=0, dim=4):
    return normalize(np.random.default_rng(seed).normal(size=(count, dim)))


@pytest.fixture
def store(tmp_path):
    made = Stored.create(tmp_path / "it", name="it", title="It", kind="captions", licence="CC0")
    space = made.space("captions", "r1", 1)
    made.name_spaces("m", "r1", {"captions": space})
    for number in range(3):
        rows = items(3 * number, 3, year=[str(number)] * 3)
        made.append(rows, range(3 * number, 3 * number + 3), {})
        made.add_vectors(space, [row.text for row in rows], vectors(3, number))
    return made


def test_what_is_shown_is_a_collection(store):
    with pytest.raises(InputError, match="still being imported"):
        Collection.open(store.folder)
    store.show()
    found = Collection.open(store.folder, verify=True)
    assert (len(found), found.title, found.manifest["licence"]) == (9, "It", "CC0")
    assert found.fields["year"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    embeddings = found.embeddings("m", "captions")
    np.testing.assert_array_equal(embeddings, np.concatenate([vectors(3, number) for number in range(3)]))
    base = embeddings
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap) and not embeddings.flags.writeable, "mapped, and not read"


def test_what_is_shown_already_is_not_written_again(store):
    store.show()
    (cache,) = (store.folder / "cache").iterdir()
    before, said = cache.stat().st_mtime_ns, contents(store.folder)
    store.show(), Stored.open(store.folder).show()
    assert cache.stat().st_mtime_ns == before and contents(store.folder) == said


def test_what_search_keeps_beside_the_vectors_stays_and_goes_with_them(store):
    store.show()
    (cache,) = (store.folder / "cache").iterdir()
    beside = cache.with_suffix(".codes.npy")
    beside.write_bytes(b"")
    store.say(pending=True)
    store.show()
    assert beside.exists()
    store.remove([0])
    store.show()
    assert not beside.exists()


def test_while_a_collection_grows_readers_have_what_was_shown(store):
    store.show()
    rows = items(9, 2, year=["x", None])
    store.append(rows, [9, 10], {})
    store.add_vectors(1, [row.text for row in rows], vectors(2))
    assert len(Collection.open(store.folder, verify=True)) == 9
    store.show()
    found = Collection.open(store.folder, verify=True)
    assert found.fields["year"].tolist()[-3:-1] == ["2", "x"] and len(found) == 11


def test_places_of_lost_items_are_filled_first_and_hidden_until_they_are_shown(store):
    store.show()
    before = contents(store.folder)
    store.remove([4])
    store.show()
    assert next(store.free_positions()) == 4
    (row,) = items(4, 1, year=["1"])
    store.append([row], [4], {})
    store.add_vectors(1, [row.text], vectors(3, 1)[1:2])
    assert len(Collection.open(store.folder, verify=True)) == 8
    store.show()
    assert contents(store.folder) == before


def test_a_reader_of_what_was_replaced_is_told_to_open_it_again(store):
    store.show()
    reader = Collection.open(store.folder)
    store.remove([0])
    store.show()
    with pytest.raises(InputError, match="has changed meanwhile; open it again"):
        reader.embeddings("m", "captions")


def test_numbers_are_numbers_and_codes_are_not():
    columns = {
        "whole": ["1", None, "-3"],
        "real": ["0.5", "2", None],
        "code": ["007", "1", "2"],
        "none": [None] * 3,
        "word": ["1", "b", "c"],
        "given": [1.5, 2.5, None],
        "mixed": [1, "b", None],
    }
    rows = [fields_json({name: each[row] for name, each in columns.items()}) for row in range(3)]
    fields = fields_frame(rows)
    assert fields["whole"].tolist()[::2] == [1, -3] and fields["real"].tolist()[:2] == [0.5, 2.0]
    assert fields["given"].tolist()[:2] == [1.5, 2.5] and fields["code"].tolist() == ["007", "1", "2"]
    assert fields["none"].isna().all() and fields["word"].tolist() == ["1", "b", "c"]
    assert fields["mixed"].tolist()[:2] == ["1", "b"]


def test_fields_are_plain_values_under_names_of_their_own():
    values = {"id": 1, "Picture": "x", "n": np.int64(3), "nan": float("nan"), "list": [1]}
    assert json.loads(fields_json(values)) == {"id_": 1, "Picture_": "x", "n": 3, "nan": None, "list": "[1]"}


def test_contents_are_told_apart():
    assert len({content_key(each) for each in ("", "a", b"b", "a ")}) == 4 and content_key("a") == content_key(b"a")
