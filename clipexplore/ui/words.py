"""Words' drawing: one question to three kinds of word vectors, texts that share no word with it, and the matrix."""

from hashlib import blake2b

import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.words import Answer, Words, bundled, learned, lines_of
from clipexplore.labs.lexicon import Lexicon
from clipexplore.labs.semantics import Near
from clipexplore.language import _, numeral

from .markdown import escape
from .plots import bars, matrix
from .progress import awaited
from .session import space

MAX_BYTES, MAX_TEXTS = 5_000_000, 50_000  # of a file of the visitor


def corpus_box() -> list[str] | None:
    """The lines of a file of the visitor's to learn from; None without one, for the background captions."""
    file = st.file_uploader(
        _("A text file, one text a line"),
        type=["txt"],
        key="texts",
        help=_("Plain text in UTF-8, up to 5 MB. Without a file, the 10,000 background captions are read."),
    )
    if file is None:
        return None
    if file.size > MAX_BYTES:
        message = _("The file has {size:,} bytes and may have {most:,}; use a part of it.")
        raise InputError(message.format(size=file.size, most=MAX_BYTES))
    lines = lines_of(file.getvalue())
    if len(lines) > MAX_TEXTS:
        says = _("There are {count} lines and {most} are allowed; the rest is left out.")
        st.warning(says.format(count=len(lines), most=MAX_TEXTS))
    return lines[:MAX_TEXTS]


def lexicon(texts: list[str] | None, window: int, rank: int) -> Lexicon | None:
    """The word vectors of texts, or of the background captions; None, with progress shown, while they are learned."""
    here = space()
    if found := bundled(here, window, rank, texts):
        return found
    lines = here.background.captions if texts is None else texts
    name = blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
    return awaited(lambda job: learned(here, window, rank, texts, job.report), ("words", name, window, rank), "words")


def say_lexicon(found: Lexicon) -> None:
    """How large and how empty the matrix is, and what its rank keeps."""
    texts, words = found.terms.counts.shape
    says = _(
        "{texts:,} texts, {words:,} words that occur in three or more of them; {full:.2%} of the matrix is not zero. "
        "Rank {rank} keeps {kept:.0%} of its squared weights."
    )
    full, rank = found.terms.counts.nnz / (texts * words), len(found.lsa.singular_values)
    st.caption(says.format(texts=texts, words=words, full=full, rank=rank, kept=found.lsa.kept))


def show_nearest(found: Words) -> None:
    """The nearest words by LSA, by PPMI and by CLIP, side by side."""
    titles = _("LSA: the same texts"), _("PPMI: near each other"), _("CLIP")
    clip = Answer([Near(hit.rank, hit.caption, hit.cosine) for hit in found.clip])
    answers = {"lsa": found.lsa, "ppmi": found.ppmi, "clip": clip}
    for column, title, (name, answer) in zip(st.columns(3, gap="large"), titles, answers.items(), strict=True):
        with column:
            st.subheader(title, anchor=False)
            if not found.asked and name != "clip":
                st.info(_("These know texts only, no pictures: ask with words."))
            elif answer.problem:
                st.error(escape(answer.problem), icon=":material/error:")
            elif answer.near:
                alt = _("Bars: the words nearest to {q} by {name}").format(q=found.point.expression, name=name.upper())
                cosines = [each.cosine for each in answer.near]
                notes = [numeral(cosine, ".3f") for cosine in cosines]
                bars(answer.words, cosines, notes, alt, f"words-{name}", title=_("cosine"))
    with column:
        st.caption(_("Among the {count:,} words of the word bank.").format(count=len(space().words)))


def show_kindred(found: Words) -> None:
    """Texts that are near without sharing a word: by LSA, and by CLIP where it has read the texts."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(_("LSA: the same texts"), anchor=False)
        _list(found.kindred)
    with right:
        st.subheader(_("CLIP"), anchor=False)
        if found.kindred_by_clip is None:
            st.info(_("CLIP has only read the background captions, so it is not asked about a file."))
        else:
            _list(found.kindred_by_clip)


def _list(near: list[Near]) -> None:
    st.markdown("\n".join(f"- {escape(each.text)} · {numeral(each.cosine, '.3f')}" for each in near))


def show_corner(found: Words) -> None:
    """A corner of the term–document matrix: what was counted, and what rank k makes of it."""
    if (corner := found.corner) is None:
        return
    titles = _("tf-idf"), _("rank {rank}").format(rank=len(found.lexicon.lsa.singular_values))
    matrices = (corner.before, "words-before"), (corner.after, "words-after")
    for column, title, (values, key) in zip(st.columns(2, gap="large"), titles, matrices, strict=True):
        with column:
            st.caption(title)
            scale = dict(colorscale="RdBu_r", zmid=0, zmin=-0.8, zmax=0.8)
            matrix(values, corner.words, corner.texts, title, key, scale)
