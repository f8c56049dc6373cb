"""Comparing result cards as a whole: what differs between them, the paired tests, and a sentence on each outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard
from swiftreid.evaluation.comparison import Difference, Paired, compare_rows, differences, shared_rankings
from swiftreid.evaluation.metrics import ApRule


class CardsDiffer(UsageError):
    """Cards of other pictures or protocols: their figures do not compare the encoders."""


class ApRulesDiffer(CardsDiffer):
    """Cards with different definitions of average precision: one can be chosen for all."""


@dataclass(frozen=True)
class Comparison:
    """Result cards side by side; the first is the base.

    Attributes:
        cards: as given.
        names: of the cards.
        ap: the definition of average precision.
        rankings: names of the rankings that are compared.
        differences: number of a card, from 1 for the second -> what keeps it from being compared with the first.
        tests: paired tests against the first card.
        verdicts: for each ranking and further card what came out, as a sentence.
    """

    cards: Sequence[ResultCard]
    names: Sequence[str]
    ap: ApRule
    rankings: Sequence[str]
    differences: Mapping[int, Sequence[Difference]]
    tests: Sequence[Paired]
    verdicts: Sequence[str]


def compare_cards(
    cards: Sequence[ResultCard],
    names: Sequence[str] = (),
    *,
    rankings: Sequence[str] = (),
    ap: ApRule | None = None,
    force: bool = False,
) -> Comparison:
    """Compare cards with the first of them, ranking by ranking and query by query.

    Args:
        cards: at least two.
        names: of the cards, for the verdicts; by default "card 1" and so on.
        rankings: names of rankings or parts of them; none takes all that the cards share.
        ap: definition of average precision; None takes the cards' own, which then must be one.
        force: compare cards of other pictures or protocols all the same; only equal queries are tested.

    Raises:
        CardsDiffer: they cannot be compared, and ``force`` is not set.
        UsageError: there are fewer than two cards, or not all have these rankings, or that AP.
    """
    if len(cards) < 2:
        raise UsageError(f"a comparison takes at least two result cards, not {len(cards)}")
    called = list(names) or [f"card {number}" for number in range(1, len(cards) + 1)]
    unlike = {n: found for n, card in enumerate(cards[1:], 1) if (found := differences(cards[0], card, ap=ap))}
    if unlike and not force:
        listed = "; ".join(
            f"card {number + 1} differs from card 1 in {', '.join(map(str, found))}" for number, found in unlike.items()
        )
        rules = any(each.field == "definition of AP" for found in unlike.values() for each in found)
        raise (ApRulesDiffer if rules else CardsDiffer)(f"these cards cannot be compared: {listed}")
    rule = ap or cards[0].protocol.ap
    shared = shared_rankings(cards, rankings)
    if rule == "short_list":
        for name, card in zip(called, cards, strict=True):
            if any(row.ranking in shared and row.map_short_list is None for row in card.rows):
                raise UsageError(f"{name} was made before cards held the AP over short lists: evaluate again")
    tests = compare_rows(cards, shared, ap=rule)
    verdicts = _verdicts(cards, called, shared, tests, unlike=unlike)
    return Comparison(cards, called, rule, shared, unlike, tests, verdicts)


def _verdicts(
    cards: Sequence[ResultCard],
    names: Sequence[str],
    rankings: Sequence[str],
    tests: Sequence[Paired],
    *,
    unlike: Collection[int],
) -> list[str]:
    lines = []
    for ranking in rankings:
        for number in range(1, len(cards)):
            found = [test for test in tests if test.ranking == ranking and test.card == number]
            if found:
                doubt = ", under unlike conditions (see the warning)" if number in unlike else ""
                lines.append(f"{ranking}: {_verdict(found, names[number], names[0])}{doubt}")
            else:
                lines.append(f"{ranking}: {names[number]} is not tested against {names[0]}: {_why(cards, number)}")
    return lines


def _why(cards: Sequence[ResultCard], number: int) -> str:
    first, other = cards[0], cards[number]
    if not first.queries or not other.queries:
        return "a card of format 1 does not name its queries"
    if first.queries != other.queries:
        return "their queries are not the same"
    return "a card keeps no figures of each query"


def _verdict(tests: Sequence[Paired], other: str, first: str) -> str:
    clear = [test for test in tests if test.significant]
    rest = [test.figure for test in tests if not test.significant]
    unclear = f"; no clear difference in {' and '.join(rest)}" if rest else ""
    signs = {test.difference > 0 for test in clear}
    if not clear:
        return f"no clear difference between {other} and {first}"
    if len(signs) == 1:
        gains = [
            f"{abs(100 * test.difference):.1f} points {test.figure} "
            f"(95 %: {100 * test.interval[0]:+.1f} to {100 * test.interval[1]:+.1f})"
            for test in clear
        ]
        return f"{other} is {'better' if signs.pop() else 'worse'} than {first} by {' and '.join(gains)}{unclear}"
    parts = [f"{'better' if test.difference > 0 else 'worse'} in {test.figure}" for test in clear]
    return f"{other} is {' and '.join(parts)} than {first}"
