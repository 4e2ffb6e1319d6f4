"""The expression: the one way to write down a point of the joint space.

It is what a visitor types, what a link and a plot carry, and what the library takes.

    expression = [ sign ] term { operator term }        @man-top-hat - @man
    operator   = space sign space                       so t-shirt and cat+dog are plain text
    sign       = "+" | "-" | "−" | "–"
    term       = [ weight "*" ] operand                 0.7*cat, 0.7 * cat
    operand    = '"' text '"' | "@" id | text           "rock - paper - scissors", @lion-jungle-07, man with hat

A quote inside quotes is doubled; “curly” quotes are read too. A text needs no quotes unless it holds an operator or an
odd number of quotes, or begins with a sign, a quote, "@" or a weight.
"""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
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
# The marks that letters of many scripts are written with: accents, points and vowels that are no letters themselves.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u109f\u1780-\u17d3\u3099\u309a"
ID = re.compile(rf"[^\W_][\w.{_MARKS}-]*")  # letters of any script
_STARS = re.compile(r"(?:\A|\s[+\-−–])\s*([1-9]\*) +[^\W\d]")  # a 5* hotel
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
        Whether `text` is an id: letters, digits, ".", "_" and "-", with a letter or digit first.

    Raises
    ------
    InputError
        When the text is empty or no id, or the weight out of range or not a number.
    """

    text: str
    weight: float = 1.0
    is_id: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", " ".join(_UNSEEN.sub(" ", self.text).split()))
        if self.is_id:
            object.__setattr__(self, "text", unicodedata.normalize("NFC", self.text))
        if not self.text:
            raise InputError(_("A term is empty; write a text or an @id."))
        if self.is_id and not ID.fullmatch(self.text):
            raise InputError(
                _("{text!r} is no id; an id is made of letters, digits, '.', '_' and '-'.").format(text=self.text)
            )
        if not MIN_WEIGHT <= abs(self.weight) <= MAX_WEIGHT:
            raise InputError(
                _("The weight {weight:g} is out of range; give one from 0.000001 to 1000000 in size.").format(
                    weight=self.weight
                )
            )


@dataclass(frozen=True)
class Expression:
    """A weighted sum of 1 to 32 terms, in the order of the text; `str` gives the text.

    Raises
    ------
    InputError
        When there are too few or too many terms, or the text has more than 2,000 characters.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.terms) <= MAX_TERMS:
            raise InputError(
                _("An expression has 1 to {most} terms, not {count}; change their number.").format(
                    most=MAX_TERMS, count=len(self.terms)
                )
            )
        _check_length(str(self))

    def __str__(self) -> str:
        """The one text for it, in links, labels and files: no quote, weight or space that is not needed."""
        first, *others = self.terms
        text = ("-" if first.weight < 0 else "") + _written(first)
        return text + "".join(f" {'-' if term.weight < 0 else '+'} {_written(term)}" for term in others)


@dataclass(frozen=True, eq=False)
class Combined:
    """The point an expression stands for: `vector` `(dim,)`, float32, unit; and the `length` of its sum before that."""

    vector: np.ndarray
    length: float


def parse(text: str) -> Expression:
    """The expression that a text stands for; `parse(str(e)) == e` for every expression.

    Raises
    ------
    ExpressionError
        When the text is empty, has more than 2,000 characters or 32 terms, or breaks the grammar.
    """
    _check_length(text)
    return _Reader(text).expression()


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
        raise InputError(
            _("The sum {expression} has length 0: its terms cancel out; change a term or a weight.").format(
                expression=expression
            )
        )
    return Combined((total / length).astype(np.float32), length)


def notice(text: str) -> str | None:
    """A sentence for a text that may be meant otherwise than it is read; else None."""
    unquoted = _QUOTED.sub("", text)
    if stars := _STARS.search(unquoted):
        message = _("{weight} is read as a weight; if it is part of a text, put quotes around all of that.")
        return message.format(weight=stars[1])
    if re.search(r"[^\W\d]\+[^\W\d]", unquoted):
        return _('A "+" without spaces around it is part of a text; write " + " to add.')
    if re.search(r"\([^()]*\s[+\-−–]\s[^()]*\)", unquoted):
        return _("Brackets do not group terms; write out the sum, with weights such as 0.5*cat.")
    return _dash_in_a_prompt(text)


