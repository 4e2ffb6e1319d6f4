"""What small files can ask for: pipes that never end, files that unpack, tables of millions of lines.

Nothing here is large: a file only says that it is, or would be if it were read as a whole.
"""

import io
import json
import os
import re
import socket
import tracemalloc
import zipfile
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from fixtures_imports import fill, take

from clipexplore.errors import InputError
from clipexplore.images import open_picture
from clipexplore.sources.entries import Entry, Rejected
from clipexplore.sources.files import Caps
from clipexplore.sources.recognise import open_source
from clipexplore.store import importing
from clipexplore.store.collection import Collection

MB = 1_000_000


@contextmanager
def at_most(megabytes):
    """Fails where the block holds more at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * MB
    finally:
        tracemalloc.stop()


# Regular files only


@pytest.fixture(params=["pipe", "socket", "device"])
def endless(request, tmp_path):
    """Makes what is no file at a path."""
    sockets = []

    def make(path):
        if request.param == "pipe":
            os.mkfifo(path)
        elif request.param == "device":
            path.symlink_to("/dev/null")  # one that ends, wherever it were read
        else:
            sockets.append(socket.socket(socket.AF_UNIX))
            here = os.getcwd()
            os.chdir(path.parent)  # a socket's path is short
            sockets[-1].bind(path.name)
            os.chdir(here)

    yield make
    for each in sockets:
        each.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["p.jpg", "p.txt", "metadata.csv", "metadata.parquet", "tensors.tsv"])
def test_a_pipe_a_socket_or_a_device_in_a_folder_is_refused_by_name(tmp_path, endless, name):
    fill(tmp_path / "in", 2)
    endless(tmp_path / "in" / name)
    try:
        outcome = take(tmp_path / "it", tmp_path / "in")
    except InputError as error:  # of a table that all pictures would need
        assert re.search(f"'{name}' (is no file but a pipe, a socket|lies outside of the folder)", str(error))
    else:
        assert outcome.added == 2 and [each.name for each in outcome.rejected] == [name]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["c.csv", "c.txt", "v.npy", "v.parquet", "a.zip"])
def test_a_pipe_a_socket_or_a_device_is_no_source(tmp_path, endless, name):
    endless(tmp_path / name)
    with pytest.raises(InputError, match="is no file but a pipe, a socket"):
        open_source(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.timeout(60)
def test_a_pipe_a_socket_or_a_device_is_no_picture(tmp_path, endless):
    endless(tmp_path / "p.jpg")
    with pytest.raises(InputError, match=r"'p\.jpg'"):
        open_picture(tmp_path / "p.jpg")


# What unpacks


def npz(path, compression=zipfile.ZIP_DEFLATED, **shapes):
    """An NPZ of zeros, float32, written without holding them."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, shape in shapes.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
                left = 4 * int(np.prod(shape))
                while left:
                    left -= file.write(bytes(min(left, MB)))
    return path


def test_an_npz_that_unpacks_to_many_times_its_size_is_refused_before_it_is_read(tmp_path):
    path = npz(tmp_path / "v.npz", vectors=(50_000, 512))
    assert path.stat().st_size < MB // 2
    with at_most(4), pytest.raises(InputError, match="'v.npz' unpacks to 102 MB, and at most 4 times its size"):
        open_source(path)


def test_of_an_npz_only_the_arrays_that_are_needed_are_read(tmp_path):
    path = npz(tmp_path / "v.npz", other=(50_000, 512), vectors=(10, 4), third=(7,))
    with at_most(4):
        assert len(list(open_source(path))) == 10


@pytest.mark.parametrize("name", ["v.npy", "v.npz"])
def test_vectors_are_read_some_at_a_time(tmp_path, name):
    rows = np.random.default_rng(0).normal(size=(20_000, 512)).astype(np.float32)
    (np.save if name == "v.npy" else lambda path, rows: np.savez(path, vectors=rows))(tmp_path / name, rows)
    with at_most(25):  # of 41 MB
        assert sum(1 for each in open_source(tmp_path / name) if isinstance(each, Entry)) == 20_000


@pytest.mark.parametrize("name", ["v.npy", "v.npz"])
def test_vectors_stored_column_by_column_are_the_same(tmp_path, name):
    rows = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    turned = np.asfortranarray(rows)
    (np.save if name == "v.npy" else lambda path, rows: np.savez(path, vectors=rows))(tmp_path / name, turned)
    np.testing.assert_array_equal([each.vectors["captions"] for each in open_source(tmp_path / name)], rows)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("v.npy", (1, 2_000_000), "have 2,000,000 dimensions, and at most 16,384 are read"),
        ("v.npz", (1, 2_000_000), "have 2,000,000 dimensions, and at most 16,384 are read"),
        ("v.npy", (10**12, 512), "ends before its array does"),
        ("v.npz", (10**12, 512), "ends before its array does"),
    ],
)
def test_what_an_array_says_of_itself_is_checked(tmp_path, name, shape, message):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    data = file.getvalue() + bytes(8 * MB)
    if name == "v.npz":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("vectors.npy", data)
    else:
        (tmp_path / name).write_bytes(data)
    with at_most(40), pytest.raises(InputError, match=message):
        open_source(tmp_path / name)


