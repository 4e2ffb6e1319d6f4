"""Where the program finds what it ships, where it keeps what is made with it, and every limit an operator may move.

A mistake in the configuration is reported at the start, not when a visitor runs into it. What a link leaves out (the
model, the collection) is no setting: a default is part of the link format and the same on every server.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.paths import BUNDLE, is_address

CONFIG = "clipexplore.toml"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _number(default: float, least: float, most: float) -> Any:
    """A field for a number in [least, most]."""
    return field(default=default, metadata={"least": least, "most": most})


def _text(read: Callable[[str], str | None], rule: str) -> Any:
    """A field for a text that `read` gives as it is kept, or None if it breaks the rule; empty by default."""
    return field(default="", metadata={"read": read, "rule": rule})


def _address(text: str) -> str | None:
    """The address of a server without a slash at its end."""
    try:
        url = urlsplit(text.strip())
        parts_are_right = url.port != 0 and bool(url.hostname) and url.scheme in ("http", "https")
    except ValueError:
        return None
    is_plain = text.strip().isascii() and text.isprintable() and not any(c.isspace() for c in text.strip())
    alone = not (url.query or url.fragment or url.username or url.password) and url.path in ("", "/")
    return text.strip().rstrip("/") if parts_are_right and is_plain and alone else None


def _cluster(text: str) -> str | None:
    """Host and port of the head of a Ray cluster, or of its Ray Client."""
    host, _colon, port = text.strip().removeprefix("ray://").rpartition(":")
    is_plain = bool(re.fullmatch(r"[\w.-]+", host, re.ASCII))
    return text.strip() if is_plain and port.isascii() and port.isdigit() and 0 < int(port) <= 65_535 else None


def _passcode(text: str) -> str | None:
    """What somebody can type: nobody types the spaces around it."""
    return text.strip() if text.strip() and text.strip().isprintable() else None


def _code(text: str) -> str | None:
    return text.strip() if len(text.strip()) >= 6 and text.strip().isprintable() else None


@dataclass(frozen=True)
class Settings:
    """What the process goes by: each field is a key of the file, and its type is what the value must be.

    Folders are absolute. `home` holds everything visitors and operators make and need not exist yet; `assets` holds
    what is bundled. `clipexplore.example.toml` says what each key is for.
    """

    home: Path = Path("~/.clipexplore")
    assets: Path = BUNDLE / "assets"
    roots: tuple[Path | str, ...] = ()
    public_url: str = _text(_address, 'an address such as "https://clip.example.org" or "http://192.168.1.20:8501"')
    passcode: str = _text(_passcode, "what people can type, not only spaces")
    operator_code: str = _text(_code, "at least six characters that you can type")
    log_level: str = field(default="INFO", metadata={"among": LEVELS})
    session_pictures: int = _number(500, 0, 10**9)
    session_megabytes: int = _number(300, 0, 10**7)
    uploads_megabytes: int = _number(600, 0, 10**7)
    free_megabytes: int = _number(500, 0, 10**7)
    kept_days: float = _number(90.0, 0, 100_000)
    walk_steps: int = _number(48_000, 1, 10**9)
    jobs_waiting: int = _number(64, 1, 10_000)
    abandon_seconds: float = _number(20.0, 1, 86_400)
    ask_seconds: float = _number(60.0, 0, 10**9)
    cluster: str = _text(
        _cluster, 'the host and port of the head of a Ray cluster, such as "10.0.0.5:6379" or "ray://10.0.0.5:10001"'
    )
    models: tuple[dict, ...] = ()
    downloads: bool = False
    safety_checker: str = field(default="auto", metadata={"among": ("auto", "on", "off")})


@cache
def settings() -> Settings:
    """The settings of this process: read once, from the environment and the working folder (see `read_settings`)."""
    return read_settings(os.environ, Path.cwd())


def read_settings(environ: Mapping[str, str], folder: Path) -> Settings:
    """Settings from the configuration file and the environment.

    A variable (`CLIPEXPLORE_` and the key in capitals, such as `CLIPEXPLORE_HOME`) wins over the file, the file over
    the default. The file is `clipexplore.toml` in `folder`, or the one that `CLIPEXPLORE_CONFIG` names; paths in it are
    relative to it, paths in the environment to `folder`. Several paths in a variable are separated as in `PATH`.

    Raises
    ------
    InputError
        For a named file that does not exist, anything that is not TOML, an unknown key, a value of another type or out
        of range, an `assets` folder or a root that does not exist, a `home` that is a file.
    """
    config = _config_path(environ, folder)
    values = _read_toml(config)
    given: dict[str, Any] = {}
    for each in fields(Settings):
        variable = f"CLIPEXPLORE_{each.name.upper()}"
        if text := environ.get(variable):
            given[each.name] = _checked(each, _from_text(each, text), variable, folder)
        elif each.name in values:
            given[each.name] = _checked(each, values[each.name], f"{each.name} in {config}", config.parent)
        elif each.type is Path:
            given[each.name] = Path(str(each.default)).expanduser().resolve()
    result = Settings(**given)
    _check_folders(result)
    return result


def _config_path(environ: Mapping[str, str], folder: Path) -> Path:
    named = environ.get("CLIPEXPLORE_CONFIG")
    path = folder / Path(named or CONFIG).expanduser()
    if named and not path.is_file():
        raise InputError(
            _("CLIPEXPLORE_CONFIG names {path}, which is not a file; correct the path or unset it.").format(path=path)
        )
    return path


def _read_toml(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            _("The configuration {path} cannot be read: {error}; correct it or remove it.").format(
                path=path, error=error
            )
        ) from error
    known = [each.name for each in fields(Settings)]
    for key in values:
        if key not in known:
            raise InputError(
                _("The configuration {path} has the unknown key {key!r}; known are {known}.").format(
                    path=path, key=key, known=", ".join(known)
                )
            )
    return values


def _from_text(each: Field, text: str) -> object:
    """A value of the environment as the file would hold it; what cannot be read stays text, and is told of as such."""
    if each.type is int:
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
    if each.type is float:
        return float(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]*)?(e-?[0-9]+)?", text) else text
    if each.type is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    return re.split(rf"{os.pathsep}(?!//)", text) if each.type == tuple[Path | str, ...] else text


def checked(name: str, text: str) -> str:
    """A text that was given elsewhere, such as on the command line, as the setting of that name is kept.

    Raises
    ------
    InputError
        If it breaks the setting's rule.
    """
    (each,) = (each for each in fields(Settings) if each.name == name)
    return str(_checked(each, text, name, Path.cwd()))


def _checked(each: Field, value: object, where: str, folder: Path) -> object:
    """The value of a field, as its type; `where` it was given is named if it is none."""
    reader, rule = _READERS[each.type]
    result, rules = reader(value, folder), each.metadata
    if result and "read" in rules:
        result, rule = rules["read"](result), rules["rule"]
    if "among" in rules and result not in rules["among"]:
        result, rule = None, _("one of {names}").format(names=", ".join(rules["among"]))
    if result is not None and "least" in rules and not rules["least"] <= result <= rules["most"]:
        result, rule = None, _("a number from {least:,} to {most:,}").format(least=rules["least"], most=rules["most"])
    if result is None:
        raise InputError(_("{where} is {value!r}; give {rule}.").format(where=where, value=_short(value), rule=rule))
    return float(result) if each.type is float else result


def _short(value: object) -> object:
    return value[:100] + "…" if isinstance(value, str) and len(value) > 100 else value


def _path(value: object, folder: Path) -> Path | None:
    if not isinstance(value, str) or not value or "\0" in value:
        return None
    try:
        return (folder / Path(value).expanduser()).resolve()
    except (OSError, RuntimeError):  # a loop of links, a user that does not exist
        return None


def _places(value: object, folder: Path) -> tuple[Path | str, ...] | None:
    """Folders, and addresses as they are."""
    each_of = value if isinstance(value, list) else [None]
    paths = [each if isinstance(each, str) and is_address(each) else _path(each, folder) for each in each_of]
    return tuple(path for path in paths if path) if None not in paths else None


def _tables(value: object, folder: Path) -> tuple[dict, ...] | None:
    """Tables as they are, and in each under "folder" the one that relative paths in it start from."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    return tuple({**each, "folder": folder} for each in value)


