"""Counts of a published data set against those that its authors published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swiftreid.data.doctor.diagnosis import Finding, SplitCounts
from swiftreid.data.published import PUBLISHED_DATA_SETS, PublishedCounts
from swiftreid.data.samples import ReidData

_FIELDS = ("pictures", "persons", "cameras", "junk", "distractors")


def published_findings(data: ReidData, counts: Mapping[str, SplitCounts], train: str) -> Iterable[Finding]:
    """Where a copy differs from the published one; or that it does not.

    Args:
        data: the data set; nothing is yielded of one that is not published.
        counts: of each split, "distractors" and "multi_query" among them where there are any.
        train: the training pictures that were asked for, "train+val" or "train".
    """
    if data.published is None:
        return
    original = PUBLISHED_DATA_SETS[data.published]
    compared, different = 0, False
    for split in original.counts:
        expected, found = original.expected(split, train=train), counts.get(split)
        if expected is None or found is None or not found.pictures:
            continue  # an empty split has a finding of its own
        compared += 1
        if differing := _differing(found, expected):
            message = f"{split} differs from {original.title} as published: {'; '.join(differing)}"
            advice = (
                "Figures on it are not comparable with published ones. Fetch the data set again, or rename its folder "
                "if it is your own selection."
            )
            yield Finding("warning", f"published-{split}", message, advice)
            different = True
    if compared and not different:
        message = f"all counts are those of {original.title} as published ({original.source})"
        yield Finding("note", "as-published", message)


def _differing(found: SplitCounts, expected: PublishedCounts) -> list[str]:
    return [
        f"{getattr(found, name):,} {name} instead of {getattr(expected, name):,}"
        for name in _FIELDS
        if getattr(found, name) != getattr(expected, name)
    ]
