#!/usr/bin/env bash
# sklearn.preprocessing.normalize works in float16 when given float16: vectors longer than 256 become all zeros.
# Seen with scikit-learn 1.9.1, numpy 2.4.6 on 2026-11-29. Guessed: it computes in float64 and returns float64, as most of scikit-learn does.
# Seen: the result is float16; a row of norm 300 is divided by an infinite norm, without a warning.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
from sklearn.preprocessing import normalize

warnings.simplefilter("error")
rows = np.stack([np.full(512, 1.0), np.full(512, 300 / 512**0.5)]).astype(np.float16)
unit = normalize(rows)
lengths = np.linalg.norm(unit.astype(np.float64), axis=1)
print("norms", np.linalg.norm(rows.astype(np.float64), axis=1), "normalised in", unit.dtype, "to", lengths)
assert unit.dtype == np.float16 and abs(lengths[0] - 1) < 0.01 and lengths[1] == 0
PY
