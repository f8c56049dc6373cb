"""Groups of a gallery's people: found, corrected by hand, kept over re-runs and additions, and erased."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import people_samples as samples
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swiftreid.adaptation.grouping import group_people, stable_numbers
from swiftreid.adaptation.people import LARGEST, merge_people, name_person, people_in, split_person
from swiftreid.clustering.answers import PairAnswer
from swiftreid.errors import UsageError
from swiftreid.gallery import EntriesChanged, EntryNotFound, Gallery
from swiftreid.gallery.changes import EntryChanges
from swiftreid.retrieval.local import LocalGallery
from swiftreid.retrieval.opening import open_gallery

MEMORY = Path("/dev/shm")  # flushing thousands of times to a disk takes long


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="people-", dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
def gallery(folder: Path) -> Iterator[LocalGallery]:
    with samples.create(folder / "people") as made:
        samples.add(made, samples.ids_of(range(40)))
        yield made


def groups_of(gallery: LocalGallery) -> dict[str, int]:
    return {id_: person.number for person in people_in(gallery) for id_ in person.ids}


def test_people_are_found_across_cameras_and_stored(gallery: LocalGallery) -> None:
    done = group_people(gallery)
    assert done.by == "embedding"
    assert done.changed + done.alone == len(gallery) == 160
    pure = [person for person in done.people if len({*map(samples.person_of, person.ids)}) == 1]
    assert len(pure) > 0.9 * len(done.people)
    assert sum(len(person.entries) == 4 and len(person.cameras) == 2 for person in pure) > 30
    with open_gallery(gallery.store.path, read_only=True) as again:
        assert people_in(again) == done.people
        assert again.ids(labels={"person_group": str(done.people[0].number)}) == done.people[0].ids
        with pytest.raises(UsageError, match="read-only"):
            group_people(again)
    assert group_people(gallery).changed == 0


def test_codes_do_where_no_embeddings_are_kept(folder: Path) -> None:
    with samples.create(folder / "codes", spec="id32 id512", embedding=False) as gallery:
        samples.add(gallery, samples.ids_of(range(40)))
        done = group_people(gallery)
        assert done.by == "id512"
        assert sum(len({*map(samples.person_of, person.ids)}) == 1 for person in done.people) > 0.9 * len(done.people)
        assert sum(len(person.cameras) == 2 for person in done.people) > 25
    with (
        samples.create(folder / "short", spec="id32", embedding=False) as gallery,
        pytest.raises(UsageError, match=r"keeps no embeddings and no code of 512 bits.*embedding='float16'"),
    ):
        group_people(gallery)


def test_an_empty_gallery_has_nobody(folder: Path) -> None:
    with samples.create(folder / "empty") as gallery:
        assert group_people(gallery).people == people_in(gallery) == []


def test_names_are_kept_and_junk_is_no_name(folder: Path) -> None:
    ids = samples.ids_of(range(40))
    two = {"000-1-0": "mia", "001-2-0": "mia", "000-1-1": "tom"}
    junk = {id_: "-1" for id_ in ids if samples.person_of(id_) in (7, 8, 9)}
    with samples.create(folder / "people") as gallery:
        samples.add(gallery, ids, persons=two | junk)
        done = group_people(gallery)
        of = groups_of(gallery)
        assert of["000-1-0"] == of["001-2-0"] != of["000-1-1"]
        assert {person.name for person in done.people} == {"mia", "tom", None}
        assert len({of.get(f"{person:03d}-1-0", person) for person in (7, 8, 9)}) == 3
        assert {entry.id: entry.person for entry in gallery if entry.id in two} == two


def test_of_one_track_is_one_person_unless_two_are_known_in_it(folder: Path) -> None:
    tracks = dict.fromkeys(("003-1-0", "004-1-0", "005-1-0"), "t")
    with samples.create(folder / "people") as gallery:
        samples.add(gallery, samples.ids_of(range(40)), tracks=tracks)
        group_people(gallery)
        assert len({groups_of(gallery)[id_] for id_ in tracks}) == 1
        gallery.update("003-1-0", person="mia")
        gallery.update("004-1-0", person="tom")
        group_people(gallery)
        assert groups_of(gallery)["003-1-0"] != groups_of(gallery)["004-1-0"]


def test_answers_are_heard_unless_they_join_known_people(gallery: LocalGallery) -> None:
    gallery.update("010-1-0", person="mia")
    gallery.update("011-1-0", person="tom")
    yes = [PairAnswer(*pair, same=True) for pair in (("010-1-0", "012-1-0"), ("012-1-0", "011-1-0"), ("0", "1"))]
    no = [PairAnswer("020-1-0", "020-1-1", same=False), PairAnswer("020-1-0", "020-2-0", same=False)]
    done = group_people(gallery, answers=[*yes, *no])
    of = groups_of(gallery)
    assert (done.ignored, done.unknown) == (1, 1)
    assert of["010-1-0"] == of["012-1-0"] != of["011-1-0"]
    assert of.get("020-1-0") is None or of["020-1-0"] not in (of.get("020-1-1"), of.get("020-2-0"))


def test_merging_splitting_and_naming_is_checked(gallery: LocalGallery) -> None:
    with pytest.raises(UsageError, match="has no group 7; it has none: group it first"):
        name_person(gallery, 7, "mia")
    people = group_people(gallery).people
    a, b, c = (person.number for person in people[:3])
    with pytest.raises(UsageError, match="two groups or more, got 1"):
        merge_people(gallery, [1, 1])
    with pytest.raises(UsageError, match=r"has no group 9999; its .* groups have numbers up to"):
        merge_people(gallery, [a, 9999])
    with pytest.raises(UsageError, match="entries of one group, got"):
        split_person(gallery, [people[0].ids[0], people[1].ids[0]])
    with pytest.raises(UsageError, match="leave at least one"):
        split_person(gallery, people[0].ids)
    with pytest.raises(EntryNotFound):
        split_person(gallery, ["nobody"])
    for name in (" ", "-1"):
        with pytest.raises(UsageError, match="is no person's name"):
            name_person(gallery, a, name)
    assert name_person(gallery, a, "mia") == a
    assert name_person(gallery, b, "tom") == b
    with pytest.raises(UsageError, match=r"are different people: .* is mia, .* is tom"):
        merge_people(gallery, [a, b])
    assert merge_people(gallery, [c, a]) == a, "the one with a name"
    merged = next(person for person in people_in(gallery) if person.number == a)
    assert {entry.person for entry in merged.entries} == {"mia"}
    assert merged.by_hand == len(merged.entries)
    assert name_person(gallery, b, " mia ") == a, "one name is one person"


def test_what_was_taken_out_of_a_name_loses_it(gallery: LocalGallery) -> None:
    person = group_people(gallery).people[0]
    name_person(gallery, person.number, "mia")
    number = split_person(gallery, person.ids[:1])
    group_people(gallery)
    of = groups_of(gallery)
    assert of[person.ids[0]] == number
    assert {of[id_] for id_ in person.ids[1:]} == {person.number}
    assert gallery.get(person.ids[0]).person is None
    assert gallery.get(person.ids[1]).person == "mia"


def test_what_others_change_meanwhile_is_not_overwritten(gallery: LocalGallery) -> None:
    people = group_people(gallery).people
    gallery.update(people[5].ids, labels=None)
    runs: list[str] = []

    def meanwhile(task: str, done: int, total: int, detail: str = "") -> None:
        if task == "comparing cameras" and done == total:
            if not runs:
                merge_people(gallery, [people[0].number, people[1].number])
            gallery.delete(["030-1-0"])
            runs.append(task)

    group_people(gallery, progress=meanwhile)
    of = groups_of(gallery)
    assert len(runs) == 2, "sorted again"
    assert "030-1-0" not in of
    assert set(people[5].ids) <= set(of)
    assert len({of[id_] for id_ in people[0].ids + people[1].ids}) == 1


def test_deleting_an_entry_erases_it_from_the_groups_and_the_rest_stays_together(folder: Path) -> None:
    with samples.create(folder / "people") as gallery:
        samples.add(gallery, samples.ids_of(range(40)))
        people = group_people(gallery).people
        number = merge_people(gallery, [people[0].number, people[1].number])
        gone, rest = people[0].ids + people[1].ids[:1], people[1].ids[1:]
        gallery.delete(gone)
        assert not {*gone} & {*groups_of(gallery)}
        group_people(gallery)
        assert {groups_of(gallery)[id_] for id_ in rest} == {number}
        gallery.store.compact()
    content = b"".join(path.read_bytes() for path in (folder / "people").rglob("*") if path.is_file())
    assert not [id_ for id_ in gone if id_.encode() in content]
    assert rest[0].encode() in content


def test_merged_people_stay_together_when_all_of_one_camera_are_gone(gallery: LocalGallery) -> None:
    people = group_people(gallery).people
    merge_people(gallery, [person.number for person in people[:3]])
    ids = [id_ for person in people[:3] for id_ in person.ids]
    gallery.delete([id_ for id_ in ids if id_.split("-")[1] == "1"])
    group_people(gallery)
    assert len({groups_of(gallery)[id_] for id_ in ids if id_.split("-")[1] == "2"}) == 1


@given(
    rows=st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 9).filter(bool)), min_size=1, max_size=40),
)
def test_numbers_are_one_to_one_and_go_to_the_largest_share(rows: list[tuple[int, int]]) -> None:
    groups, before = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    nothing = np.full(len(rows), -1)
    numbers = stable_numbers(groups, before, nothing, nothing > 0)
    assert len(set(zip(groups.tolist(), numbers.tolist(), strict=True))) == len(set(groups.tolist()))
    assert len(set(numbers.tolist())) == len(set(groups.tolist()))
    assert ((numbers == -1) == (groups == -1)).all()
    shares = Counter((group, old) for group, old in rows if group >= 0 and old > 0)
    if shares:
        most = max(shares.values())
        assert any(numbers[groups == group][0] == old for (group, old), share in shares.items() if share == most)
    np.testing.assert_array_equal(stable_numbers(groups, numbers, nothing, nothing > 0), numbers)


@pytest.mark.parametrize(
    "label", ["9" * 5000, str(10**20), str(2**63 - 1), "007", "0", "-3", "\u0663", "1e3", "", "3\n", "1_0"]
)
def test_a_label_that_is_no_number_of_a_group_is_none(gallery: LocalGallery, label: str) -> None:
    gallery.update("010-1-0", labels={"person_group": label})
    done = group_people(gallery)
    assert "010-1-0" in groups_of(gallery)
    assert max(person.number for person in done.people) == len(done.people)
    assert gallery.ids(labels={"person_group": label}) == []


def test_numbers_up_to_the_largest_leave_some_for_others(gallery: LocalGallery) -> None:
    gallery.update("010-1-0", person="mia", labels={"person_group": str(LARGEST)})
    people = group_people(gallery).people
    numbers = {person.number for person in people}
    assert numbers == {LARGEST, *range(1, len(people))}
    number = split_person(gallery, people[0].ids[:1])
    assert number == len(people)
    group_people(gallery)
    assert groups_of(gallery)[people[0].ids[0]] == number


def test_a_group_of_two_names_is_not_merged_over_either(gallery: LocalGallery) -> None:
    people = group_people(gallery).people
    gallery.update(people[0].ids[:2], person="mia")
    gallery.update(people[0].ids[2], person="tom")
    with pytest.raises(UsageError, match=rf"different people: {people[0].number} is mia and tom; give them one name"):
        merge_people(gallery, [people[1].number, people[0].number])
    assert gallery.get(people[0].ids[2]).person == "tom"


def test_what_a_hand_does_in_the_last_moment_is_not_overwritten(
    gallery: LocalGallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = group_people(gallery).people
    gallery.update(gallery.ids(), labels=None)
    gallery.update(people[0].ids + people[1].ids, labels={"person_group": "77"})
    write, hands = Gallery.update_each, []

    def after_a_hand(store: Gallery, changes: dict[str, EntryChanges], **more: Any) -> Any:
        if not hands:
            hands.append(people[0].ids[0])
            split_person(gallery, people[0].ids)
        return write(store, changes, **more)

    monkeypatch.setattr(Gallery, "update_each", after_a_hand)
    group_people(gallery)
    of = groups_of(gallery)
    assert {of[id_] for id_ in people[0].ids} == {78}
    assert {of[id_] for id_ in people[1].ids} == {77}


def test_two_hands_at_once_do_not_undo_each_other(gallery: LocalGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    people = group_people(gallery).people
    write = Gallery.update_each

    def after_another(store: Gallery, changes: dict[str, EntryChanges], **more: Any) -> Any:
        store.update(people[0].ids[0], person="mia")
        return write(store, changes, **more)

    monkeypatch.setattr(Gallery, "update_each", after_another)
    numbers = [person.number for person in people[:2]]
    for call in (
        lambda: merge_people(gallery, numbers),
        lambda: name_person(gallery, numbers[0], "tom"),
        lambda: split_person(gallery, people[0].ids[1:2]),
    ):
        gallery.update(people[0].ids[0], person=None)
        with pytest.raises(EntriesChanged, match=r"1 entries .* changed by others .* nothing was changed: try again"):
            call()
    assert groups_of(gallery) == {id_: person.number for person in people for id_ in person.ids}


def test_two_splits_at_once_give_two_groups(gallery: LocalGallery, monkeypatch: pytest.MonkeyPatch) -> None:
    people = group_people(gallery).people
    write, others = Gallery.update_each, []

    def after_another_split(store: Gallery, changes: dict[str, EntryChanges], **more: Any) -> Any:
        if not others:
            others.append(-1)
            others[0] = split_person(gallery, people[1].ids[:1])
        return write(store, changes, **more)

    monkeypatch.setattr(Gallery, "update_each", after_another_split)
    number = split_person(gallery, people[0].ids[:2])
    of = groups_of(gallery)
    assert number == others[0] + 1
    assert [id_ for id_, one in of.items() if one == number] == people[0].ids[:2]
    assert [id_ for id_, one in of.items() if one == others[0]] == people[1].ids[:1]
    assert {of[id_] for id_ in people[0].ids[2:]} == {people[0].number}


class Hands(RuleBasedStateMachine):
    """What hands did holds after any re-run, whatever was added and deleted since; the last change counts."""

    @initialize(seed=st.integers(0, 3))
    def begin(self, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="hands-", dir=MEMORY if MEMORY.is_dir() else None)
        self.gallery = samples.create(Path(self.folder.name) / "people")
        self.pool = samples.ids_of(np.random.default_rng(seed).permutation(60).tolist())
        self.same: dict[frozenset[str], bool] = {}
        self.grouped = False
        self.add(100)

    def teardown(self) -> None:
        if hasattr(self, "gallery"):
            self.gallery.close()
            self.folder.cleanup()

    def facts(self, left: list[str], right: list[str], *, same: bool) -> None:
        self.same |= {frozenset((one, other)): same for one in left for other in right if one != other}

    @rule(number=st.integers(1, 40))
    def add(self, number: int) -> None:
        new, self.pool = self.pool[:number], self.pool[number:]
        if new:
            samples.add(self.gallery, new)

    @rule(number=st.integers(1, 5), seed=st.integers(0, 99))
    def delete(self, number: int, seed: int) -> None:
        ids = np.random.default_rng(seed).permutation(self.gallery.ids())[:number].tolist()
        self.gallery.delete(ids)
        self.same = {pair: same for pair, same in self.same.items() if not pair & {*ids}}

    @rule()
    def run(self) -> None:
        group_people(self.gallery)
        self.grouped = True
        assert group_people(self.gallery).changed == 0

    @precondition(lambda self: self.grouped and len(people_in(self.gallery)) > 4)
    @rule(places=st.lists(st.integers(0, 4), min_size=2, max_size=3, unique=True))
    def merge(self, places: list[int]) -> None:
        people = [people_in(self.gallery)[place] for place in places]
        names = {person.name for person in people} - {None}
        numbers = [person.number for person in people]
        if len(names) > 1:
            with pytest.raises(UsageError, match="different people"):
                merge_people(self.gallery, numbers)
            return
        merge_people(self.gallery, numbers)
        ids = [id_ for person in people for id_ in person.ids]
        self.facts(ids, ids, same=True)

    @precondition(lambda self: self.grouped)
    @rule(place=st.integers(0, 9), number=st.integers(1, 3))
    def split(self, place: int, number: int) -> None:
        people = people_in(self.gallery)
        if place < len(people) and number < len(people[place].ids):
            out, rest = people[place].ids[:number], people[place].ids[number:]
            split_person(self.gallery, out)
            self.facts(out, out, same=True)
            self.facts(rest, rest, same=True)
            self.facts(out, rest, same=False)

    @precondition(lambda self: self.grouped)
    @rule(place=st.integers(0, 9), name=st.sampled_from(["mia", "tom"]))
    def name(self, place: int, name: str) -> None:
        people = people_in(self.gallery)
        if place < len(people):
            ids = [id_ for person in people if person.name == name for id_ in person.ids]
            name_person(self.gallery, people[place].number, name)
            own = [*ids, *people[place].ids]
            self.facts(own, own, same=True)

    @invariant()
    def facts_hold(self) -> None:
        of = groups_of(self.gallery)
        for pair, same in self.same.items():
            one, other = pair
            assert {one, other} <= {*of}, "whoever is known is in a group"
            assert (of[one] == of[other]) == same, (one, other, same)


TestHands = Hands.TestCase
TestHands.settings = settings(
    max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
