#!/usr/bin/env bash
# A usearch index keeps float32 vectors in bfloat16 unless it is told otherwise; what comes out is not what went in.
# Seen with usearch 2.26.6, numpy 2.4.6 on 2026-11-29. Guessed: the default is float32, and get() returns what was added.
# Seen: Index(ndim).dtype is BF16; get() gives float32 numbers that differ in the third digit.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q usearch==2.26.6 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from usearch.index import Index

vector = np.random.default_rng(0).normal(size=512).astype(np.float32)
index = Index(ndim=512, metric="cos")
index.add(1, vector)
back = index.get(1)
print(index.dtype, back.dtype, "largest difference", np.abs(back - vector).max())
assert "BF16" in str(index.dtype) and back.dtype == np.float32 and 1e-4 < np.abs(back - vector).max() < 2e-2
PY
