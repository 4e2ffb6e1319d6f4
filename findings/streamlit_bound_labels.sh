#!/usr/bin/env bash
# A selectbox bound to the address stands in it by what `format_func` shows, not by its option: a link made in one
# language is lost in another.
# Seen with streamlit 1.67.0 on 2026-11-30. Guessed: `?place=snow`, since session state holds the option.
# Seen: `?place=Schnee` is taken and gives the option "snow"; `?place=snow` is dropped from the address, without a word,
# and the default is shown.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q streamlit==1.67.0
cd "$folder"
cat >app.py <<'PY'
import streamlit as st

shown = {"jungle": "Dschungel", "snow": "Schnee"}
st.selectbox("Place", list(shown), format_func=shown.get, key="place", bind="query-params")
PY
"$folder/venv/bin/python" - <<'PY'
from streamlit.testing.v1 import AppTest


def opened(value: str) -> tuple[str, dict]:
    app = AppTest.from_file("app.py")
    app.query_params["place"] = value
    app.run()
    assert not app.exception
    return app.session_state["place"], dict(app.query_params)


by_label, by_option = opened("Schnee"), opened("snow")
print(by_label, by_option)
assert by_label[0] == "snow" and "place" in by_label[1]
assert by_option == ("jungle", {})
PY
