"""The people of a gallery: groups of its entries, as `group_people` made them and as they were changed by hand.

The group of an entry is its label `GROUP`: it is stored, filtered by, exported and erased with the entry. Entries that
were merged or split by hand have the label `GROUPED_BY` too. Whoever has a name, or was grouped by hand, is known:
entries of one known person stay together, and those of two stay apart, whatever is found later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Final

from swiftreid.data.samples import DISTRACTOR, JUNK
from swiftreid.errors import UsageError
from swiftreid.gallery.changes import EntryChanges
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.ids import listed_ids
from swiftreid.retrieval.local import LocalGallery

GROUP: Final = "person_group"
"""Label with the number of an entry's group."""

GROUPED_BY: Final = "person_group_by"
"""Label of entries that were put into their group by hand."""

BY_HAND: Final = "hand"

LARGEST: Final = 10**9
"""Numbers of groups are up to this."""

_NUMBER: Final = re.compile("[1-9][0-9]{0,9}")
_NOBODY: Final = frozenset({str(JUNK), str(DISTRACTOR)})  # as names of data sets' files have them


@dataclass(frozen=True)
class PersonGroup:
    """A group of entries that show one person.

    Attributes:
        number: of the group, from 1.
        name: of the person, where it is known.
        entries: without thumbnails, in gallery order.
    """

    number: int
    name: str | None
    entries: tuple[Entry, ...]

    @property
    def ids(self) -> list[str]:
        """Of the entries."""
        return [entry.id for entry in self.entries]

    @property
    def cameras(self) -> dict[str, int]:
        """Entries of each camera."""
        return dict(sorted(Counter(entry.camera for entry in self.entries).items()))

    @property
    def times(self) -> tuple[float, float] | None:
        """The earliest and the latest time, in seconds since 1970 UTC; None where none is known."""
        known = [entry.time for entry in self.entries if entry.time is not None]
        return (min(known), max(known)) if known else None

    @property
    def by_hand(self) -> int:
        """Entries that were put into the group by hand."""
        return sum(entry.labels.get(GROUPED_BY) == BY_HAND for entry in self.entries)


def name_of(entry: Entry) -> str | None:
    """The person of an entry; None where it is not known, or is none, as of pictures that data sets call junk."""
    return None if entry.person in _NOBODY else entry.person


def group_of(entry: Entry) -> int | None:
    """The number of the group that an entry is in; None where it is in none, also where its label is no such number."""
    text = entry.labels.get(GROUP, "")
    return number if _NUMBER.fullmatch(text) and (number := int(text)) <= LARGEST else None


def new_numbers(used: Collection[int]) -> Iterator[int]:
    """Numbers that no group has: those behind all others, or where these are too large the smallest.

    Example:
        >>> from itertools import islice
        >>> list(islice(new_numbers({2, 7}), 3)), list(islice(new_numbers({2, LARGEST}), 3))
        ([8, 9, 10], [1, 3, 4])
    """
    most, taken = max((0, *used)), set(used)
    behind = range(most + 1, LARGEST + 1)
    yield from behind
    yield from (number for number in count(1) if number not in taken and number not in behind)


def known_people(entries: Sequence[Entry]) -> list[str | int | None]:
    """What tells known people apart: each entry's name, or the number of the group that it was put into by hand."""
    names: dict[int, set[str]] = {}
    by_hand = [group_of(entry) if entry.labels.get(GROUPED_BY) == BY_HAND else None for entry in entries]
    for number, entry in zip(by_hand, entries, strict=True):
        if number is not None and (name := name_of(entry)) is not None:
            names.setdefault(number, set()).add(name)
    known: list[str | int | None] = []
    for number, entry in zip(by_hand, entries, strict=True):
        common = names.get(number, set()) if number is not None else set()
        known.append(name_of(entry) or (next(iter(common)) if len(common) == 1 else number))
    return known


def people_in(gallery: LocalGallery) -> list[PersonGroup]:
    """The groups of a gallery, the largest first.

    Example:
        ``[(person.number, person.name, len(person.entries)) for person in people_in(gallery)]``
    """
    return people_of(gallery.store)


def people_of(entries: Iterable[Entry]) -> list[PersonGroup]:
    """The groups of entries, the largest first."""
    members: dict[int, list[Entry]] = {}
    for entry in entries:
        number = group_of(entry)
        if number is not None:
            members.setdefault(number, []).append(entry)
    people = [PersonGroup(number, _common_name(own), tuple(own)) for number, own in members.items()]
    return sorted(people, key=lambda person: (-len(person.entries), person.number))


def _common_name(entries: Sequence[Entry]) -> str | None:
    names = Counter(name for entry in entries if (name := name_of(entry)) is not None)
    return min(names, key=lambda name: (-names[name], name)) if names else None


