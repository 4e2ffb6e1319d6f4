#!/usr/bin/env bash
# Importing pynndescent, as umap-learn does, undoes NUMBA_THREADING_LAYER=omp: Numba then uses its work queue, which two
# threads may not enter at once.
# Seen with pynndescent 0.7.0, numba 0.68.1 on Linux without tbb, on 2026-11-30. Guessed: what the environment says holds.
# Seen: with "omp" in the environment the layer is "workqueue", and with nothing there it is "omp".
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pynndescent==0.7.0 numba==0.68.1
cd "$folder"
cat > layer.py <<'PY'
import numpy as np
import pynndescent
from numba import njit, prange, threading_layer


@njit(parallel=True)
def total(x):
    found = 0.0
    for i in prange(len(x)):
        found += x[i]
    return found


total(np.ones(1000))
print(threading_layer())
PY
asked=$(NUMBA_THREADING_LAYER=omp "$folder/venv/bin/python" layer.py)
silent=$(env -u NUMBA_THREADING_LAYER "$folder/venv/bin/python" layer.py)
echo "omp asked for: $asked; nothing asked for: $silent"
[ "$asked" = workqueue ] && [ "$silent" = omp ]
