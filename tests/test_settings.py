"""Settings from every source, and every mistake told."""

from pathlib import Path

import pytest

from clipexplore.errors import InputError
from clipexplore.settings import read_settings, settings


@pytest.fixture
def folder(tmp_path):
    for name in ("assets", "other", "deep"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(path, text):
    path.write_text(text, encoding="utf-8")


def test_defaults_are_beside_the_package_and_in_the_home_of_the_user(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    found = read_settings({}, folder)
    assert found.home == folder / ".clipexplore"
    assert found.assets == Path(__file__).parent.parent / "assets"
    assert not found.home.exists()


def test_the_file_wins_over_defaults_and_the_environment_over_the_file(folder):
    write(folder / "clipexplore.toml", 'home = "data"\nassets = "assets"')
    assert read_settings({}, folder).home == folder / "data"
    found = read_settings({"CLIPEXPLORE_HOME": "elsewhere"}, folder)
    assert (found.home, found.assets) == (folder / "elsewhere", folder / "assets")


def test_another_file_can_be_named_and_its_paths_are_relative_to_it(folder):
    write(folder / "clipexplore.toml", 'home = "not this"')
    write(folder / "deep/own.toml", 'home = "data"\nassets = "../other"')
    found = read_settings({"CLIPEXPLORE_CONFIG": "deep/own.toml"}, folder)
    assert (found.home, found.assets) == (folder / "deep/data", folder / "other")


def test_a_tilde_is_the_home_of_the_user(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert read_settings({"CLIPEXPLORE_HOME": "~/data"}, folder).home == folder / "data"


def test_an_empty_variable_counts_as_unset(folder):
    write(folder / "clipexplore.toml", 'home = "data"')
    assert read_settings({"CLIPEXPLORE_HOME": ""}, folder).home == folder / "data"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('hoem = "data"', "unknown key 'hoem'; known are home, assets"),
        ("home = 7", "home in .* is 7; give the path"),
        ('home = ""', "home in .* is ''; give the path"),
        ("[home]", "home in .* is {}; give the path"),
        ("home = ", "cannot be read: .*; correct it"),
        ('assets = "missing"', "assets folder .*missing does not exist; set CLIPEXPLORE_ASSETS"),
        ('home = "clipexplore.toml"', "is a file; set CLIPEXPLORE_HOME"),
    ],
)
def test_mistakes_in_the_file_are_told(folder, text, message):
    write(folder / "clipexplore.toml", text)
    with pytest.raises(InputError, match=message):
        read_settings({}, folder)


def test_a_file_that_is_not_text_is_told(folder):
    (folder / "clipexplore.toml").write_bytes(b"home = '\xff'")
    with pytest.raises(InputError, match="cannot be read"):
        read_settings({}, folder)


def test_a_named_file_must_exist(folder):
    with pytest.raises(InputError, match="CLIPEXPLORE_CONFIG names .*no.toml, which is not a file"):
        read_settings({"CLIPEXPLORE_CONFIG": "no.toml"}, folder)


def test_the_settings_of_the_process_are_read_once():
    assert settings() is settings()
