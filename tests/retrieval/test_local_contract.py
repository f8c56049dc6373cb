"""The gallery on this machine keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from retrieval.contract import Make, SearchableContract
from swiftreid.encoding.encoder import Encoder
from swiftreid.retrieval.local import LocalGallery
from swiftreid.retrieval.opening import open_gallery


class TestLocalGallery(SearchableContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Iterator[Make]:
        numbers, opened = count(), list[LocalGallery]()

        def make(encoder: Encoder) -> LocalGallery:
            opened.append(open_gallery(tmp_path / str(next(numbers)), encoder=encoder, create=True))
            return opened[-1]

        yield make
        for people in opened:
            people.close()
