#!/usr/bin/env bash
# A parallel function of Numba changes how many threads torch computes with in the thread that calls it.
# Seen with numba 0.68.1 and torch 2.13.0 on Linux, OMP_NUM_THREADS=1, NUMBA_NUM_THREADS=2, on 2026-11-30.
# Guessed: OMP_NUM_THREADS=1 holds for torch, whatever Numba does with threads of its own.
# Seen: both use one libgomp, Numba starts by setting its number of threads, and torch has two from then on in that
# thread, one in others: the same multiplication differs in its last bits from thread to thread, after a fit of UMAP too.
# Exits with an error if that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numba==0.68.1
cd "$folder"
OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=2 NUMBA_THREADING_LAYER=omp "$folder/venv/bin/python" - <<'PY'
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit, prange


@njit(parallel=True)
def total(x):
    found = 0.0
    for i in prange(len(x)):
        found += x[i]
    return found


before = torch.get_num_threads()
total(np.ones(1000))
with ThreadPoolExecutor(1) as other:
    print("torch's threads before, after, in another thread:", before, torch.get_num_threads(), other.submit(torch.get_num_threads).result())
    assert (before, torch.get_num_threads(), other.submit(torch.get_num_threads).result()) == (1, 2, 1)
PY
