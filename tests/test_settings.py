"""Settings from every source, and every mistake told."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from clipexplore.errors import InputError
from clipexplore.settings import Settings, checked, read_settings, settings


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
        ('roots = "assets"', "roots in .* is 'assets'; give a list of folders"),
        ('roots = ["assets", 7]', "roots in .* give a list of folders"),
        ('roots = ["gone"]', "gone in roots does not exist"),
        ('log_level = "LOUD"', "log_level in .* is 'LOUD'; give one of DEBUG, INFO"),
        ("session_pictures = 2.5", "session_pictures in .* is 2.5; give a whole number"),
        ("session_pictures = true", "session_pictures in .* is True; give a whole number"),
        ("jobs_waiting = 0", "jobs_waiting in .* is 0; give a number from 1 to 10,000"),
        ('abandon_seconds = "long"', "abandon_seconds in .* is 'long'; give a number"),
        ("abandon_seconds = nan", "abandon_seconds in .* is nan; give a number from 1 to"),
        ("home = ", "cannot be read: .*; correct it"),
        ('assets = "missing"', "assets folder .*missing does not exist; set CLIPEXPLORE_ASSETS"),
        ('home = "clipexplore.toml/below"', "is not a folder and cannot become one"),
        ('home = "/proc/1/x"', "is not a folder and cannot become one"),
        ('home = "a\\u0000b"', "give the path of a folder"),
        ('home = "~nobody-of-that-name/x"', "give the path of a folder"),
        ('public_url = "javascript:alert(1)"', "public_url in .*; give an address such as"),
        ('public_url = "clip.example.org"', "give an address such as"),
        ('public_url = "http://user:secret@clip.example.org"', "give an address such as"),
        ('public_url = "http://clip.example.org/?q=1"', "give an address such as"),
        ('public_url = "http://clip.example.org:99999"', "give an address such as"),
        ('public_url = "http://[::1"', "give an address such as"),
        ('public_url = "http://a b"', "give an address such as"),
        ('cluster = "http://head:10001"', "cluster in .*; give the host and port of the head of a Ray cluster"),
        ('cluster = "head"', "give the host and port"),
        ('cluster = "head:99999"', "give the host and port"),
        ('passcode = "   "', "passcode in .*; give what people can type"),
        ('operator_code = "short"', "operator_code in .*; give at least six characters"),
        ('passcode = "violet"\noperator_code = " violet "', "the passcode are the same"),
        ("kept_days = inf", "kept_days in .* is inf; give a number from 0 to"),
        ("kept_days = nan", "kept_days in .* is nan; give a number from 0 to"),
        ("session_pictures = 99999999999999999999", "session_pictures in .*; give a number from 0 to"),
        (f"abandon_seconds = {10**400}", "abandon_seconds in .*; give a number from 1 to"),
        ('home = "clipexplore.toml"', "is not a folder and cannot become one; set CLIPEXPLORE_HOME"),
    ],
)
def test_mistakes_in_the_file_are_told(folder, text, message):
    write(folder / "clipexplore.toml", text)
    with pytest.raises(InputError, match=message):
        read_settings({}, folder)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("JOBS_WAITING", "many", "CLIPEXPLORE_JOBS_WAITING is 'many'; give a whole number"),
        ("ABANDON_SECONDS", "0", "CLIPEXPLORE_ABANDON_SECONDS is 0.0; give a number from 1 to"),
        ("JOBS_WAITING", "٣", "is '٣'; give a whole number"),
        ("JOBS_WAITING", "1_0", "is '1_0'; give a whole number"),
        ("JOBS_WAITING", "9" * 5000, "9…'; give a whole number"),
        ("KEPT_DAYS", "inf", "is 'inf'; give a number"),
        ("KEPT_DAYS", "é", "is 'é'; give a number"),
        ("KEPT_DAYS", "1e999", "is inf; give a number from 0 to"),
        ("PASSCODE", "\t", "give what people can type"),
        ("ROOTS", "assets:gone", "gone in roots does not exist"),
    ],
)
def test_mistakes_in_the_environment_are_told(folder, variable, value, message):
    with pytest.raises(InputError, match=message):
        read_settings({f"CLIPEXPLORE_{variable}": value}, folder)


def test_values_of_every_type_are_read_from_both_places(folder):
    write(folder / "clipexplore.toml", 'roots = ["assets"]\njobs_waiting = 8\nabandon_seconds = 5\nlog_level = "DEBUG"')
    found = read_settings({}, folder)
    assert (found.roots, found.jobs_waiting, found.abandon_seconds, found.log_level) == (
        (folder / "assets",),
        8,
        5.0,
        "DEBUG",
    )
    found = read_settings(
        {"CLIPEXPLORE_ROOTS": "assets:other", "CLIPEXPLORE_JOBS_WAITING": "9", "CLIPEXPLORE_ABANDON_SECONDS": "2.5"},
        folder,
    )
    assert (found.roots, found.jobs_waiting, found.abandon_seconds) == ((folder / "assets", folder / "other"), 9, 2.5)


def test_a_root_may_be_an_address(folder):
    places = (folder / "assets", "s3://bucket/photos", folder / "other")
    write(folder / "clipexplore.toml", 'roots = ["assets", "s3://bucket/photos", "other"]')
    assert read_settings({}, folder).roots == places
    assert read_settings({"CLIPEXPLORE_ROOTS": "assets:s3://bucket/photos:other"}, folder).roots == places


def test_the_example_shows_every_key_at_its_default(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    example = Path(__file__).parent.parent / "clipexplore.example.toml"
    (folder / "own").mkdir()
    write(folder / "own/clipexplore.toml", example.read_text(encoding="utf-8"))
    assert read_settings({}, folder / "own") == read_settings({}, folder)
    told = set(re.findall(r"^(?:# )?(\w+) =", example.read_text(encoding="utf-8"), re.M))
    # where the assets are is for those who package the program
    assert told == {each.name for each in fields(Settings)} - {"assets"}


def test_a_file_that_is_not_text_is_told(folder):
    (folder / "clipexplore.toml").write_bytes(b"home = '\xff'")
    with pytest.raises(InputError, match="cannot be read"):
        read_settings({}, folder)


def test_a_named_file_must_exist(folder):
    with pytest.raises(InputError, match="CLIPEXPLORE_CONFIG names .*no.toml, which is not a file"):
        read_settings({"CLIPEXPLORE_CONFIG": "no.toml"}, folder)


def test_the_settings_of_the_process_are_read_once():
    assert settings() is settings()


def test_codes_are_kept_without_the_spaces_around_them_and_addresses_without_a_slash(folder):
    write(folder / "clipexplore.toml", 'passcode = " lion "\noperator_code = " violet-otter\\n"')
    found = read_settings({"CLIPEXPLORE_PUBLIC_URL": " https://clip.example.org:8443/ "}, folder)
    assert (found.passcode, found.operator_code) == ("lion", "violet-otter")
    assert found.public_url == "https://clip.example.org:8443"


def test_a_text_given_elsewhere_is_checked_alike():
    assert checked("passcode", " lion ") == "lion" and checked("passcode", "") == ""
    with pytest.raises(InputError, match="passcode is '  '; give what people can type"):
        checked("passcode", "  ")
