#!/usr/bin/env bash
# One loose picture beside the class folders takes the labels of all others away in datasets' imagefolder.
# Seen with datasets 5.2.0, pillow 13.0.0 on 2026-11-29. Guessed: the loose picture has no label (None), the others keep theirs.
# Seen: with one picture outside the class folder there is no column label at all, and no warning.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 pillow==13.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from pathlib import Path

import datasets
from PIL import Image

datasets.disable_progress_bars()
columns = []
for loose in (False, True):
    folder = Path("loose" if loose else "tidy")
    for name in ("cat/1.png", "dog/1.png", *(["2.png"] if loose else [])):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    made = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir="cache")
    columns.append(made.column_names)
    print("with a loose picture" if loose else "class folders alone", made.column_names)
assert columns == [["image", "label"], ["image"]]
PY
