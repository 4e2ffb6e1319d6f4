"""Where the program finds what it ships and keeps what is made with it.

Separate because everything that touches the disk asks here, and because a mistake in the configuration is told at
start, not when a visitor runs into it. What a link leaves out (the model, the collection) is no setting: a default is
part of the link format and the same on every server.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from clipexplore.errors import InputError

CONFIG = "clipexplore.toml"
_DEFAULTS = {"home": Path("~/.clipexplore"), "assets": Path(__file__).parent.parent / "assets"}


@dataclass(frozen=True)
class Settings:
    """The folders in use, absolute.

    `home` holds everything visitors and operators make and need not exist yet; `assets` holds what is bundled.
    """

    home: Path
    assets: Path


@cache
def settings() -> Settings:
    """The settings of this process: read once, from the environment and the working folder (see `read_settings`)."""
    return read_settings(os.environ, Path.cwd())


def read_settings(environ: Mapping[str, str], folder: Path) -> Settings:
    """Settings from the configuration file and the environment.

    A variable (`CLIPEXPLORE_HOME`, `CLIPEXPLORE_ASSETS`) wins over the file, the file over the default. The file is
    `clipexplore.toml` in `folder`, or the one that `CLIPEXPLORE_CONFIG` names; paths in it are relative to it, paths
    in the environment to `folder`.

    Raises
    ------
    InputError
        For a named file that does not exist, anything that is not TOML, an unknown key, a value that is no text, an
        `assets` folder that does not exist, a `home` that is a file.
    """
    config = _config_path(environ, folder)
    values = {key: config.parent / Path(value).expanduser() for key, value in _read_toml(config).items()}
    for key in _DEFAULTS:
        if value := environ.get(f"CLIPEXPLORE_{key.upper()}"):
            values[key] = folder / Path(value).expanduser()
    found = Settings(**{key: (values.get(key) or path.expanduser()).resolve() for key, path in _DEFAULTS.items()})
    _check(found)
    return found


def _config_path(environ: Mapping[str, str], folder: Path) -> Path:
    named = environ.get("CLIPEXPLORE_CONFIG")
    path = folder / Path(named or CONFIG).expanduser()
    if named and not path.is_file():
        raise InputError(f"CLIPEXPLORE_CONFIG names {path}, which is not a file; correct the path or unset it.")
    return path


def _read_toml(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The configuration {path} cannot be read: {error}; correct it or remove it.") from error
    known = [field.name for field in fields(Settings)]
    for key, value in values.items():
        if key not in known:
            raise InputError(f"The configuration {path} has the unknown key {key!r}; known are {', '.join(known)}.")
        if not isinstance(value, str) or not value:
            raise InputError(f'{key} in {path} is {value!r}; give the path of a folder, as {key} = "…".')
    return values


def _check(found: Settings) -> None:
    if not found.assets.is_dir():
        raise InputError(f"The assets folder {found.assets} does not exist; set CLIPEXPLORE_ASSETS to where it is.")
    if found.home.exists() and not found.home.is_dir():
        raise InputError(f"The data directory {found.home} is a file; set CLIPEXPLORE_HOME to a folder.")
