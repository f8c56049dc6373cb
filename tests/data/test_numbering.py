from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from swiftreid.data.numbering import free_person_zero, number_cameras, number_persons
from swiftreid.data.samples import ReidData, Sample


@given(st.lists(st.integers(-1, 10**12).map(str), min_size=1))
def test_numbers_stay_what_they_are(names: list[str]) -> None:
    assert number_persons(names) == {name: int(name) for name in names}


@given(st.lists(st.text(max_size=6), min_size=1), st.text(st.characters(categories=["L"]), min_size=1, max_size=6))
def test_names_are_numbered_in_order_and_apart(names: list[str], word: str) -> None:
    for number, nobody in ((number_persons, {"-1": -1, "0": 0}), (number_cameras, {})):
        numbered = dict(number([*names, word]))
        kept = {name: numbered.pop(name) for name in nobody if name in numbered}
        assert kept == {name: nobody[name] for name in kept}
        if any(not name.lstrip("-").isdecimal() for name in numbered):
            assert sorted(numbered, key=numbered.__getitem__) == sorted({*names, word} - set(kept))
            assert sorted(numbered.values()) == list(range(1, len(numbered) + 1))


def test_odd_numbers_are_names() -> None:
    assert number_persons(["-2", "7"]) == {"-2": 1, "7": 2}
    assert number_persons(["٣", "7"]) == {"7": 1, "٣": 2}
    assert number_persons(["9" * 30]) == {"9" * 30: 1}
    assert number_cameras(["-1", "2"]) == {"-1": 1, "2": 2}
    assert number_persons(["-", "1"]) == {"-": 1, "1": 2}


@given(st.lists(st.integers(-1, 5)), st.lists(st.integers(-1, 5)), st.lists(st.integers(-1, 5)))
def test_person_zero_moves_only_where_it_is_somebody(train: list[int], query: list[int], gallery: list[int]) -> None:
    def split(persons: list[int]) -> list[Sample]:
        return [Sample(Path(str(place)), person, 1) for place, person in enumerate(persons)]

    data = ReidData("x", Path(), split(train), split(query), split(gallery))
    freed = free_person_zero(data)
    if 0 not in train + query:
        assert freed is data
        return
    new = 1 + max(train + query + gallery)
    for before, after in ((train, freed.train), (query, freed.query), (gallery, freed.gallery)):
        assert [sample.person for sample in after] == [new if person == 0 else person for person in before]
    assert len(freed.notes) == 1
