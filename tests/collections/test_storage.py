"""A store after every possible interruption and every kind of damage."""

import errno
import json
import os

import pytest

from clipexplore.collections.storage import ASIDE, COPY, MANIFEST, Damage, Store
from clipexplore.errors import InputError

OLD = {"a.bin": b"old a", "deep/er/b.bin": b"old b"}


class Killed(BaseException):
    """What a process that is killed would not get to handle."""


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "store", {"name": "it"}, OLD)


def content(store):
    """What a reader finds after a new start, every checksum compared."""
    found = Store.open(store.folder)
    return {name: found.read(name) for name in found.manifest["files"]}


def interrupt(monkeypatch, name, at, error):
    """Makes the call number `at` of an `os` function raise; returns the list of calls so far."""
    calls, real = [], getattr(os, name)

    def wrapped(*arguments):
        calls.append(arguments)
        if len(calls) > at:
            raise error
        return real(*arguments)

    monkeypatch.setattr(os, name, wrapped)
    return calls


def test_what_was_stored_is_read(store):
    assert content(store) == OLD
    assert Store.open(store.folder).manifest["name"] == "it"


def test_a_commit_adds_replaces_and_drops(store):
    files = {name: entry for name, entry in store.manifest["files"].items() if name != "deep/er/b.bin"}
    store.commit({**store.manifest, "name": "new", "files": files}, {"a.bin": b"new a", "c.bin": b"c"})
    assert content(store) == {"a.bin": b"new a", "c.bin": b"c"}
    assert store.manifest["name"] == Store.open(store.folder).manifest["name"] == "new"
    assert sorted(path.name for path in store.folder.rglob("*") if path.is_file()) == ["a.bin", "c.bin", COPY, MANIFEST]


@pytest.mark.parametrize("name", ["replace", "fsync"])
@pytest.mark.parametrize("at", range(9))
def test_killed_at_any_moment_every_listed_file_is_whole(store, monkeypatch, name, at):
    new = {"a.bin": b"new a", "c.bin": b"c"}
    with monkeypatch.context() as patch:
        calls = interrupt(patch, name, at, Killed())
        try:
            store.commit({**store.manifest, "made by": "new"}, new)
        except Killed:
            pass
        else:
            assert len(calls) <= at  # it ran through: `at` reaches beyond the last call
    manifest, found = Store.open(store.folder).manifest, content(store)
    assert found["deep/er/b.bin"] == b"old b"
    assert found.get("a.bin") in ((b"new a", None) if "made by" in manifest else (b"old a",))
    assert found.get("c.bin") in (b"c", None)
    store.commit(manifest, new)  # and the next one succeeds
    assert content(store) == {**OLD, **new}


def test_nothing_changes_before_the_first_file_takes_its_name(store, monkeypatch):
    before = store.manifest
    with monkeypatch.context() as patch:
        interrupt(patch, "replace", 0, Killed())
        with pytest.raises(Killed):
            store.commit({**store.manifest, "name": "new"}, {"a.bin": b"new a"})
    assert content(store) == OLD
    assert store.manifest == Store.open(store.folder).manifest == before


@pytest.mark.parametrize("at", range(4))
def test_a_full_disk_is_told_and_leaves_no_rest(store, monkeypatch, at):
    with monkeypatch.context() as patch:
        interrupt(patch, "fsync", at, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        with pytest.raises(InputError, match=r"Cannot write to .*: No space left on device; make room"):
            store.commit(store.manifest, {"a.bin": b"new a", "c.bin": b"c"})
    assert content(store).items() >= {"deep/er/b.bin": b"old b"}.items()
    assert not list(store.folder.rglob("*.partial"))


def test_a_full_disk_while_writing_changes_nothing(store, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, "fsync", 0, OSError(errno.ENOSPC, "full"))
        with pytest.raises(InputError):
            store.commit({**store.manifest, "name": "new"}, {"a.bin": b"new a"})
    assert content(store) == OLD
    assert store.manifest["name"] == "it"


def test_a_store_that_was_never_finished_can_be_begun_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, "replace", 1, Killed())
        with pytest.raises(Killed):
            Store.create(tmp_path / "store", {}, OLD)
    with pytest.raises(InputError, match="nothing to open"):
        Store.open(tmp_path / "store")
    assert content(Store.create(tmp_path / "store", {}, OLD)) == OLD


def test_a_store_is_never_written_over(store):
    with pytest.raises(InputError, match="already"):
        Store.create(store.folder, {}, {})
    assert content(store) == OLD


