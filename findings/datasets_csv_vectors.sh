#!/usr/bin/env bash
# Dataset.to_csv cuts vectors of more than 1,000 numbers short: they are written as NumPy prints them, with three dots, without a word.
# Seen with datasets 5.2.0, pandas 3.1.1, numpy 2.4.6 on 2026-12-01. Guessed: all numbers, as JSON or as a list of Python.
# Seen: of 1,024 numbers six are left, "[0.000e+00 1.000e+00 2.000e+00 ... 1.023e+03]"; 512 are whole, over several lines; to_json loses nothing.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import csv

from datasets import Dataset

for dim in (512, 1024):
    made = Dataset.from_dict({"vector": [[float(number) for number in range(dim)]]})
    made.to_csv("vectors.csv")
    with open("vectors.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    cell = row["vector"]
    print(dim, "numbers:", len(cell), "characters,", repr(cell[-40:]))
    assert ("..." in cell) == (dim > 1000)
    assert "," not in cell and ("\n" in cell) == (dim <= 1000)
    made.to_json("vectors.json")
    assert len(Dataset.from_json("vectors.json")[0]["vector"]) == dim
PY
