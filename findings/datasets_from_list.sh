#!/usr/bin/env bash
# Dataset.from_list takes its columns from the first row alone; what only later rows have is gone without a word.
# Seen with datasets 5.2.0 on 2026-11-29. Guessed: the column is there, with None in the first row.
# Seen: a caption that the second row has and the first has not is lost.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from datasets import Dataset

made = Dataset.from_list([{"id": 1}, {"id": 2, "caption": "a cat"}])
print(made.column_names, made[:])
assert made.column_names == ["id"]
assert Dataset.from_list([{"id": 2, "caption": "a cat"}, {"id": 1}])[:]["caption"] == ["a cat", None]
PY
