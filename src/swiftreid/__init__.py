"""SwiftReID finds a person across cameras: binary codes, a durable gallery, coarse-to-fine search.

Public names are imported on first use, so that ``import swiftreid`` is quick and never needs torch. ``__init__.pyi``,
which type checkers read, is made from the table below: ``make generated``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "swiftreid.data.samples": ["Sample", "ReidData"],
    "swiftreid.data.sources": ["open_data"],
    "swiftreid.data.reader": ["DataSetReader", "Wanted"],
    "swiftreid.data.readers": ["READERS", "register_reader"],
    "swiftreid.data.doctor": ["diagnose", "Diagnosis"],
    "swiftreid.data.published": ["PUBLISHED_DATA_SETS", "PublishedDataSet"],
    "swiftreid.data.market": ["read_market"],
    "swiftreid.data.folders": ["read_folders"],
    "swiftreid.data.manifest": ["read_manifest"],
    "swiftreid.data.schemas": ["AttributeSchema", "attribute_bits", "schema_of"],
    "swiftreid.data.pictures": ["read_picture", "resize", "BadPicture"],
    "swiftreid.synthetic": ["synthesize"],
    "swiftreid.search.codes": ["CodeSpec", "pack_bits", "unpack_bits"],
    "swiftreid.search.table": ["CodeTable"],
    "swiftreid.search.stages": ["Stage"],
    "swiftreid.search.cascade": ["Cascade"],
    "swiftreid.search.results": ["SearchResult"],
    "swiftreid.calibration.thresholds": ["fit_thresholds", "sweep_betas", "choose_beta"],
    "swiftreid.calibration.recall": ["recall_thresholds", "people_needed"],
    "swiftreid.calibration.short_list": ["fit_short_list"],
    "swiftreid.search.description": ["Description"],
    "swiftreid.calibration.same_person": ["fit_same_person", "decide"],
    "swiftreid.calibration.pairs": ["pair_histograms"],
    "swiftreid.search.inverted_lists": ["InvertedLists"],
    "swiftreid.calibration.nprobe": ["fit_nprobe"],
    "swiftreid.reranking.reciprocal": ["Reciprocal"],
    "swiftreid.reranking.rerank": ["rerank_codes", "rerank_embeddings", "rerank_results"],
    "swiftreid.reranking.gallery_graph": ["GalleryGraph", "Reordered"],
    "swiftreid.reranking.expansion": ["expand_codes", "expand_embeddings"],
    "swiftreid.reranking.multi_query": ["search_together", "fuse_codes", "fuse_embeddings"],
    "swiftreid.evaluation.protocol": ["evaluate_rankings", "Metrics", "Protocol"],
    "swiftreid.evaluation.labelled": ["LabelledCodes"],
    "swiftreid.evaluation.measure": ["measure", "Measured"],
    "swiftreid.evaluation.attributes": ["attribute_scores", "AttributeScores"],
    "swiftreid.evaluation.card": ["ResultCard"],
    "swiftreid.evaluation.verdicts": ["compare_cards", "Comparison"],
    "swiftreid.figures.ranking_picture": ["draw_rankings", "RankedPictures", "Candidate"],
    "swiftreid.figures.match_picture": ["draw_maps", "Panel", "Legend"],
    "swiftreid.nn.trunks": ["make_trunk", "load_weights"],
    "swiftreid.methods": ["build_method", "Method"],
    "swiftreid.encoding.encoding": ["Encoding"],
    "swiftreid.encoding.card": ["EncoderCard", "Preprocessing"],
    "swiftreid.encoding.encoder": ["Encoder", "open_encoder"],
    "swiftreid.encoding.external": ["wrap_network"],
    "swiftreid.encoding.vectors": ["Vectors", "read_vectors"],
    "swiftreid.encoding.vector_encoder": ["vector_encoder"],
    "swiftreid.encoding.covering": ["Covering"],
    "swiftreid.encoding.match_maps": ["match_maps", "dependence_map", "attribute_maps"],
    "swiftreid.training.frozen.pyramid": ["fit_pyramid"],
    "swiftreid.training.frozen.hashing": ["learn_hash", "learn_vectors"],
    "swiftreid.training.network.train": ["train_network"],
    "swiftreid.experiments.settings": ["EvaluationSettings"],
    "swiftreid.experiments.evaluate": ["evaluate", "evaluations", "Evaluation"],
    "swiftreid.experiments.calibrate": ["calibrate_encoder", "calibrate_vectors", "CalibrationSettings"],
    "swiftreid.experiments.encoded": ["encode_test_set", "EncodedData"],
    "swiftreid.gallery.entries": ["Entry"],
    "swiftreid.gallery.errors": ["GalleryError", "GalleryBusy", "EntryNotFound", "OtherEncoder"],
    "swiftreid.gallery.filters": ["Filters"],
    "swiftreid.gallery.snapshot": ["Snapshot"],
    "swiftreid.gallery.store": ["Gallery"],
    "swiftreid.retrieval.opening": ["open_gallery"],
    "swiftreid.retrieval.local": ["LocalGallery"],
    "swiftreid.retrieval.query": ["Query", "PersonDescription"],
    "swiftreid.retrieval.answer": ["Answer", "Answers", "Hit", "Verdict"],
    "swiftreid.retrieval.searchable": ["Searchable"],
    "swiftreid.retrieval.drawing": ["rankings_of"],
    "swiftreid.recipes": ["find_recipe", "shipped_recipes", "ShippedRecipe"],
    "swiftreid.errors": ["SwiftReIDError", "UsageError"],
}
_HOME = {name: module for module, names in _ROOMS.items() for name in names}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'swiftreid' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