def _is_number(value: object, kinds: type | tuple) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


# For each type: the value read, or None for what is none of it, and the rule in words.
_READERS: dict[Any, tuple[Callable[[Any, Path], Any], str]] = {
    Path: (_path, "the path of a folder in quotes"),
    tuple[Path | str, ...]: (_places, 'a list of folders, such as ["/data/photos"]'),
    str: (lambda value, folder: value if isinstance(value, str) else None, "a text in quotes"),
    bool: (lambda value, folder: value if isinstance(value, bool) else None, "true or false"),
    tuple[dict, ...]: (lambda value, folder: _tables(value, folder), "tables, each under a line [[models]]"),
    int: (lambda value, folder: value if _is_number(value, int) else None, "a whole number"),
    float: (lambda value, folder: value if _is_number(value, (int, float)) else None, "a number"),
}


def _check_folders(result: Settings) -> None:
    if not result.assets.is_dir():
        raise InputError(
            _("The assets folder {path} does not exist; set CLIPEXPLORE_ASSETS to where it is.").format(
                path=result.assets
            )
        )
    # what the kernel shows as files keeps nothing
    if not first_there(result.home).is_dir() or result.home.parts[:2] in (("/", "proc"), ("/", "sys")):
        raise InputError(
            _(
                "The data directory {path} is not a folder and cannot become one; set CLIPEXPLORE_HOME to another."
            ).format(path=result.home)
        )
    for root in result.roots:
        if isinstance(root, Path) and not root.is_dir():
            raise InputError(
                _("The folder {path} in roots does not exist; correct CLIPEXPLORE_ROOTS or the configuration.").format(
                    path=root
                )
            )
    if result.operator_code and result.operator_code == result.passcode:
        raise InputError(
            _("The operator code and the passcode are the same, so every visitor would be the operator; change one.")
        )


def first_there(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())