def _dash_in_a_prompt(text: str) -> str | None:
    """A sentence for a text that is read as a subtraction, but looks like one prompt with a dash in it; else None.

    A guess, from how people write: behind its dash, prose goes on, with more words than before, with punctuation or
    with another dash, and a title with another capital, where a subtraction takes a little from more. Any other sign of
    the grammar settles it.
    """
    before, *behind = re.split(r"\s[-−–]\s", text.strip())
    if not behind or re.search(r"\s\+\s|(\A|\s[-−–])\s*([-−–+\"“”„@]|[0-9.]+\s*\*)", text):
        return None
    goes_on = len(behind[0].split()) > max(3, len(before.split()))
    title = before[:1].isupper() and behind[0][:1].isupper() and " " in behind[0]
    if not (goes_on or title or len(behind) > 1 or re.search(r"[.,;:!?](\s|\Z)", text.strip())):
        return None
    return _('Each " - " subtracts what comes after it; if the whole is one prompt, put quotes around it.')


def _check_length(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        message = _("The expression has {count} characters and may have {most}; shorten it.")
        raise ExpressionError(message.format(count=len(text), most=MAX_CHARACTERS), text, MAX_CHARACTERS)


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
            raise self.error(_("The expression is empty; write a text or an @id."), 0)
        terms = [self.term(self.take(_SIGN))]
        while self.at < len(self.line):
            if len(terms) == MAX_TERMS:
                message = _("The expression has more than {most} terms; leave out the rest.")
                raise self.error(message.format(most=MAX_TERMS), self.at)
            terms.append(self.term(self.operator()))
        return Expression(tuple(terms))

    def operator(self) -> re.Match[str]:
        if sign := self.take(_OPERATOR):
            return sign
        rest = self.line[self.at :].lstrip()  # of a quote or an id; a bare text ends at an operator
        message = _("Expected + or - between spaces, not {found!r}; quotes go around the whole of a text.")
        raise self.error(message.format(found=rest.split()[0]), len(self.line) - len(rest))

    def term(self, sign: re.Match[str] | None) -> Term:
        start = self.at
        weight = self.weight() * (1 if sign is None or sign[1] == "+" else -1)
        text, is_id = self.operand()
        try:
            return Term(text, weight, is_id)
        except InputError as error:
            raise self.error(str(error), start) from None

    def weight(self) -> float:
        start, match = self.at, self.take(_WEIGHT)
        number = match[1] if match else "1"
        try:
            return float(number)
        except ValueError:
            message = _("{number!r} is no weight; write it like 0.7, or quote a text.")
            raise self.error(message.format(number=number), start) from None

    def operand(self) -> tuple[str, bool]:
        """The text or id at hand, and whether it is an id."""
        if self.at == len(self.line):
            message = _("Nothing follows the last {sign!r}; add a term or remove it.")
            raise self.error(message.format(sign=self.line[-1]), self.at - 1)
        first = self.line[self.at]
        if first in _SIGNS:
            message = _("Expected a term, not another {sign!r}; quote a text that begins with a sign.")
            raise self.error(message.format(sign=first), self.at)
        if first == "@":
            return self.id(), True
        return (self.quoted() if first in _QUOTES else self.bare()), False

    def id(self) -> str:
        start, self.at = self.at, self.at + 1
        if name := self.take(ID):
            return name[0]
        message = _("Expected an id after '@', as in @lion-jungle-07; quote a text that begins with '@'.")
        raise self.error(message, start)

    def quoted(self) -> str:
        start, quoted = self.at, self.take(_QUOTED)
        if not quoted:
            raise self.error(_("These quotes are not closed; close them, and double a quote inside quotes."), start)
        text = quoted[2] if quoted[1] is None else quoted[1].replace('""', '"')
        if not text.strip():
            raise self.error(_("There is no text in these quotes; write one."), start)
        return text

    def bare(self) -> str:
        start, operator = self.at, _OPERATOR.search(self.line, self.at)
        self.at = operator.start() if operator else len(self.line)
        text = self.line[start : self.at]
        if _WEIGHT.match(text):
            raise self.error(_("Expected a term, not another weight; quote a text that begins with one."), start)
        if operator and (odd := _odd_quote(text)) >= 0:
            message = _("A quote opens inside a text that ends at {sign!r}; quote all of it.")
            raise self.error(message.format(sign=operator[1]), start + odd)
        return text

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match of the pattern at the reader, which moves behind it."""
        match = pattern.match(self.line, self.at)
        self.at = match.end() if match else self.at
        return match

    def error(self, message: str, position: int) -> ExpressionError:
        return ExpressionError(message, self.text, position)


def folded(text: str) -> str:
    """A text as CLIP reads it: in small letters, with single spaces."""
    return " ".join(text.lower().split())
