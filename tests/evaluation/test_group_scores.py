"""Scores of groups against loops over pictures and pairs."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftreid.errors import UsageError
from swiftreid.evaluation.groups import group_scores


@given(rows=st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=25))
def test_scores_agree_with_loops(rows: list[tuple[int, int]]) -> None:
    groups, people = (np.array(column) for column in zip(*rows, strict=True))
    own = [("alone", place) if group < 0 else ("group", group) for place, group in enumerate(groups.tolist())]
    who = people.tolist()
    scores = group_scores(groups, people)
    together = [(a, b) for a, b in combinations(range(len(own)), 2) if own[a] == own[b]]
    same = [(a, b) for a, b in combinations(range(len(own)), 2) if who[a] == who[b]]
    right = len({*together} & {*same})
    assert scores.pair_precision == (pytest.approx(right / len(together)) if together else 1)
    assert scores.pair_recall == (pytest.approx(right / len(same)) if same else 1)
    purity = sum(max(Counter(w for g, w in zip(own, who, strict=True) if g == name).values()) for name in {*own})
    complete = sum(max(Counter(g for g, w in zip(own, who, strict=True) if w == name).values()) for name in {*who})
    assert scores.purity == pytest.approx(purity / len(own))
    assert scores.completeness == pytest.approx(complete / len(own))
    precisions, recalls = [], []
    for place, name in enumerate(own):
        both = sum(name == g and who[place] == w for g, w in zip(own, who, strict=True))
        precisions.append(both / own.count(name))
        recalls.append(both / who.count(who[place]))
    assert scores.bcubed_precision == pytest.approx(np.mean(precisions))
    assert scores.bcubed_recall == pytest.approx(np.mean(recalls))
    assert scores.groups == sum(count > 1 for count in Counter(own).values())
    assert scores.alone == sum(count == 1 for count in Counter(own).values())


def test_groups_and_people_are_of_the_same_pictures() -> None:
    for groups, people in (([], []), ([1], [1, 2])):
        with pytest.raises(UsageError, match="same pictures"):
            group_scores(np.array(groups, np.int64), np.array(people, np.int64))