def test_a_damaged_end_is_told_when_it_is_reached(tmp_path):
    rows = np.random.default_rng(0).normal(size=(900, 512)).astype(np.float32)
    np.savez(tmp_path / "v.npz", vectors=rows)
    data = bytearray((tmp_path / "v.npz").read_bytes())
    data[-5_000] ^= 1
    (tmp_path / "v.npz").write_bytes(data)
    with pytest.raises(InputError, match="'v.npz' cannot be read as vectors"):
        list(open_source(tmp_path / "v.npz"))


def parquet(path, **columns):
    pyarrow.parquet.write_table(pa.table(columns), path, compression="zstd", use_dictionary=True)
    return path


def test_a_parquet_that_unpacks_to_many_times_its_size_is_refused_before_it_is_read(tmp_path):
    rows = pa.FixedSizeListArray.from_arrays(np.zeros(20_000_000, np.float32), 500)
    path = parquet(tmp_path / "v.parquet", vectors=rows)
    assert path.stat().st_size < 20_000
    with at_most(4), pytest.raises(InputError, match="'v.parquet' unpacks to 80 MB"):
        open_source(path)


@pytest.mark.parametrize("beside", [False, True])
def test_a_parquet_of_more_rows_than_bytes_is_refused_before_it_is_read(tmp_path, beside):
    """Rows that are all the same take nothing, and a million of them seconds; also beside pictures in a folder."""
    rows = pa.DictionaryArray.from_arrays(np.zeros(1_000_000, np.int32), ["p0000.jpg"])
    path = parquet(tmp_path / "metadata.parquet", file_name=rows, text=rows)
    assert path.stat().st_size < 50_000
    if beside:
        fill(tmp_path / "in", 1)
        path.rename(tmp_path / "in" / path.name)
        path = tmp_path / "in"
    with at_most(30), pytest.raises(InputError, match="says that it has 1,000,000 rows"):
        open_source(path)


def test_a_text_that_all_rows_of_a_parquet_share_is_held_once(tmp_path):
    rows, same = pa.array(np.ones((20_000, 4)).tolist(), pa.list_(pa.float32())), "x" * 10_000
    text = pa.DictionaryArray.from_arrays(np.zeros(20_000, np.int32), [same]).cast(pa.string())
    path = parquet(tmp_path / "v.parquet", vectors=rows, note=text)
    before = pa.total_allocated_bytes()
    with at_most(20):
        for number, each in enumerate(open_source(path)):
            if number % 4_000 == 0:
                assert pa.total_allocated_bytes() - before < 20 * MB
            assert each.fields["note"] == same
    outcome = take(tmp_path / "it", path, most=20)
    assert outcome.added == 20 and (tmp_path / "it" / "collection.db").stat().st_size < MB, "2,000 characters are kept"


def test_vectors_of_very_many_dimensions_in_a_parquet_are_refused(tmp_path):
    path = parquet(tmp_path / "v.parquet", vectors=pa.array([np.ones(20_000, np.float32)] * 2))
    with pytest.raises(InputError, match="have 20,000 dimensions, and at most 16,384"):
        open_source(path)


def test_a_list_of_very_many_files_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(40_000):
            archive.writestr(f"{number}.jpg", b"")
    with at_most(2), pytest.raises(InputError, match="very many files, and at most 2,000 are read"):
        open_source(tmp_path / "a.zip", Caps())


# Tables


LINES = 20_000


@pytest.fixture(params=["c.txt", "c.csv", "c.tsv", "c.jsonl", "headless.csv"])
def long_table(request, tmp_path):
    """A table of many rows of a hundred characters each."""
    text = "a thing, number {}, of which somebody wrote a rather long line, so that many of them fill megabytes"
    rows = (text.format(number) for number in range(LINES))
    with open(tmp_path / request.param, "w") as file:
        if request.param in ("c.csv", "c.tsv"):
            file.write("caption\n")
        for row in rows:
            if request.param.endswith("jsonl"):
                row = json.dumps({"caption": row})
            file.write(f'"{row}"\n' if request.param.endswith("csv") else f"{row}\n")
    return tmp_path / request.param


