import csv
from io import BytesIO, StringIO
from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clipexplore.images import encode
from clipexplore.space import Hit
from clipexplore.tables import harmless, npy_file
from clipexplore.ui.results import _hits_file, _sheet

FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@given(st.one_of(st.text(), st.builds(str.__add__, st.sampled_from(FORMULAS), st.text())))
def test_no_cell_begins_like_a_formula_and_the_others_stay(cell):
    shown = harmless(cell)
    assert not shown.startswith(FORMULAS) and shown.removeprefix("'" if shown != cell else "") == cell
    assert (shown == cell) == (not cell.startswith(FORMULAS))


def test_the_table_reads_back():
    hits = [Hit("cat", 'a "cat", black', 0.5, 2.0, 1, "captions"), Hit("x", "=1+1\nnext", -0.25, -1.5, 2, "captions")]
    head, first, second = csv.reader(StringIO(_hits_file(hits).decode("utf-8-sig"), newline=""))
    assert head == ["rank", "id", "caption", "cosine", "z", "kind"]
    assert first == ["1", "cat", 'a "cat", black', "0.500000", "2.000", "captions"]
    assert second == ["2", "x", "'=1+1\nnext", "-0.250000", "-1.500", "captions"]


def test_a_vector_and_a_sheet_of_pictures_read_back():
    vector = np.linspace(-1, 1, 8, dtype=np.float32)
    np.testing.assert_array_equal(np.load(BytesIO(npy_file(vector)), allow_pickle=False), vector)
    five = SimpleNamespace(picture=lambda id: encode(Image.new("RGB", (20, 20), "red")))
    sheet = Image.open(BytesIO(_sheet(five, list("abcde"))))
    assert sheet.format == "PNG" and sheet.size == (3 * 128, 2 * 128)
