#!/usr/bin/env bash
# safetensors.numpy.save writes arrays that are not contiguous as if they were: other numbers come back, without a word.
# Seen with safetensors 0.8.0, numpy 2.4.6 on 2026-11-29. Guessed: they are copied first, so that the values survive.
# Seen: of arange(10)[::2] the numbers 0 1 2 3 4 come back, not 0 2 4 6 8; a transposed matrix comes back as another one.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from safetensors.numpy import load, save

rows = np.arange(10, dtype=np.float32)
matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
back = load(save({"every second": rows[::2], "transposed": matrix.T}))
print("saved ", rows[::2], matrix.T.tolist())
print("loaded", back["every second"], back["transposed"].tolist())
assert back["every second"].tolist() == [0, 1, 2, 3, 4]
assert back["transposed"].shape == (3, 2) and not np.array_equal(back["transposed"], matrix.T)
PY
