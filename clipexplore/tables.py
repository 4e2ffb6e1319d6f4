"""Tables and arrays as files that spreadsheets and NumPy read."""

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np


def csv_file(header: Sequence[str], rows: Iterable[Sequence[object]], encoding: str = "utf-8-sig") -> bytes:
    """A table as CSV, as spreadsheets read it; texts of visitors have to be made `harmless` before."""
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode(encoding)


def npy_file(array: np.ndarray) -> bytes:
    """An array as NPY."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def harmless(cell: str) -> str:
    """The text, with a quote before it where a spreadsheet would take it for a formula."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