def test_a_table_is_read_a_line_at_a_time_and_says_how_far_it_is(long_table):
    said = []
    with at_most(1):
        source = open_source(long_table, report=lambda share, stage: said.append((share, stage)))
        assert source.count == sum(1 for _each in source) == LINES
    assert said and all(0 <= share <= 1 for share, _stage in said) and said[-1][0] > 0.8
    assert {stage for _share, stage in said} == {f"Reading {long_table.name}"}


def test_reading_a_table_may_be_stopped(long_table):
    class Stopped(BaseException):
        pass

    said = []

    def stop(share, stage):
        said.append(share)
        if share > 0.2:
            raise Stopped

    with pytest.raises(Stopped):
        open_source(long_table, report=stop)
    assert said[-1] < 0.6


def test_the_item_limit_counts_as_they_come_and_ends_the_reading(long_table, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "PATIENCE", 100)
    outcome = take(tmp_path / "it", long_table, most=5)
    assert outcome.added == 5 and 100 < outcome.refused < 100 + 2 * importing.WINDOW
    assert "What follows was not read" in outcome.rejected[-1].reason
    assert str(outcome).endswith(f"{outcome.refused} refused")


def test_of_what_is_refused_so_much_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "LISTED", 10)
    (tmp_path / "c.csv").write_text("caption,n\na cat,1\n" + ",2\n" * 30)
    outcome = take(tmp_path / "it", tmp_path / "c.csv")
    assert outcome.refused == 30 and len(outcome.rejected) == 10
    listed = (tmp_path / "it" / importing.REJECTED).read_text(encoding="utf-8-sig").splitlines()
    assert len(listed) == 12 and "More was refused" in listed[-1]


def test_a_folder_that_is_looked_through_says_so_and_may_be_stopped(tmp_path):
    for number in range(600):
        (tmp_path / f"{number}.txt").write_bytes(b"")
    said = []
    with pytest.raises(InputError, match="no pictures"):
        open_source(tmp_path, report=lambda share, stage: said.append(stage))
    assert said[:3] == [f"Looking through the folder: {count} files" for count in (0, 256, 512)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.txt", "x" * 1_000_001, "Line 1 of 'c.txt' has 1,000,000 characters or more"),
        ("c.jsonl", "[" + '{"caption": "a cat"},' * 250_000 + "{}]", "Line 1 of 'c.jsonl' has 5,000,000 characters"),
        ("c.jsonl", "[" * 100_000, "no JSON that can be read"),
        ("c.jsonl", '{"caption": ' + "9" * 5_000 + "}", "no JSON that can be read"),
        ("c.jsonl", "[\n" + '{"caption": "a cat"},\n' * 240_000 + "{}]", "one list of more than 5 MB"),
        ("c.csv", "caption," + ",".join(map(str, range(1_500))), "It has 1,501 columns, and at most 1,000"),
        ("c.csv", "caption," + "x" * 2_001, "longer than 2000 characters"),
        ("v.tsv", "\t".join(["1"] * 20_000), "have 20,000 dimensions"),
    ],
)
def test_what_is_too_long_for_a_table_is_told(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        open_source(tmp_path / name)


def test_json_may_be_one_list_in_one_line(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps([{"caption": f"a cat, number {number}"} for number in range(40_000)]))
    assert open_source(tmp_path / "c.jsonl").count == 40_000


def test_a_huge_number_in_a_field_does_not_break_the_column(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps({"caption": "a cat", "n": 10**30}) + "\n")
    take(tmp_path / "it", tmp_path / "c.jsonl")
    assert Collection.open(tmp_path / "it").fields["n"].tolist() == [1e30]


def test_tensors_and_their_metadata_are_read_a_line_at_a_time(tmp_path):
    rows = 12_000
    with open(tmp_path / "tensors.tsv", "w") as file:
        for number in range(rows):
            file.write("\t".join(f"{number + place:.6f}" for place in range(64)) + "\n")
    (tmp_path / "metadata.tsv").write_text("\n".join(f"thing {number}" for number in range(rows)) + "\n\n")
    size = (tmp_path / "tensors.tsv").stat().st_size
    with at_most(size / MB):
        entries = list(each.caption for each in open_source(tmp_path / "tensors.tsv"))
    assert entries[-1] == f"thing {rows - 1}" and len(entries) == rows


def test_rejected_rows_are_told_in_their_place(tmp_path):
    (tmp_path / "c.csv").write_text("caption,n\na, b,1\na cat,2\n,3\n")
    entries = list(open_source(tmp_path / "c.csv"))
    assert [isinstance(each, Rejected) for each in entries] == [True, False, True]
