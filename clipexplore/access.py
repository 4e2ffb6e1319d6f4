"""Who may do what on this server: one answer, which every page and every job asks.

The operator is whoever comes from this machine itself, or has typed the operator code. Everybody else is a visitor,
however the server is bound: behind a reverse proxy or a published port of a container every stranger's connection
comes from near by.
"""

import hmac
import math
import time
from collections import defaultdict, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from clipexplore.settings import Settings

# What proxies add to a request that they pass on.
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


@dataclass(frozen=True)
class Caller:
    """Where a request comes from: the other end of the connection, None where that is unknown, and its headers."""

    address: str | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_here(self) -> bool:
        """Whether a browser on this machine sent the request and nothing passed it on.

        A proxy that adds no header is given away by the names it is addressed by; a page of another site by its origin.
        """
        headers = {name.lower(): value for name, value in self.headers.items()}
        if any(name in headers for name in FORWARDED) or not is_loopback(self.address):
            return False
        origin = headers.get("origin")
        return is_loopback(_host(f"//{headers.get('host', '')}")) and (origin is None or is_loopback(_host(origin)))


@dataclass(frozen=True)
class Access:
    """What one person may do; `operator` says who that is."""

    operator: bool
    settings: Settings

    @classmethod
    def of(cls, caller: Caller, code_typed: bool, settings: Settings) -> "Access":
        """That of a caller, who may have typed the operator code."""
        return cls(code_typed or caller.is_here and not settings.public_url, settings)

    def may_change(self, kind: str, made_here: bool) -> bool:
        """Whether a collection may be renamed, enlarged, shared, deleted or restored, and its import stopped.

        `kind` is "own" for one of the session, "shared" for one that everybody sees, "bundled" for what is shipped;
        `made_here` says whether this session made it.
        """
        return kind == "own" or kind == "shared" and (self.operator or made_here)

    def may_cancel(self, own: bool) -> bool:
        """Whether a job may be cancelled for everybody; `own` is one that this session alone asked for."""
        return own or self.operator

    @property
    def may_fetch(self) -> bool:
        """Whether weights may be fetched from a page: as the settings say, since it goes to the network."""
        return self.settings.downloads

    @property
    def must_check(self) -> bool:
        """Whether drawings pass the safety checker: as the settings say, and by "auto" those of visitors."""
        chosen = self.settings.safety_checker
        return chosen == "on" or chosen == "auto" and not self.operator

    @property
    def most_items(self) -> float:
        """How many pictures of its own a session may have on the server; infinite for the operator."""
        return math.inf if self.operator else self.settings.session_pictures

    @property
    def most_bytes(self) -> float:
        """How many bytes of its own a session may have on the server; infinite for the operator."""
        return math.inf if self.operator else self.settings.session_megabytes * 10**6

    @property
    def most_steps(self) -> float:
        """How many steps of one frame a walk may take, frames × steps × curves; infinite for the operator."""
        return math.inf if self.operator else self.settings.walk_steps


class Attempts:
    """Counts wrong guesses of each guesser, of which so many are allowed within so many seconds."""

    _MOST_GUESSERS = 10_000

    def __init__(self, most: int, within: float):
        self.most, self.within = most, within
        self._wrong: defaultdict[Hashable, deque[float]] = defaultdict(deque)

    def allow(self, guesser: Hashable) -> bool:
        """Whether another guess is allowed now."""
        if len(self._wrong) > self._MOST_GUESSERS:
            self._wrong.clear()
        wrong = self._wrong[guesser]
        while wrong and time.monotonic() - wrong[0] > self.within:
            wrong.popleft()
        return len(wrong) < self.most

    def note_wrong(self, guesser: Hashable) -> None:
        """Counts a wrong guess."""
        self._wrong[guesser].append(time.monotonic())


def is_right(guess: str, secret: str) -> bool:
    """Whether somebody typed a secret, compared in constant time; no guess is right where there is none."""
    return bool(secret) and hmac.compare_digest(guess.strip().encode("utf-8", "replace"), secret.encode())


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine as it calls itself, which nobody else can reach."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
