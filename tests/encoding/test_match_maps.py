"""Maps of an encoder that looks at two known regions only, and of real ones computed again by plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drawn_figures import draw_person
from swiftreid.data.pictures import resize
from swiftreid.encoding.card import EncoderCard, Preprocessing
from swiftreid.encoding.covering import Covering, Windows
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.match_maps import PictureMap, attribute_maps, dependence_map, match_maps
from swiftreid.errors import UsageError
from swiftreid.search.codes import bits_of, unpack_bits

TOP, BOTTOM = (slice(4, 8), slice(4, 12)), (slice(24, 28), slice(4, 12))
BLACK, GREY, WHITE = 0, 128, 255
SMALL = Covering(4, 2)


class Looking(Encoder):
    """How bright two regions are: as an embedding of 2, as two rows of 16 bits (one a step), and as 2 attributes."""

    kind = "looking"

    def _embed(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        embedding = np.stack([inputs[:, *place].mean(axis=(1, 2, 3)) / 255 for place in (TOP, BOTTOM)], axis=1)
        return embedding.astype(np.float32)

    def _values(self, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        steps = np.float32(np.arange(16) + 0.5) / 16
        values = {"id32": np.concatenate([embedding[:, :1] - steps, embedding[:, 1:] - steps], axis=1)}
        return values | ({"attr2": embedding - np.float32(0.5)} if self.card.attributes else {})


def looking(*, embedding: bool = True, attributes: bool = True) -> Looking:
    card = EncoderCard(
        kind="looking",
        name="looking",
        architecture={},
        spec="id32 attr2" if attributes else "id32",
        embedding=2 if embedding else None,
        attributes=["light_top", "light_bottom"] if attributes else [],
        preprocessing=Preprocessing(height=32, width=16),
        provenance="made up",
        licence="CC0",
    )
    return Looking(card, {})


def picture(top: int, bottom: int) -> NDArray[np.uint8]:
    """Black but for the two regions; the mean of it all is dark."""
    drawn = np.zeros((32, 16, 3), np.uint8)
    drawn[TOP], drawn[BOTTOM] = top, bottom
    return drawn


def touching(windows: Windows, region: tuple[slice, slice]) -> NDArray[np.bool_]:
    """Which patches hold a pixel of the region."""
    marked = np.zeros((windows.height, windows.width), bool)
    marked[region] = True
    return np.array([marked[place].any() for place in windows]).reshape(len(windows.tops), len(windows.lefts))


def two_people() -> list[NDArray[np.uint8]]:
    return [np.asarray(draw_person(person, camera, 1)) for person, camera in ((1, 1), (1, 2), (2, 1))]


def check_regions(found: PictureMap, top: int, bottom: int) -> None:
    """Signs of the changes where patches touch the regions; elsewhere nothing changes."""
    of_top, of_bottom = (touching(found.windows, region) for region in (TOP, BOTTOM))
    for touched, sign in ((of_top, top), (of_bottom, bottom)):
        signs = np.sign(found.changes[touched])
        assert (signs == sign).sum() >= 6
        assert set(signs.tolist()) <= {0, sign}, "a patch that touches a corner may turn no bit"
    assert not found.changes[~of_top & ~of_bottom].any()
    pixels = found.pixels
    assert pixels.shape == (32, 16)
    assert (np.sign(pixels[5, 6:10]) == top).all()
    assert (np.sign(pixels[25, 6:10]) == bottom).all()
    assert not pixels[12:20].any()


def test_a_match_map_says_where_two_pictures_agree_and_differ() -> None:
    one, other = picture(WHITE, WHITE), picture(WHITE, BLACK)
    [found] = match_maps(looking(), one, [other], covering=SMALL)
    assert (found.distance, found.unit) == (16, "bits")
    check_regions(found.query, 1, -1)
    assert found.query.changes.max() <= 16
    np.testing.assert_array_equal(found.query.changes, np.rint(found.query.changes))
    of_top = touching(found.candidate.windows, TOP)
    assert found.candidate.changes[of_top].max() > 0
    assert found.candidate.changes[~of_top].max() <= 0, "covered with the mean, black is no farther from white"


def test_each_candidate_has_its_own_map() -> None:
    one, alike, unlike = picture(WHITE, WHITE), picture(WHITE, WHITE), picture(GREY, WHITE)
    found = match_maps(looking(), one, [alike, unlike], covering=SMALL)
    check_regions(found[0].query, 1, 1)
    check_regions(found[0].candidate, 1, 1)
    check_regions(found[1].query, -1, 1)
    alone = match_maps(looking(), one, [unlike], covering=SMALL)[0]
    np.testing.assert_array_equal(alone.query.changes, found[1].query.changes)
    np.testing.assert_array_equal(alone.candidate.changes, found[1].candidate.changes)
    assert match_maps(looking(), one, []) == []


def test_a_finer_map_shows_what_turns_no_bit() -> None:
    one = picture(WHITE, WHITE)
    faint = Covering(1, 1)  # a pixel in 32 of a region, less than half a step of the code
    encoder = looking()
    plain = dependence_map(encoder, one, code="id32", covering=faint)
    fine = dependence_map(encoder, one, code="id32", fine=True, covering=faint)
    assert not plain.changes.any()
    check_regions(fine, 1, 1)


def test_a_dependence_map_shows_the_regions_that_the_code_is_made_of() -> None:
    check_regions(dependence_map(looking(), picture(WHITE, WHITE), covering=SMALL), 1, 1)
    check_regions(dependence_map(looking(embedding=False), picture(WHITE, WHITE), covering=SMALL), 1, 1)
    attributes = dependence_map(looking(), picture(GREY, WHITE), code="attr2", covering=SMALL)
    of_top = touching(attributes.windows, TOP)
    assert (attributes.changes[of_top] == 1).all(), "grey just is light: a touch turns its bit"
    assert not attributes.changes[~of_top].any(), "and white still is"


def test_an_attribute_map_says_what_the_answer_was_read_off() -> None:
    top, bottom = attribute_maps(looking(), picture(WHITE, BLACK), ["Light top", "light_bottom"], covering=SMALL)
    assert (top.name, bottom.name) == ("light_top", "light_bottom")
    assert top.value == pytest.approx(0.5)
    assert bottom.value == pytest.approx(-0.5)
    of_top = touching(top.map.windows, TOP)
    assert (top.map.changes[of_top] > 0).all(), "what is covered spoke for yes"
    assert not top.map.changes[~of_top].any()
    of_bottom = touching(bottom.map.windows, BOTTOM)
    assert (bottom.map.changes[of_bottom] > 0).all(), "black spoke for no: covered with a lighter mean it does less"
    assert not bottom.map.changes[~of_bottom].any()
    mixed = picture(WHITE, BLACK)
    mixed[4:8, 4:6] = BLACK  # a quarter of the region: it still is light
    [found] = attribute_maps(looking(), mixed, ["light_top"], covering=Covering(2, 2))
    assert found.value == pytest.approx(0.25)
    assert (found.map.changes[2:4, 2] < 0).all(), "the dark quarter spoke against the answer"
    assert (found.map.changes[2:4, 3:6] > 0).all()


@pytest.mark.parametrize(("code", "fine"), [("id128", False), ("id32", True), ("embedding", False), (None, False)])
def test_maps_of_a_real_encoder_are_what_plain_loops_give(code: str | None, fine: bool) -> None:
    encoder = open_encoder("stripes")
    query, *others = (resize(one, *encoder.size) for one in two_people())
    covering = Covering(32, 32)

    def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
        a, b = encoder.encode(one[None]), encoder.encode(other[None])
        assert a.embedding is not None
        assert b.embedding is not None
        name = code or "id2048"
        if name == "embedding" or fine:
            x, y = a.embedding, b.embedding
            if fine:
                x, y = (encoder.values_of(each)[name] for each in (x, y))
            cosine = float(x[0] @ y[0] / np.linalg.norm(x) / np.linalg.norm(y))
            return bits_of(name) / 2 * (1 - cosine) if fine else 1 - cosine
        return float((unpack_bits(a.codes[name], bits_of(name)) != unpack_bits(b.codes[name], bits_of(name))).sum())

    def changes(covered: NDArray[np.uint8], still: NDArray[np.uint8]) -> list[list[float]]:
        rows = []
        for top in range(0, 128, 32):
            row = []
            for left in range(0, 64, 32):
                copy = covered.copy()
                copy[top : top + 32, left : left + 32] = np.rint(covered.mean(axis=(0, 1)))
                row.append(distance(copy, still) - distance(covered, still))
            rows.append(row)
        return rows

    close: dict[str, Any] = {"atol": 1e-4}
    found = match_maps(encoder, query, others, code=code, fine=fine, covering=covering)
    for other, one in zip(others, found, strict=True):
        assert one.distance == pytest.approx(distance(query, other), abs=1e-4)
        np.testing.assert_allclose(one.query.changes, changes(query, other), **close)
        np.testing.assert_allclose(one.candidate.changes, changes(other, query), **close)
        assert np.abs(one.query.changes).max() > 1e-3
    alone = dependence_map(encoder, query, code=code, fine=fine, covering=covering)
    np.testing.assert_allclose(alone.changes, changes(query, query), **close)
    assert alone.changes.min() >= 0


def test_pictures_of_any_size_are_scaled_and_progress_reaches_its_end() -> None:
    one, other = picture(WHITE, WHITE), picture(WHITE, BLACK)
    large = resize(one, 64, 32)
    seen: list[tuple[str, int, int]] = []
    [found] = match_maps(looking(), large, [other], covering=SMALL, progress=lambda *at: seen.append(at))
    [direct] = match_maps(looking(), resize(large, 32, 16), [other], covering=SMALL)
    np.testing.assert_array_equal(found.query.changes, direct.query.changes)
    patches = len(SMALL.windows(32, 16))
    assert seen[-1] == ("covering patches", 2 * patches, 2 * patches)
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})


def test_what_cannot_be_mapped_is_explained() -> None:
    one = picture(WHITE, BLACK)
    blind = looking(embedding=False, attributes=False)
    with pytest.raises(UsageError, match="looking has no code 'id64'; it has id32 attr2, or embedding"):
        match_maps(looking(), one, [one], code="id64")
    with pytest.raises(UsageError, match=r"no code 'id64'; it has id32$"):
        match_maps(blind, one, [one], code="id64")
    for wanted in ({"code": "embedding"}, {"fine": True}):
        with pytest.raises(UsageError, match="gives no embedding, only the codes id32"):
            dependence_map(blind, one, **wanted)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no finer form"):
        dependence_map(looking(), one, code="embedding", fine=True)
    with pytest.raises(UsageError, match="attributes=true in the recipe"):
        attribute_maps(blind, one, ["light_top"])
    with pytest.raises(UsageError, match="no attribute 'lite_top'; did you mean light_top"):
        attribute_maps(looking(), one, ["lite_top"])
    with pytest.raises(UsageError, match="no attribute 'zzz'; there are light_top, light_bottom"):
        attribute_maps(looking(), one, ["zzz"])
    for wrong in (one.astype(np.float32), one[..., :2], one[0], "a.jpg"):
        with pytest.raises(UsageError, match=r"uint8 pictures \[height, width, 3\]"):
            match_maps(looking(), one, [wrong])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="does not fit"):
        match_maps(looking(), one, [one], covering=Covering(99))
