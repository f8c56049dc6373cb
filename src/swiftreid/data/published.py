"""The published data sets: what they are called, where they lie, and how much of everything they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MARKET = "market1501"
MARKET_500K = "market1501+500k"
DUKE = "dukemtmc-reid"
CUHK03_LABELLED = "cuhk03-np-labelled"
CUHK03_DETECTED = "cuhk03-np-detected"
MSMT17_V1 = "msmt17-v1"
MSMT17_V2 = "msmt17-v2"


@dataclass(frozen=True)
class PublishedCounts:
    """What a split of a published data set holds.

    Attributes:
        pictures: picture files, junk and distractors among them.
        persons: identities, without junk and distractors.
        cameras: cameras.
        junk: pictures with person -1.
        distractors: pictures with person 0.
    """

    pictures: int
    persons: int
    cameras: int
    junk: int = 0
    distractors: int = 0

    @property
    def without_junk(self) -> int:
        """Pictures that a ranking holds: papers count Market-1501's gallery so (15,913 and not 19,732)."""
        return self.pictures - self.junk


@dataclass(frozen=True)
class PublishedDataSet:
    """A published data set.

    Attributes:
        name: as commands take it.
        title: as papers call it.
        counts: split name ("train", "query", "gallery", and "distractors" or "multi_query" where it has them) ->
            published counts. MSMT17's "train" is train and val together; see ``train_only``.
        layout: which folders and files the reader expects.
        variables: environment variables that may name its folder, first come first.
        folders: customary names of its folder under ``SWIFTREID_DATA``.
        notes: what to know before comparing figures.
        train_only: counts of "train" if only the training list is used, without the validation list.
        withdrawn: why the reader is off by default; None where it is not.
        source: who published it, and where.
    """

    name: str
    title: str
    counts: Mapping[str, PublishedCounts]
    layout: str
    variables: tuple[str, ...]
    folders: tuple[str, ...]
    notes: tuple[str, ...] = ()
    train_only: PublishedCounts | None = None
    withdrawn: str | None = None
    source: str = ""

    def expected(self, split: str, *, train: str = "train+val") -> PublishedCounts | None:
        """Published counts of a split; None if it has no such split."""
        if split == "train" and train == "train" and self.train_only is not None:
            return self.train_only
        return self.counts.get(split)


_MARKET_LAYOUT = (
    "bounding_box_train, query, bounding_box_test; pictures such as 0844_c3s2_107328_01.jpg; optional gt_bbox"
)
_MARKET_COUNTS = {
    "train": PublishedCounts(12_936, 751, 6),
    "query": PublishedCounts(3_368, 750, 6),
    "gallery": PublishedCounts(19_732, 750, 6, junk=3_819, distractors=2_798),
}
_MARKET_FOLDERS = (
    "Market-1501-v15.09.15",
    "market1501/Market-1501-v15.09.15",
    "market1501",
    "Market1501",
    "Market-1501",
    "market-1501",
)
_MARKET_NOTES = (
    "papers count the gallery without junk (15,913 of 19,732 pictures; some print 15,912)",
    "person 0 are distractors: they stay in the ranking and are wrong for every query",
)


def _cuhk03(name: str, title: str, spelling: str, train: int, gallery: int) -> PublishedDataSet:
    return PublishedDataSet(
        name,
        title,
        {
            "train": PublishedCounts(train, 767, 2),
            "query": PublishedCounts(1_400, 700, 2),
            "gallery": PublishedCounts(gallery, 700, 2),
        },
        f"cuhk03-np/{spelling}/ with bounding_box_train, query, bounding_box_test; or "
        f"cuhk03_new_protocol_config_{spelling}.mat beside images_{spelling} with pictures such as 1_001_1_01.png",
        ("SWIFTREID_CUHK03_NP", "SWIFTREID_CUHK03"),
        ("cuhk03-np", "CUHK03-NP", "cuhk03", "CUHK03", "cuhk03_np"),
        (
            "the new protocol (767 people to train, 700 to test), not the older one of 1,367 and 100",
            "the standard and the trapezoidal mAP differ by up to 2.7 points here",
        ),
        source="Li et al., CVPR 2014; Zhong et al., CVPR 2017",
    )


