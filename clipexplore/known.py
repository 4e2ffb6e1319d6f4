"""What a small model has learned, told from what it was never taught: texts by a list of what it was trained on,
pictures by how they are drawn.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

KNOWN = "known.txt.gz"
SIDE, EVEN, DRAWN = 72, 1, 0.34  # of a thousand held-out scenes, eight are below the last
_ENDINGS = (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""), ("'s", ""))


@dataclass(frozen=True)
class Known:
    """The texts that a model was trained on."""

    texts: frozenset[str]

    @classmethod
    def load(cls, folder: Path | str) -> Known | None:
        """What lies beside a model's weights; None where it is not known, as of a model that has read everything."""
        path = Path(folder) / KNOWN
        return cls(frozenset(gzip.decompress(path.read_bytes()).decode().splitlines())) if path.is_file() else None

    def save(self, folder: Path | str) -> None:
        (Path(folder) / KNOWN).write_bytes(gzip.compress("\n".join(sorted(self.texts)).encode(), mtime=0))

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of texts in Latin letters without accents and in digits, and texts in other scripts as a whole."""
        return self.texts.union(*(words_of(text) for text in self.texts if text.isascii()))

    def strangers(self, text: str) -> tuple[str, ...]:
        """The words of a text that were never learned, each once; none of a text that was learned as it stands, and
        plural forms are known with their word.
        """
        cleaned = " ".join(text.lower().replace("’", "'").split())
        words = () if cleaned in self.texts else dict.fromkeys(words_of(cleaned))
        return tuple(word for word in words if not self._knows(word))

    def share(self, text: str) -> float:
        """How much of a text was learned, in [0, 1]: of its different words; 0 of one without words."""
        different = len(set(words_of(text.lower())))
        return 1 - len(self.strangers(text)) / different if different else float(text in self.texts)

    def __contains__(self, text: str) -> bool:
        """Whether everything in a text was learned."""
        return self.share(text) == 1

    def _knows(self, word: str) -> bool:
        stems = (word.removesuffix(ending) + instead for ending, instead in _ENDINGS if word.endswith(ending))
        return not self.words.isdisjoint((word, *stems))


def strangers_to(folder: Path, text: str) -> tuple[str, ...] | None:
    """The `Known.strangers` of a text to the model in a folder; None where nobody says what that has learned."""
    known = _loaded(folder)
    return None if known is None else known.strangers(text)


_loaded = lru_cache(maxsize=8)(Known.load)


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, with what an apostrophe or a hyphen joins to them; every emoji counts as a word."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s,.;:!?'\"()-]+", text)


def evenness(picture: Image.Image) -> float:
    """The share of pixels that differ from their left neighbour by at most one level of 255, at 72 × 72, in [0, 1].

    Scenes of Emoji World stand on grounds whose rows are of one colour, half of a picture and more; grain and shading
    leave hardly any of that in photographs.
    """
    levels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.int16)
    return float((np.abs(np.diff(levels, axis=1)).max(2) <= EVEN).mean())


def is_drawn(picture: Image.Image) -> bool:
    """Whether a picture is of Emoji World's kind, and no photograph."""
    return evenness(picture) >= DRAWN
