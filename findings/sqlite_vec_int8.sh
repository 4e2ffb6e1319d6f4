#!/usr/bin/env bash
# vec_quantize_int8 of sqlite-vec is not symmetric: 1 becomes 126, -1 becomes -128, and so v and -v are no opposites.
# Seen with sqlite-vec 0.1.9 through apsw 3.54.1.0 on 2026-11-30. Guessed: round(127 x), as other quantisations of unit vectors do.
# Seen: [-1, 1] is laid over [-128, 127] and the rest cut off: .5 becomes 63, -.5 becomes -64.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sqlite-vec==0.1.9 apsw==3.54.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import apsw
import numpy as np
import sqlite_vec

db = apsw.Connection(":memory:")
db.enable_load_extension(True)
db.load_extension(sqlite_vec.loadable_path())
vector = np.array([0, 1, -1, 0.5, -0.5], np.float32)
((found,),) = db.execute("select vec_quantize_int8(?, 'unit')", [vector.tobytes()])
print(vector, np.frombuffer(found, np.int8))
assert np.frombuffer(found, np.int8).tolist() == [0, 126, -128, 63, -64]
PY
