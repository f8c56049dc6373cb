"""One stage of a cascade: which code to compare, and which entries go on."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any, Literal

from swiftreid.errors import UsageError
from swiftreid.search.codes import bits_of

Keep = Literal["all", "threshold", "top", "share", "nprobe", "certified"]
CERTIFIED_BITS = 512, 8192
"""Of shorter codes a sample says too little; longer ones would need large tables."""

EMBEDDING = "embedding"

_TEXT = re.compile(r"([a-z]+[1-9]\d*|embedding)\s*(?:<=\s*(\d+)|:\s*(top|share|nprobe|miss)\s*=\s*([0-9.eE-]+)(\+?))?")
_MAX_BITS = 65_504


@dataclass(frozen=True)
class Stage:
    """Compare by ``code`` and keep what the rule says (at most one rule; none keeps everything).

    Attributes:
        code: name of a code, for example ``id32``; or ``embedding``, the float embedding, at the end of a cascade: few
            entries should be left by then, which it orders by cosine distance.
        threshold: keep Hamming distances up to this many bits, 0..bits; not for the embedding.
        top: keep this many closest entries, at least 1; of equal distances the earlier gallery positions.
        share: keep this share of the entries that came in (0 < share <= 1), rounded up, chosen as for ``top``.
        nprobe: only of the first stage, on a table with inverted lists by this code (`InvertedLists.arrange`): keep the
            entries of the lists closest to the query, as many lists as hold this share of the entries
            (0 < nprobe <= 1; FAISS counts lists instead). No entry is compared, so this is quick on millions of them,
            and may lose some. In text ``id128:nprobe=0.1``.
        miss: only of a cascade's only stage: search exhaustively, but compare a whole code only if a random sample of
            its bits shows that it may be among the k closest. The chance that any of a query's k results is missed
            is at most this (0 < miss < 1); see `certified`. In text ``id2048:miss=1e-6``.
        whole_ties: with ``top`` or ``share``, keep all at the distance of the last one kept; in text ``top=100+``.
            Short codes tie often; with this rule the order of the gallery does not decide which entries are kept. Not
            in the last stage, where ``k`` decides.

    Raises:
        UsageError: more than one rule, or a value out of range.
    """

    code: str
    threshold: int | None = None
    top: int | None = None
    share: float | None = None
    nprobe: float | None = None
    miss: float | None = None
    whole_ties: bool = False

    def __post_init__(self) -> None:
        bits = 0 if self.code == EMBEDDING else bits_of(self.code)
        if bits > _MAX_BITS:
            raise UsageError(f"code {self.code} is longer than the {_MAX_BITS} bits that search can compare")
        given = [name for name in ("threshold", "top", "share", "nprobe", "miss") if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(
                f"stage {self.code} has the rules {' and '.join(given)}; give one, or split it in two stages"
            )
        for name in ("threshold", "top"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _whole(self.code, name, getattr(self, name)))
        if self.whole_ties and self.keep not in ("top", "share"):
            raise UsageError(f"stage {self.code}: whole ties go with top or share")
        if self.code == EMBEDDING and self.keep in ("threshold", "nprobe", "certified"):
            raise UsageError(
                "the embedding has no threshold in bits, no inverted lists and no sample; give it top or share, or no "
                "rule"
            )
        if self.threshold is not None and not 0 <= self.threshold <= bits:
            raise UsageError(f"stage {self.code}: threshold must be 0 to {bits} bits, got {self.threshold}")
        if self.top is not None and not 1 <= self.top <= 2**52:
            raise UsageError(f"stage {self.code}: top must be at least 1, got {self.top}")
        if self.miss is not None and not CERTIFIED_BITS[0] <= bits <= CERTIFIED_BITS[1]:
            raise UsageError(
                f"stage {self.code}: a chance to miss needs a code of at least {CERTIFIED_BITS[0]} bits, because a "
                f"sample of fewer says too little, and at most {CERTIFIED_BITS[1]}"
            )
        for name in ("share", "nprobe", "miss"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _part(self.code, name, getattr(self, name)))

    @property
    def keep(self) -> Keep:
        """Which rule the stage has."""
        if self.threshold is not None:
            return "threshold"
        if self.top is not None:
            return "top"
        if self.nprobe is not None:
            return "nprobe"
        if self.miss is not None:
            return "certified"
        return "all" if self.share is None else "share"

    @property
    def amount(self) -> float:
        """The rule's number (0 for ``all``)."""
        return float(self.threshold or self.top or self.share or self.nprobe or self.miss or 0)

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Read the text form.

        One of ``id32``, ``id32<=11``, ``id32:top=1000``, ``id32:top=1000+``, ``id32:share=0.2``, ``id128:nprobe=0.1``,
        ``id2048:miss=1e-6``.

        Raises:
            UsageError: the text is none of these.
        """
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"cannot read the stage {text.strip()!r}; write a code name alone or with one rule: "
                "id32, id32<=11, id32:top=1000 (or top=1000+ with all that tie), id32:share=0.2; at the beginning "
                "id128:nprobe=0.3; at the end embedding; by itself id2048:miss=1e-6"
            )
        code, threshold, rule, amount, plus = match.groups()
        if threshold is not None:
            return cls(code, threshold=int(threshold))
        if rule is None:
            return cls(code)
        try:
            whole = bool(plus)
            if rule == "top":
                return cls(code, top=int(amount), whole_ties=whole)
            if rule == "miss":
                return cls(code, miss=float(amount), whole_ties=whole)
            if rule == "nprobe":
                return cls(code, nprobe=float(amount), whole_ties=whole)
            return cls(code, share=float(amount), whole_ties=whole)
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            kind = "a whole number" if rule == "top" else "a number"
            raise UsageError(f"stage {text.strip()!r}: {rule} must be {kind}, got {amount!r}") from None

    def __str__(self) -> str:
        if self.threshold is not None:
            return f"{self.code}<={self.threshold}"
        plus = "+" if self.whole_ties else ""
        if self.top is not None:
            return f"{self.code}:top={self.top}{plus}"
        if self.nprobe is not None:
            return f"{self.code}:nprobe={self.nprobe!r}"
        if self.miss is not None:
            return f"{self.code}:miss={self.miss!r}"
        return self.code if self.share is None else f"{self.code}:share={self.share!r}{plus}"


def _part(code: str, name: str, given: Any) -> float:
    try:
        part = float(given)
    except (TypeError, ValueError):
        raise UsageError(f"stage {code}: {name} must be a number, got {given!r}") from None
    if name == "miss" and not 1e-30 <= part < 1:
        raise UsageError(f"stage {code}: miss must be at least 1e-30 and below 1, got {given}")
    if not 0 < part <= 1:
        raise UsageError(f"stage {code}: {name} must be above 0 and at most 1, got {given}")
    return part


def _whole(code: str, name: str, value: object) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"stage {code}: {name} must be a whole number, got {value!r}") from None
