#!/usr/bin/env bash
# A voyager index in Float8 puts a unit vector of 512 dimensions .12 to .15 away from itself by cosine distance.
# Seen with voyager 2.2.3, numpy 2.4.6 on 2026-11-30. Guessed: within .01, as rounding to 8 bits gives.
# Seen: a number is cut towards zero to a multiple of 1/127, which is a sixth of a component of such a vector, and the
# stored vector is not normalised again; order hardly suffers, but a threshold means something else for each dimension.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q voyager==2.2.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from voyager import Index, Space, StorageDataType


def to_itself(dim: int, kind: StorageDataType) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(1000, dim)).astype(np.float32)
    index = Index(Space.Cosine, dim, storage_data_type=kind)
    index.add_items(x)
    return index.query(x, 1, query_ef=400)[1]


for dim in (64, 512):
    for kind in (StorageDataType.Float32, StorageDataType.Float8, StorageDataType.E4M3):
        print(dim, kind, to_itself(dim, kind).min(), to_itself(dim, kind).max())
assert abs(to_itself(512, StorageDataType.Float32)).max() < 1e-5
assert 0.03 < to_itself(64, StorageDataType.Float8).min() and to_itself(64, StorageDataType.Float8).max() < 0.08
assert 0.1 < to_itself(512, StorageDataType.Float8).min() and to_itself(512, StorageDataType.Float8).max() < 0.25
assert to_itself(512, StorageDataType.E4M3).min() < 0, "and E4M3 puts some nearer than they are to themselves"

index = Index(Space.Cosine, 2, storage_data_type=StorageDataType.Float8)
index.add_item(np.array([3, 4], np.float32))
assert np.allclose(index.get_vector(0) * 127, [76, 101])  # of .6 and .8, which are 76.2 and 101.6 of 127
PY
