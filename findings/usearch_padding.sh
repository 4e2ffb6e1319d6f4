#!/usr/bin/env bash
# A batch search of usearch for more neighbours than there are fills the missing keys with 0, which is a key like any other.
# Seen with usearch 2.26.6, numpy 2.4.6 on 2026-11-29. Guessed: the missing keys are -1, or the answer has fewer columns.
# Seen: keys 5 6 7 0 0 although no vector has the key 0; only counts and distances (nan) say so.
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

random = np.random.default_rng(0)
index = Index(ndim=8, metric="cos")
index.add(np.array([5, 6, 7]), random.normal(size=(3, 8)).astype(np.float32))
found = index.search(random.normal(size=(2, 8)).astype(np.float32), 5)
print(found.keys, found.distances, found.counts, sep="\n")
assert 0 not in index and (found.keys[:, 3:] == 0).all() and np.isnan(found.distances[:, 3:]).all()
assert found.counts.tolist() == [3, 3]
PY
