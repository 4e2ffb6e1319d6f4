"""Where the files are that ship with the library: `app.py`, `pages/`, `assets/`, `locale/` and `.streamlit/`."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "bundle"

#: The folder that holds them: the checkout, or `clipexplore/bundle` where installed (see pyproject.toml).
BUNDLE = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1]