def _msmt17(name: str, title: str, folders: str, inner: str, note: str) -> PublishedDataSet:
    return PublishedDataSet(
        name,
        title,
        {
            "train": PublishedCounts(32_621, 1_041, 15),
            "query": PublishedCounts(11_659, 3_060, 15),
            "gallery": PublishedCounts(82_161, 3_060, 15),
        },
        f"list_train.txt, list_val.txt, list_query.txt and list_gallery.txt beside the folders {folders}",
        (f"SWIFTREID_{inner}", "SWIFTREID_MSMT17"),
        (inner, f"msmt17/{inner}", f"MSMT17/{inner}", "msmt17", "MSMT17", inner.lower()),
        ("most papers train on train and val together (32,621 pictures); train alone has 30,248", note),
        train_only=PublishedCounts(30_248, 1_041, 15),
        source="Wei et al., CVPR 2018",
    )


_LIST = (
    PublishedDataSet(
        MARKET,
        "Market-1501",
        _MARKET_COUNTS,
        _MARKET_LAYOUT,
        ("SWIFTREID_MARKET1501",),
        _MARKET_FOLDERS,
        _MARKET_NOTES,
        source="Zheng et al., ICCV 2015",
    ),
    PublishedDataSet(
        MARKET_500K,
        "Market-1501+500k",
        {**_MARKET_COUNTS, "distractors": PublishedCounts(500_000, 0, 6, distractors=500_000)},
        f"{_MARKET_LAYOUT}; and the pictures of distractors_500k.zip in images/ inside or beside",
        ("SWIFTREID_MARKET1501",),
        _MARKET_FOLDERS,
        (*_MARKET_NOTES, "with all distractors the gallery holds 515,913 pictures without junk"),
        source="Zheng et al., ICCV 2015",
    ),
    PublishedDataSet(
        DUKE,
        "DukeMTMC-reID",
        {
            "train": PublishedCounts(16_522, 702, 8),
            "query": PublishedCounts(2_228, 702, 8),
            "gallery": PublishedCounts(17_661, 1_110, 8),
        },
        "bounding_box_train, query, bounding_box_test; pictures such as 0005_c2_f0046985.jpg",
        ("SWIFTREID_DUKEMTMC_REID", "SWIFTREID_DUKEMTMC"),
        ("DukeMTMC-reID", "dukemtmc-reid/DukeMTMC-reID", "dukemtmc-reid", "dukemtmcreid", "dukemtmc", "DukeMTMC"),
        ("408 of the 1,110 people in the gallery are never queried",),
        withdrawn=(
            "DukeMTMC was withdrawn by its authors in 2019, because the people in it never consented to being filmed "
            "for research"
        ),
        source="Ristani et al., ECCV workshops 2016; Zheng et al., ICCV 2017",
    ),
    _cuhk03(CUHK03_LABELLED, "CUHK03-NP (labelled)", "labeled", 7_368, 5_328),
    _cuhk03(CUHK03_DETECTED, "CUHK03-NP (detected)", "detected", 7_365, 5_332),
    _msmt17(MSMT17_V1, "MSMT17 V1", "train and test", "MSMT17_V1", "version 1 shows faces; version 2 masks them"),
    _msmt17(
        MSMT17_V2,
        "MSMT17 V2",
        "mask_train_v2 and mask_test_v2",
        "MSMT17_V2",
        "version 2 masks faces; the lists and counts are those of version 1",
    ),
)

PUBLISHED_DATA_SETS: Mapping[str, PublishedDataSet] = {data_set.name: data_set for data_set in _LIST}
"""Published data sets by name."""
