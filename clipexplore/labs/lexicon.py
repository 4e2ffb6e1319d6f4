"""All that texts alone say about words: counts, LSA and PPMI, learned together, cut in rank, and kept in a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from clipexplore.labs.semantics import Lsa, Terms, WordSpace, cooccurrence, factorized, lsa, ppmi, term_document


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Texts and what was made of them. `window` and `rank` are those of `ppmi`, and `rank` of both."""

    texts: Sequence[str]
    terms: Terms
    lsa: Lsa
    ppmi: WordSpace
    window: int
    rank: int

    def cut(self, rank: int) -> Lexicon:
        """The same at a lower rank: of singular triplets, the largest come first."""
        values = self.lsa.singular_values[:rank]
        words = self.lsa.space.vectors[:, :rank]
        kept = float((values**2).sum() / self.lsa.weights.power(2).sum())
        lower = Lsa(WordSpace(self.terms.words, words), self.lsa.texts[:, :rank], self.lsa.weights, values, kept)
        return replace(self, lsa=lower, ppmi=WordSpace(self.terms.words, self.ppmi.vectors[:, :rank]), rank=rank)

    def save(self, path: Path) -> None:
        """Writes it, without its texts, as an NPZ file of plain arrays."""
        found = self.lsa
        # which then stand in the same places
        counts, weights = (self.terms.counts.sorted_indices(), found.weights.sorted_indices())
        np.savez_compressed(
            path,
            texts=_digest(self.texts),
            words=np.array(self.terms.words),
            shape=counts.shape,
            counts=counts.data,
            columns=counts.indices,
            rows=counts.indptr,
            weights=weights.data,
            positions=np.concatenate(self.terms.positions),
            lengths=[len(each) for each in self.terms.positions],
            values=found.singular_values,
            lsa=found.space.vectors,
            ppmi=self.ppmi.vectors,
            window=self.window,
        )

    @classmethod
    def load(cls, path: Path, texts: Sequence[str]) -> Lexicon | None:
        """The lexicon of these texts that a file holds; None where there is no file, or it is of other texts."""
        from scipy.sparse import csr_array

        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as file:
            if file["texts"] != _digest(texts):
                return None
            of = {name: file[name] for name in file.files}
        counts, weights = (
            csr_array((of[name], of["columns"], of["rows"]), shape=of["shape"]) for name in ("counts", "weights")
        )
        terms = Terms(of["words"].tolist(), counts, np.split(of["positions"], np.cumsum(of["lengths"])[:-1]))
        directions = of["lsa"] / of["values"].astype(np.float32)
        kept = float((of["values"] ** 2).sum() / weights.power(2).sum())
        found = Lsa(
            WordSpace(terms.words, of["lsa"]), (weights @ directions).astype(np.float32), weights, of["values"], kept
        )
        return cls(texts, terms, found, WordSpace(terms.words, of["ppmi"]), int(of["window"]), len(of["values"]))


def learn(
    texts: Sequence[str],
    window: int = 4,
    rank: int = 100,
    terms: Terms | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> Lexicon:
    """What texts say about words.

    Parameters
    ----------
    window
        How many places apart two words may stand to be counted as near, for PPMI.
    rank
        Of both factorisations; lowered where there are fewer words or texts.
    terms
        The counts of the texts, where they are known already.
    report
        Is told now and then which share of the work is done.

    Raises
    ------
    InputError
        When fewer than two words occur in three texts, and for a window or a rank below 1.
    """
    terms = terms or term_document(texts)
    rank = min(rank, *(side - 1 for side in terms.counts.shape))
    report(0.4)
    found = lsa(terms, rank)
    report(0.7)
    return Lexicon(texts, terms, found, factorized(ppmi(cooccurrence(terms, window)), terms.words, rank), window, rank)


def _digest(texts: Sequence[str]) -> str:
    return blake2b("\n".join(texts).encode(), digest_size=8).hexdigest()
