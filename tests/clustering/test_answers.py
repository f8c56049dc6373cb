"""Files of answers about pairs: what is written is read, and what is no answer is refused by its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftreid.clustering.answers import PairAnswer, known_pairs, load_answers, save_answers
from swiftreid.errors import UsageError

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f"), min_size=1, max_size=6)


@given(
    pairs=st.lists(st.tuples(NAMES, NAMES, st.booleans()).filter(lambda p: p[0].strip() != p[1].strip()), max_size=8)
)
def test_what_is_written_is_read_and_the_last_answer_counts(
    pairs: list[tuple[str, str, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("answers") / "a.csv"
    answers = [PairAnswer(*pair) for pair in pairs]
    save_answers(path, answers)
    assert path.stat().st_mode & 0o077 == 0
    last = {frozenset((a.one, a.other)): a.same for a in answers}
    assert {frozenset((a.one, a.other)): a.same for a in load_answers(path)} == last


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one,other\na,b\n", "columns one, other, same"),
        ("one,other,same\na,b,yes\na,a,yes\n", "line 3: give two different ids"),
        ("one,other,same\na,b,maybe\n", "'maybe'"),
        ("one,other,same\n,b,yes\n", "line 2"),
    ],
)
def test_what_is_no_answer_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_answers(tmp_path / "a.csv")


def test_answers_about_other_pictures_are_left_out() -> None:
    answers = [PairAnswer("a", "b", same=True), PairAnswer("c", "a", same=False), PairAnswer("a", "z", same=False)]
    known = known_pairs(answers, ["a", "b", "c"])
    np.testing.assert_array_equal(known.together, [[0, 1]])
    np.testing.assert_array_equal(known.apart, [[2, 0]])
    assert known_pairs([], ["a"]).together.shape == (0, 2)
