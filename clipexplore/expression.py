"""The expression: the one way to write down a point of the joint space.

It is what a visitor types, what stands in a link and on a plot, and what the library takes, so it is separate from
models, collections and pages.

    expression = [ sign ] term { operator term }        @man-top-hat - @man
    operator   = space sign space                       so t-shirt and cat+dog are plain text
    sign       = "+" | "-" | "−" | "–"
    term       = [ weight "*" ] operand                 0.7*cat, 0.7 * cat
    operand    = '"' text '"' | "@" id | text           "rock - paper - scissors", @lion-jungle-07, man with hat

A quote inside quotes is doubled; “curly” quotes are read too. A text needs no quotes unless it holds an operator or an
odd number of quotes, or begins with a sign, a quote, "@" or a weight.
"""

import re
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.vectors import normalize

MAX_CHARACTERS = 2000
MAX_TERMS = 32
MIN_WEIGHT, MAX_WEIGHT = 1e-6, 1e6  # in size
_ROUNDING = 1e-6  # a sum shorter than this share of its weights is what float32 leaves of zero

_SIGNS = "+-−–"
_QUOTES = '"“”„'
_SIGN = re.compile(r"([+\-−–])\s*")
_OPERATOR = re.compile(r"\s+([+\-−–])(?:\s+|\Z)")
_WEIGHT = re.compile(r"([.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?)\s*\*\s*")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"(?!")|[“”„]([^“”]*)[“”]')
# Control characters, zero-width spaces, marks of direction, halves of characters. Joiners stay: emoji need them.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff]")


class ExpressionError(InputError):
    """A text is no expression; `position` is the index in `text` of the character at fault, 0 where there is none."""

    def __init__(self, message: str, text: str = "", position: int = 0):
        super().__init__(message)
        self.text = text
        self.position = position


@dataclass(frozen=True)
class Term:
    """One weighted part of an expression: a text, or the id of a picture.

    Attributes
    ----------
    text
        The id without its "@", or the text as CLIP reads it: one line, single spaces, no control characters, not empty.
    weight
        Negative in a subtraction; 0.000001 to 1,000,000 in size.
    is_id
        Whether `text` is an id: ASCII letters, digits, ".", "_" and "-", with a letter or digit first.

    Raises
    ------
    InputError
        When the text is empty or no id, or the weight out of range or not a number.
    """

    text: str
    weight: float = 1.0
    is_id: bool = False

    def __post_init__(self):
        object.__setattr__(self, "text", " ".join(_UNSEEN.sub(" ", self.text).split()))
        if not self.text:
            raise InputError("A term is empty; write a text or an @id.")
        if self.is_id and not _ID.fullmatch(self.text):
            raise InputError(f"{self.text!r} is no id; an id is made of the letters a to z, digits, '.', '_' and '-'.")
        if not MIN_WEIGHT <= abs(self.weight) <= MAX_WEIGHT:
            raise InputError(f"The weight {self.weight:g} is out of range; give one from 0.000001 to 1000000 in size.")


@dataclass(frozen=True)
class Expression:
    """A weighted sum of 1 to 32 terms, in the order of the text; `str` gives the text.

    Raises
    ------
    InputError
        When there are too few or too many terms, or the text has more than 2,000 characters.
    """

    terms: tuple[Term, ...]

    def __post_init__(self):
        if not 1 <= len(self.terms) <= MAX_TERMS:
            raise InputError(f"An expression has 1 to {MAX_TERMS} terms, not {len(self.terms)}; change their number.")
        _check_length(format(self))

    def __str__(self) -> str:
        return format(self)


@dataclass(frozen=True, eq=False)
class Combined:
    """The point an expression stands for: `vector` `(dim,)`, float32, unit; and the `length` of its sum before that."""

    vector: np.ndarray
    length: float


def parse(text: str) -> Expression:
    """The expression that a text stands for; `parse(format(e)) == e` for every expression.

    Raises
    ------
    ExpressionError
        When the text is empty, has more than 2,000 characters or 32 terms, or breaks the grammar.
    """
    _check_length(text)
    return _Reader(text).expression()


def format(expression: Expression) -> str:
    """The one text for an expression, in links, labels and files: no quote, weight or space that is not needed."""
    first, *others = expression.terms
    text = ("-" if first.weight < 0 else "") + _written(first)
    return text + "".join(f" {'-' if term.weight < 0 else '+'} {_written(term)}" for term in others)


def combine(expression: Expression, vectors: np.ndarray) -> Combined:
    """The point of an expression, given those of its terms.

    Parameters
    ----------
    expression
        Gives the weights.
    vectors
        `(n_terms, dim)`, in the order of the terms; only their directions count.

    Raises
    ------
    InputError
        When the terms cancel out and nothing but rounding is left; or one of them has no direction.
    """
    weights = np.array([term.weight for term in expression.terms])
    total = weights @ normalize(vectors).astype(np.float64)
    length = float(np.linalg.norm(total))
    if length < _ROUNDING * np.abs(weights).sum():
        raise InputError(f"The sum {expression} has length 0: its terms cancel out; change a term or a weight.")
    return Combined((total / length).astype(np.float32), length)