def merge_people(gallery: LocalGallery, numbers: Collection[int]) -> int:
    """Make one group of several, by hand: a later `group_people` keeps their entries together.

    If one of them has a name, all entries get it.

    Args:
        gallery: open for writing.
        numbers: of the groups.

    Returns:
        The number of the group: that of the one with a name, or else the first.

    Raises:
        UsageError: there is no such group, there are fewer than two, or their entries have different names.
        EntriesChanged: others changed one of the entries meanwhile; nothing was changed.
    """
    if len(set(numbers)) < 2:
        raise UsageError(f"merging needs two groups or more, got {', '.join(map(str, numbers)) or 'none'}")
    own = _chosen(gallery, numbers)
    named = [person for person in own if person.name is not None]
    names = {person.number: sorted({name for one in person.entries if (name := name_of(one))}) for person in named}
    if len(set(chain.from_iterable(names.values()))) > 1:
        listed = ", ".join(f"{number} is {' and '.join(found)}" for number, found in names.items())
        raise UsageError(f"these groups are different people: {listed}; give them one name if they are not")
    return _make_one(gallery, own, (named or own)[0])


def _make_one(gallery: LocalGallery, people: Sequence[PersonGroup], into: PersonGroup) -> int:
    changes: EntryChanges = {"labels": {GROUP: str(into.number), GROUPED_BY: BY_HAND}}
    if into.name is not None:
        changes["person"] = into.name
    entries = {entry.id: entry for person in people for entry in person.entries}
    gallery.store.update_each(dict.fromkeys(entries, changes), expected=entries)
    return into.number


def split_person(gallery: LocalGallery, ids: Collection[str]) -> int:
    """Take entries out of their group, by hand: they become one of their own, which later stays apart from the rest.

    Those that had a name lose it.

    Args:
        gallery: open for writing.
        ids: of entries of one group, but not of all.

    Returns:
        The number of the new group.

    Raises:
        EntryNotFound: one of the ids is not there.
        UsageError: the entries are in no group, in several, or all of their group.
        EntriesChanged: as for `merge_people`.
    """
    taken = gallery.entries(listed_ids(ids, "split_person"))
    numbers = {entry.id: group_of(entry) for entry in taken}
    found = set(numbers.values())
    if len(found) != 1 or None in found:
        listed = ", ".join(f"{id_} in {number or 'no group'}" for id_, number in numbers.items())
        raise UsageError(f"splitting takes entries of one group, got {listed or 'none'}")
    people = people_in(gallery)
    person = next(person for person in people if person.number in found)
    rest = [id_ for id_ in person.ids if id_ not in numbers]
    if not rest:
        raise UsageError(f"these are all entries of group {person.number}: leave at least one in it")
    stays: EntryChanges = {"labels": {GROUPED_BY: BY_HAND}}
    changes = dict.fromkeys(rest, stays)
    entries, out = {entry.id: entry for entry in person.entries}, set(numbers)
    while True:
        number = next(new_numbers([other.number for other in people]))
        new: EntryChanges = {"person": None, "labels": {GROUP: str(number), GROUPED_BY: BY_HAND}}
        gallery.store.update_each({**changes, **dict.fromkeys(out, new)}, expected=entries)
        people = people_in(gallery)
        members = {entry.id: entry for other in people if other.number == number for entry in other.entries}
        if members.keys() <= out:
            return number
        # Others took the same number for somebody else at the same time: take the next one.
        out &= members.keys()
        changes, entries = {}, {id_: members[id_] for id_ in out}


def name_person(gallery: LocalGallery, number: int, name: str) -> int:
    """Name a group: all of its entries get this person. A group that has the name already takes them in.

    Args:
        gallery: open for writing.
        number: of the group.
        name: of the person; spaces around it are dropped.

    Returns:
        The number of the group that has the name now.

    Raises:
        UsageError: there is no such group, or the name is empty or stands for nobody.
        EntriesChanged: as for `merge_people`.
    """
    name = name.strip()
    if not name or name in _NOBODY:
        raise UsageError(f"{name!r} is no person's name")
    [person] = _chosen(gallery, [number])
    same = [other for other in people_in(gallery) if other.name == name and other.number != number]
    return _make_one(gallery, [*same, person], PersonGroup(same[0].number if same else number, name, ()))


def _chosen(gallery: LocalGallery, numbers: Collection[int]) -> list[PersonGroup]:
    people = {person.number: person for person in people_in(gallery)}
    missing = [str(number) for number in numbers if number not in people]
    if missing:
        has = f"its {len(people)} groups have numbers up to {max(people)}" if people else "it has none: group it first"
        raise UsageError(f"gallery {gallery.store.path} has no group {', '.join(missing)}; {has}")
    return [people[number] for number in dict.fromkeys(numbers)]