@pytest.mark.parametrize("position", range(5))
def test_a_flipped_bit_is_noticed_when_read(store, position):
    data = bytearray(OLD["a.bin"])
    data[position] ^= 1
    (store.folder / "a.bin").write_bytes(data)
    with pytest.raises(InputError, match=r"damaged: a\.bin is not what was stored; restore"):
        Store.open(store.folder).read("a.bin")


@pytest.mark.parametrize(
    ("data", "message"), [(None, r"b\.bin is missing"), (b"", "has 0 bytes"), (b"old b!", "has 6 bytes")]
)
def test_a_missing_or_cut_file_is_noticed_at_once(store, data, message):
    path = store.folder / "deep/er/b.bin"
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        Store.open(store.folder)


def test_a_file_that_goes_while_open_is_noticed(store):
    (store.folder / "a.bin").unlink()
    with pytest.raises(InputError, match=r"a\.bin cannot be read"):
        store.read("a.bin")


BROKEN = [
    "",
    "[]",
    "{}",
    "\0",
    '{"schema": 1}',
    '{"schema": 1, "files": []}',
    '{"schema": 1, "files": {"a.bin": 1}}',
    '"files"',
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_manifest_is_told(store, text):
    (store.folder / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="cannot be understood"):
        Store.open(store.folder)


def test_every_truncation_of_the_manifest_is_told(store):
    data = (store.folder / MANIFEST).read_bytes()
    for size in range(len(data) - 2):  # the last two are "}\n"
        (store.folder / MANIFEST).write_bytes(data[:size])
        with pytest.raises(InputError, match="cannot be understood"):
            Store.open(store.folder)


def test_another_schema_is_told(store):
    (store.folder / MANIFEST).write_text(json.dumps({**store.manifest, "schema": 2}))
    with pytest.raises(InputError, match="schema 2"):
        Store.open(store.folder)


def test_a_changed_word_of_the_manifest_is_noticed_and_an_older_one_without_a_checksum_is_read(store):
    path = store.folder / MANIFEST
    path.write_text(path.read_text().replace('"it"', '"is"'))
    with pytest.raises(Damage, match="cannot be understood"):
        Store.open(store.folder)
    path.write_text(json.dumps(store.manifest))
    assert content(store) == OLD


def test_content_may_come_in_pieces_and_is_mapped_once_it_was_compared(store):
    store.commit(store.manifest, {"long.bin": (bytes([each]) * 3 for each in range(5))})
    found = Store.open(store.folder)
    assert found.read("long.bin") == b"\0\0\0\1\1\1\2\2\2\3\3\3\4\4\4" == found.path("long.bin").read_bytes()
    (store.folder / "long.bin").write_bytes(b"x" * 15)
    with pytest.raises(Damage, match="not what was stored"):
        Store.open(store.folder).path("long.bin")


def test_two_processes_do_not_write_at_once(store):
    with store.writing(), pytest.raises(InputError, match="another process"), Store.open(store.folder).writing():
        pytest.fail("both write")
    with store.writing():
        pass


HARM = {"flipped": lambda data: bytes([data[0] ^ 1]) + data[1:], "cut": lambda data: data[:-3], "empty": lambda data: b"", "gone": lambda data: None}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", [*OLD, MANIFEST])
def test_what_is_whole_is_salvaged_and_the_rest_set_aside(store, name, harm):
    path = store.folder / name
    data = HARM[harm](path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    found, lost = Store.salvage(store.folder)
    assert lost == [name] and found.manifest["name"] == "it"
    assert content(store) == {other: data for other, data in OLD.items() if other != name}
    aside = store.folder / ASIDE / name
    assert aside.read_bytes() == data if data is not None else not aside.exists()
    assert Store.salvage(store.folder)[1] == []


def test_what_is_damaged_twice_is_kept_twice(store):
    for data in (b"first", b"next"):
        (store.folder / "a.bin").write_bytes(data)
        Store.salvage(store.folder)[0].commit(store.manifest, {"a.bin": b"new a"})
    assert [(store.folder / ASIDE / name).read_bytes() for name in ("a.bin", "a.bin.1")] == [b"first", b"next"]


def test_with_neither_manifest_nothing_is_moved(store):
    for name in (MANIFEST, COPY):
        (store.folder / name).write_bytes(b"{")
    with pytest.raises(InputError, match="cannot be understood"):
        Store.salvage(store.folder)
    assert (store.folder / MANIFEST).exists()

def test_nothing_there_is_told(tmp_path):
    with pytest.raises(InputError, match="nothing to open"):
        Store.open(tmp_path / "missing")
