from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.market import read_market
from swiftreid.encoding.domain import domain_of, sources_of
from swiftreid.encoding.encoder import open_encoder


def test_only_what_is_recorded_is_said(drawn_people: Path) -> None:
    data, card = read_market(drawn_people), open_encoder("stripes").card

    def told(**training: object) -> str:
        return domain_of(card.model_copy(update={"training": training}), data)[1]

    assert told() == "unknown"
    assert told(data="drawn") == "unknown", "a name alone proves nothing"
    assert told(data="other", data_fingerprint=fingerprint_of(data)) == "same data set"
    assert told(data="other", data_fingerprint="0") == "cross-domain"
    assert told(data="DRAWN", data_fingerprint="0") == "unknown", "another version of it, perhaps"
    elsewhere = {"data": "other", "data_fingerprint": "0"}
    own = {"data": "drawn", "data_fingerprint": fingerprint_of(data)}
    assert told(**elsewhere, learned_from=[elsewhere]) == "cross-domain"
    assert told(**elsewhere, learned_from=[elsewhere, own]) == "same data set", "by way of its teacher"
    assert told(**elsewhere, learned_from=[{"data": "", "data_fingerprint": ""}]) == "unknown", (
        "its teacher does not say"
    )
    assert sources_of(card.model_copy(update={"training": {**own, "learned_from": [elsewhere]}})) == [own, elsewhere]
    market = replace(data, published="market1501")
    trained = card.model_copy(update={"training": {"data": "market1501", "data_fingerprint": "0"}})
    assert domain_of(trained, market)[1] == "unknown"
    assert domain_of(card, data)[0] == card.provenance
