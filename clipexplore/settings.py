"""Where the program finds what it ships, where it keeps what is made with it, and every limit an operator may move.

Separate because everything that touches the disk asks here, and because a mistake in the configuration is told at
start, not when a visitor runs into it. What a link leaves out (the model, the collection) is no setting: a default is
part of the link format and the same on every server.
"""

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

from clipexplore.errors import InputError

CONFIG = "clipexplore.toml"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _number(default: float, least: float, most: float = math.inf):
    """A field for a number in [least, most]."""
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Settings:
    """What the process goes by: each field is a key of the file, and its type is what the value must be.

    Folders are absolute. `home` holds everything visitors and operators make and need not exist yet; `assets` holds
    what is bundled. `clipexplore.example.toml` says what each key is for.
    """

    home: Path = Path("~/.clipexplore")
    assets: Path = Path(__file__).parent.parent / "assets"
    roots: tuple[Path, ...] = ()
    public_url: str = ""
    passcode: str = ""
    log_level: str = field(default="INFO", metadata={"among": LEVELS})
    session_pictures: int = _number(500, 0)
    session_megabytes: int = _number(300, 0)
    uploads_megabytes: int = _number(3000, 0)
    kept_days: float = _number(90.0, 0)
    jobs_waiting: int = _number(64, 1)
    abandon_seconds: float = _number(20.0, 1)
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
    found = {}
    for each in fields(Settings):
        variable = f"CLIPEXPLORE_{each.name.upper()}"
        if given := environ.get(variable):
            found[each.name] = _checked(each, _from_text(each, given), variable, folder)
        elif each.name in values:
            found[each.name] = _checked(each, values[each.name], f"{each.name} in {config}", config.parent)
        elif each.type is Path:
            found[each.name] = each.default.expanduser().resolve()
    result = Settings(**found)
    _check_folders(result)
    return result


def _config_path(environ: Mapping[str, str], folder: Path) -> Path:
    named = environ.get("CLIPEXPLORE_CONFIG")
    path = folder / Path(named or CONFIG).expanduser()
    if named and not path.is_file():
        raise InputError(f"CLIPEXPLORE_CONFIG names {path}, which is not a file; correct the path or unset it.")
    return path


def _read_toml(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The configuration {path} cannot be read: {error}; correct it or remove it.") from error
    known = [each.name for each in fields(Settings)]
    for key in values:
        if key not in known:
            raise InputError(f"The configuration {path} has the unknown key {key!r}; known are {', '.join(known)}.")
    return values


def _from_text(each, text: str) -> object:
    """A value of the environment as the file would hold it; what cannot be read stays text, and is told of as such."""
    if each.type in (int, float):
        try:
            return each.type(text)
        except ValueError:
            return text
    if each.type is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    return text.split(os.pathsep) if each.type == tuple[Path, ...] else text


def _checked(each, value: object, where: str, folder: Path) -> object:
    """The value of a field, as its type; `where` it was given is said if it is none."""
    reader, rule = _READERS[each.type]
    read, among = reader(value, folder), each.metadata.get("among")
    if read is None or among and read not in among:
        raise InputError(f"{where} is {value!r}; give {'one of ' + ', '.join(among) if among else rule}.")
    least, most = each.metadata.get("least"), each.metadata.get("most")
    if least is not None and not least <= read <= most:
        raise InputError(f"{where} is {value!r}; give a number of at least {least}{f' and at most {most}' if most < math.inf else ''}.")
    return read


def _path(value: object, folder: Path) -> Path | None:
    return (folder / Path(value).expanduser()).resolve() if isinstance(value, str) and value else None


def _paths(value: object, folder: Path) -> tuple[Path, ...] | None:
    found = [_path(each, folder) for each in value] if isinstance(value, list) else [None]
    return None if None in found else tuple(found)


def _tables(value: object, folder: Path) -> tuple[dict, ...] | None:
    """Tables as they are, and in each under "folder" the one that relative paths in it start from."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    return tuple({**each, "folder": folder} for each in value)


def _is_number(value: object, kinds: type | tuple) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


# For each type: the value read, or None for what is none of it, and the rule in words.
_READERS = {
    Path: (_path, "the path of a folder in quotes"),
    tuple[Path, ...]: (_paths, 'a list of folders, such as ["/data/photos"]'),
    str: (lambda value, folder: value if isinstance(value, str) else None, "a text in quotes"),
    bool: (lambda value, folder: value if isinstance(value, bool) else None, "true or false"),
    tuple[dict, ...]: (lambda value, folder: _tables(value, folder), "tables, each under a line [[models]]"),
    int: (lambda value, folder: value if _is_number(value, int) else None, "a whole number"),
    float: (lambda value, folder: float(value) if _is_number(value, (int, float)) else None, "a number"),
}


def _check_folders(found: Settings) -> None:
    if not found.assets.is_dir():
        raise InputError(f"The assets folder {found.assets} does not exist; set CLIPEXPLORE_ASSETS to where it is.")
    if found.home.exists() and not found.home.is_dir():
        raise InputError(f"The data directory {found.home} is a file; set CLIPEXPLORE_HOME to a folder.")
    for root in found.roots:
        if not root.is_dir():
            raise InputError(f"The folder {root} among the roots does not exist; correct CLIPEXPLORE_ROOTS or the configuration.")