def notice(text: str) -> str | None:
    """A sentence for a text that is read as a subtraction, but looks like one prompt with a dash in it; else None.

    A guess, from how people write: behind its dash, prose goes on, with more words than before, with punctuation or
    with another dash, where a subtraction takes a little from more. Any other sign of the grammar settles it.
    """
    before, *behind = re.split(r"\s[-−–]\s", text.strip())
    if not behind or re.search(r"\s\+\s|(\A|\s[-−–])\s*([-−–+\"“”„@]|[0-9.]+\s*\*)", text):
        return None
    goes_on = len(behind[0].split()) > max(3, len(before.split()))
    if not (goes_on or len(behind) > 1 or re.search(r"[.,;:!?](\s|\Z)", text.strip())):
        return None
    return 'Each " - " subtracts what comes after it; if the whole is one prompt, put quotes around it.'


def _check_length(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        message = f"The expression has {len(text)} characters and may have {MAX_CHARACTERS}; shorten it."
        raise ExpressionError(message, text, MAX_CHARACTERS)


def _written(term: Term) -> str:
    """A term without its sign."""
    weight = "" if abs(term.weight) == 1 else np.format_float_positional(abs(term.weight), trim="-") + "*"
    if term.is_id:
        return f"{weight}@{term.text}"
    begins_like_another = term.text[0] in _SIGNS + _QUOTES + "@" or _WEIGHT.match(term.text)
    if begins_like_another or _OPERATOR.search(term.text) or _odd_quote(term.text) >= 0:
        return weight + '"' + term.text.replace('"', '""') + '"'
    return weight + term.text


def _odd_quote(text: str) -> int:
    """The index of the last quote where their number is odd, so that one of them is without a partner; else -1."""
    quotes = [index for index, character in enumerate(text) if character in _QUOTES]
    return quotes[-1] if len(quotes) % 2 else -1


class _Reader:
    """Reads a text once, from left to right; an index into `line` is one into `text`."""

    def __init__(self, text: str):
        self.text = text
        self.line = _UNSEEN.sub(" ", text).rstrip()
        self.at = len(self.line) - len(self.line.lstrip())

    def expression(self) -> Expression:
        if not self.line:
            raise self.error("The expression is empty; write a text or an @id.", 0)
        terms = [self.term(self.take(_SIGN))]
        while self.at < len(self.line):
            if len(terms) == MAX_TERMS:
                raise self.error(f"The expression has more than {MAX_TERMS} terms; leave out the rest.", self.at)
            terms.append(self.term(self.operator()))
        return Expression(tuple(terms))

    def operator(self) -> re.Match:
        if sign := self.take(_OPERATOR):
            return sign
        rest = self.line[self.at :].lstrip()  # of a quote or an id; a bare text ends at an operator
        message = f"Expected + or - between spaces, not {rest.split()[0]!r}; quotes go around the whole of a text."
        raise self.error(message, len(self.line) - len(rest))

    def term(self, sign: re.Match | None) -> Term:
        start = self.at
        weight = self.weight() * (1 if sign is None or sign[1] == "+" else -1)
        text, is_id = self.operand()
        try:
            return Term(text, weight, is_id)
        except InputError as error:
            raise self.error(str(error), start) from None

    def weight(self) -> float:
        start, number = self.at, self.take(_WEIGHT)
        try:
            return float(number[1]) if number else 1.0
        except ValueError:
            raise self.error(f"{number[1]!r} is no weight; write it like 0.7, or quote a text.", start) from None

    def operand(self) -> tuple[str, bool]:
        """The text or id at hand, and whether it is an id."""
        if self.at == len(self.line):
            raise self.error(f"Nothing follows the last {self.line[-1]!r}; add a term or remove it.", self.at - 1)
        first = self.line[self.at]
        if first in _SIGNS:
            raise self.error(f"Expected a term, not another {first!r}; quote a text that begins with a sign.", self.at)
        if first == "@":
            return self.id(), True
        return (self.quoted() if first in _QUOTES else self.bare()), False

    def id(self) -> str:
        start, self.at = self.at, self.at + 1
        if name := self.take(_ID):
            return name[0]
        raise self.error("Expected an id after '@', as in @lion-jungle-07; quote a text that begins with '@'.", start)

    def quoted(self) -> str:
        start, found = self.at, self.take(_QUOTED)
        if not found:
            raise self.error("These quotes are not closed; close them, and double a quote inside quotes.", start)
        text = found[2] if found[1] is None else found[1].replace('""', '"')
        if not text.strip():
            raise self.error("There is no text in these quotes; write one.", start)
        return text

    def bare(self) -> str:
        start, operator = self.at, _OPERATOR.search(self.line, self.at)
        self.at = operator.start() if operator else len(self.line)
        text = self.line[start : self.at]
        if _WEIGHT.match(text):
            raise self.error("Expected a term, not another weight; quote a text that begins with one.", start)
        if operator and (odd := _odd_quote(text)) >= 0:
            raise self.error(f"A quote opens inside a text that ends at {operator[1]!r}; quote all of it.", start + odd)
        return text

    def take(self, pattern: re.Pattern) -> re.Match | None:
        """What the pattern finds where the reader is, which moves behind it."""
        found = pattern.match(self.line, self.at)
        self.at = found.end() if found else self.at
        return found

    def error(self, message: str, position: int) -> ExpressionError:
        return ExpressionError(message, self.text, position)
