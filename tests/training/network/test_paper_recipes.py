"""Recipes after papers have the papers' numbers, and every row of the papers' tables starts from one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from swiftreid.experiments.published import PAPERS as PAPERS_OF_ROWS
from swiftreid.experiments.published import published_rows
from swiftreid.methods import METHODS, build_method, learns_attributes, method_config
from swiftreid.recipes import RECIPES
from swiftreid.training.network.recipe import NetworkRecipe, load_network_recipe

OURS = {"small", "frozen", "shipped"}  # after no paper, or of no method
AFTER_PAPERS = {
    name for path in RECIPES.rglob("*.yaml") if (name := path.relative_to(RECIPES).with_suffix("")).parts[0] not in OURS
}

AIO: dict[str, Any] = {"trunk": "resnet50", "probability_weight": 1.0, "similarity_weight": 1000.0, "pyramid": True}
AIO |= {"code_lengths": (2048, 512, 128, 32), "smoothing": 0.1, "margin": 0.3, "temperature": 1.0, "variant": "paper"}
NO_SIMILARITY = {**AIO, "similarity_weight": 0.0}
NO_DISTILLATION = {**NO_SIMILARITY, "probability_weight": 0.0}
LIN: dict[str, Any] = {"trunk": "resnet50_ibn_a", "classification_weight": 1.0, "smoothing": 0.1, "lin_weight": 0.4}
LIN |= {"radius": 0.7, "temperature": 1.0, "neck": True, "detach_weights": True}
ALONE = {**LIN, "classification_weight": 0.0, "lin_weight": 1.0}
SOFTMAX = {**LIN, "lin_weight": 0.0}
SSR: dict[str, Any] = {
    "trunk": "resnet50",
    "bits": 2048,
    "parts": 6,
    "relaxation": "ssr",
    "norm": True,
    "attention": True,
}
SSR |= {"margin": 0.3, "smoothing": 0.0, "alpha": 0.3, "attribute_weight": 0.3, "codes": "student"}
SSR |= {"distillation": "end_to_end"}
BARE = {**SSR, "attention": False, "attribute_weight": 0.0}
RELAXATIONS: dict[str, dict[str, Any]] = {
    "smooth_relaxation/paper": SSR,
    "smooth_relaxation/baseline_ssr": BARE,
    "smooth_relaxation/baseline_sigmoid": {**BARE, "relaxation": "sigmoid", "norm": False, "alpha": 0.7},
}
AGW: dict[str, Any] = {"non_local": True, "pooling": "gem", "triplet": "weighted"}
STEPS = {"pcb": (60, (40,)), "mgn": (80, (40, 60)), "abd_net": (80, (20, 40)), "agw": (120, (40, 70))}
HOSTS: dict[str, dict[str, Any]] = {
    "pcb": {"parts": 6, "length": 256, "relaxation": "none", "pooling": "average"},
    "mgn": {"length": 256, "margin": 1.2, "relaxation": "none", "pooling": "max"},
    "abd_net": {"length": 1024, "margin": 1.2, "triplet_weight": 0.1, "feature_weight": 1e-6, "filter_weight": 1e-3},
    "agw": {**AGW, "smoothing": 0.1, "centre_weight": 0.0005},
    "agw_sigmoid": {**RELAXATIONS["smooth_relaxation/baseline_sigmoid"], **AGW},
    "agw_ssr": {**BARE, **AGW},
    "agw_ssr_aab": {**SSR, **AGW},
}
HOSTS = {f"smooth_relaxation/hosts/{name}": settings for name, settings in HOSTS.items()}
PAPERS: dict[str, dict[str, Any]] = {
    "baseline": {"trunk": "resnet50", "smoothing": 0.1, "margin": 0.3, "centre_weight": 0.0},
    "all_in_one/paper": AIO,
    "all_in_one/released": {**AIO, "variant": "released", "code_lengths": (2048, 1024, 512, 256, 128, 64, 32)},
    "all_in_one/table5_separate": {**NO_DISTILLATION, "pyramid": False},
    "all_in_one/table5_pyramid": NO_DISTILLATION,
    "all_in_one/table5_pyramid_probability": NO_SIMILARITY,
    "ranking/paper": LIN,
    "ranking/released": {**LIN, "temperature": 0.0, "detach_weights": False},
    "ranking/table1_lin_before": {**ALONE, "neck": False},
    "ranking/table1_lin_after": ALONE,
    "ranking/table1_softmax": {**SOFTMAX, "neck": False},
    "ranking/table1_softmax_bn": SOFTMAX,
    **{
        f"ranking/table5_{trunk}": {**LIN, "trunk": trunk}
        for trunk in ("resnet34", "resnet50", "se_resnet50", "se_resnext50")
    },
}

WITHOUT_LABELS: dict[str, Any] = {"surrogates": "patches", "surrogate_classes": 8000, "transforms": 64, "length": 512}
WITHOUT_LABELS |= {"separation": "formula", "separation_weight": 1.0, "slope": 2.0, "threshold": 0.25}
WITHOUT_LABELS |= {"adversarial_weight": 0.015, "alignment_weight": 2.5, "parts_by": "adversary"}
WITHOUT_LABELS |= {"alignment_non_local": True, "separation_epochs": 40, "lengths": None, "centring": "all"}
SELF_SIMILARITY: dict[str, dict[str, Any]] = {
    "self_similarity/paper": {**WITHOUT_LABELS, "trunk": "resnet50", "dense": True},
    "self_similarity/resnet50": {**WITHOUT_LABELS, "trunk": "resnet50", "dense": False},
    "self_similarity/googlenet": {**WITHOUT_LABELS, "trunk": "googlenet", "dense": False},
    "self_similarity/googlenet_dense": {**WITHOUT_LABELS, "trunk": "googlenet", "dense": True},
}
ADAPTED: dict[str, dict[str, Any]] = {  # SpCL: section 4.1 of its paper; Cluster Contrast: its released settings
    "hybrid_memory/paper": {
        "pooling": "average", "length": 0, "temperature": 0.05, "momentum": 0.2, "k1": 30, "k2": 6, "eps": 0.6,
        "least": 4, "gap": 0.02, "independent": 0.9, "cameras": False,
    },
    "cluster_memory/paper": {
        "pooling": "gem", "length": 0, "temperature": 0.05, "momentum": 0.1, "clusters": "dbscan", "eps": 0.6,
    },
}  # fmt: skip
PINNED = {*PAPERS, *RELAXATIONS, *HOSTS, *SELF_SIMILARITY, *ADAPTED}


def settings_of(recipe: NetworkRecipe) -> Any:
    """The method's settings, with what the recipe leaves out."""
    return method_config(recipe.method, recipe.settings)


def test_every_paper_recipe_is_pinned() -> None:
    shipped = {name.as_posix() for name in AFTER_PAPERS}
    assert shipped <= PINNED, f"{sorted(shipped - PINNED)}: state the paper's numbers in PAPERS or HOSTS of this file"
    assert shipped >= PINNED, f"{sorted(PINNED - shipped)}: no such YAML file below src/swiftreid/recipes/"


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_numbers(name: str) -> None:
    recipe = load_network_recipe(RECIPES / f"{name}.yaml")
    assert recipe.method == name.partition("/")[0]
    assert recipe.size == (256, 128)
    assert (recipe.batches.persons, recipe.batches.pictures, recipe.batches.per_step) == (16, 4, 1)
    optimiser, schedule = recipe.optimiser, recipe.schedule
    assert (optimiser.name, optimiser.learning_rate, optimiser.trunk_rate, optimiser.clip) == (
        "adam",
        3.5e-4,
        None,
        None,
    )
    assert (optimiser.weight_decay, optimiser.decay_all) == (5e-4, True)
    assert (schedule.epochs, schedule.per_epoch, schedule.shape) == (120, None, "steps")
    assert (schedule.warm_up, schedule.start, schedule.decay_at, schedule.decay) == (10, 0.01, (40, 70), 0.1)
    changed = {field: value for field, value in recipe.augmentation.model_dump().items() if value}
    assert changed == {"flip": 0.5, "shift": 0.04, "erase": 0.5}
    assert round(recipe.augmentation.shift * recipe.size[0]) == 10, "padding by 10 pixels"
    assert (recipe.ema, recipe.amp, recipe.held_out, recipe.views, recipe.init) == (0, "off", 0, 1, None)
    settings = settings_of(recipe)
    assert (settings.last_stride, settings.pooling) == (1, "average")
    assert {field: getattr(settings, field) for field in PAPERS[name]} == PAPERS[name]


@pytest.mark.parametrize("name", RELAXATIONS)
def test_the_numbers_of_the_ssr_paper(name: str) -> None:
    recipe = load_network_recipe(RECIPES / f"{name}.yaml")
    assert recipe.method == "smooth_relaxation"
    assert recipe.size == (384, 128)
    assert (recipe.batches.persons, recipe.batches.pictures, recipe.batches.per_step) == (16, 4, 1)
    optimiser, schedule = recipe.optimiser, recipe.schedule
    assert (optimiser.name, optimiser.learning_rate, optimiser.trunk_rate) == ("sgd", 0.01, None)
    assert (optimiser.weight_decay, optimiser.decay_all) == (5e-4, True)
    assert (schedule.epochs, schedule.warm_up, schedule.shape, schedule.decay) == (350, 20, "steps", 0.1)
    assert schedule.start * optimiser.learning_rate == pytest.approx(0.001)
    assert schedule.decay_at == (140, 245), "40 % and 70 % of the run"
    changed = {field: value for field, value in recipe.augmentation.model_dump().items() if value}
    assert changed == {"flip": 0.5, "erase": 0.5}
    settings = settings_of(recipe)
    assert (settings.last_stride, settings.pooling) == (1, "average")
    assert {field: getattr(settings, field) for field in RELAXATIONS[name]} == RELAXATIONS[name]


@pytest.mark.parametrize("name", SELF_SIMILARITY)
def test_the_numbers_of_the_self_similarity_paper(name: str) -> None:
    recipe = load_network_recipe(RECIPES / f"{name}.yaml")
    assert (recipe.method, recipe.size) == ("self_similarity", (256, 128))
    assert recipe.batches.persons * recipe.batches.pictures * recipe.batches.per_step == 64
    optimiser, schedule = recipe.optimiser, recipe.schedule
    assert (optimiser.name, optimiser.learning_rate, optimiser.trunk_rate) == ("sgd", 0.05, None)
    assert (optimiser.weight_decay, optimiser.decay_all) == (5e-4, True)
    assert (schedule.epochs, schedule.per_epoch, schedule.warm_up, schedule.shape) == (300, None, 0, "steps")
    assert (schedule.decay_at, schedule.decay * optimiser.learning_rate) == ((40,), pytest.approx(0.005))
    changed = {field: value for field, value in recipe.augmentation.model_dump().items() if value}
    assert changed == {"flip": 0.5, "erase": 0.5}
    assert (recipe.ema, recipe.amp, recipe.held_out, recipe.init) == (0, "off", 0, None)
    settings = settings_of(recipe)
    assert {field: getattr(settings, field) for field in SELF_SIMILARITY[name]} == SELF_SIMILARITY[name]


@pytest.mark.parametrize("name", ADAPTED)
def test_the_numbers_of_adaptation(name: str) -> None:
    recipe = load_network_recipe(RECIPES / f"{name}.yaml")
    assert (recipe.method, recipe.size) == (name.partition("/")[0], (256, 128))
    optimiser, schedule, batches = recipe.optimiser, recipe.schedule, recipe.batches
    assert (batches.persons, batches.pictures) == {"hybrid_memory": (16, 4), "cluster_memory": (16, 16)}[recipe.method]
    steps = {"hybrid_memory": 400, "cluster_memory": 200}[recipe.method]
    assert schedule.per_epoch == steps * batches.persons * batches.pictures
    assert (optimiser.name, optimiser.learning_rate, optimiser.trunk_rate) == ("adam", 3.5e-4, None)
    assert (optimiser.weight_decay, optimiser.decay_all) == (5e-4, True)
    assert (schedule.epochs, schedule.warm_up, schedule.decay_at, schedule.decay) == (50, 0, (20, 40), 0.1)
    changed = {field: value for field, value in recipe.augmentation.model_dump().items() if value}
    assert changed == {"flip": 0.5, "shift": 0.04, "erase": 0.5}
    assert (recipe.ema, recipe.amp, recipe.held_out, recipe.init) == (0, "off", 0, None)
    settings = settings_of(recipe)
    assert (settings.trunk, settings.last_stride) == ("resnet50", 1)
    assert {field: getattr(settings, field) for field in ADAPTED[name]} == ADAPTED[name]


@pytest.mark.parametrize("name", HOSTS)
def test_the_numbers_of_the_hosts(name: str) -> None:
    recipe = load_network_recipe(RECIPES / f"{name}.yaml")
    settings = settings_of(recipe)
    assert (settings.trunk, settings.last_stride) == ("resnet50", 1)
    assert {field: getattr(settings, field) for field in HOSTS[name]} == HOSTS[name]
    assert (recipe.batches.persons, recipe.batches.pictures) == (16, 4)
    host = name.rpartition("/")[2]
    if host in STEPS:
        assert recipe.method == ("baseline" if host == "agw" else host)
        assert (recipe.schedule.epochs, recipe.schedule.decay_at) == STEPS[host]
        return
    # SSR on AGW differs from SSR in the host alone.
    own = {"agw_sigmoid": "baseline_sigmoid", "agw_ssr": "baseline_ssr", "agw_ssr_aab": "paper"}[host]
    bare = load_network_recipe(RECIPES / f"smooth_relaxation/{own}.yaml")
    assert recipe == bare.model_copy(update={"settings": {**bare.settings, **AGW}})


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_recipe(name: str) -> None:
    found = [path for path in RECIPES.rglob("*.yaml") if "frozen" not in path.parts]
    used = {load_network_recipe(path).method for path in found}
    assert name in used, f"no recipe has 'method: {name}': add src/swiftreid/recipes/small/{name}.yaml or a paper's row"


ROWS = [row for paper in PAPERS_OF_ROWS for row in published_rows(paper) if row.train]


def networks_of_rows() -> list[tuple[str, tuple[str, ...]]]:
    """The networks that the rows train: each a recipe and changes to the method's settings."""
    return list(dict.fromkeys((row.train, tuple(c for c in row.set if c.startswith("settings."))) for row in ROWS))


@pytest.mark.parametrize(("name", "changes"), networks_of_rows())
def test_every_row_starts(name: str, changes: tuple[str, ...]) -> None:
    """A small trunk in place of the paper's, one step on noise: the loss is a number, and gradients reach the trunk."""
    recipe = load_network_recipe(RECIPES / f"{name}.yaml", [*changes, "settings.trunk=resnet18_half"])
    torch.manual_seed(0)
    learned = [0.2, 0.5, 1.0] if learns_attributes(recipe.method, recipe.settings) else []
    method = build_method(recipe.method, 2, attributes=learned, **recipe.settings)
    pictures, labels = torch.randn(4, 3, 96, 32), torch.tensor([0, 0, 1, 1])
    if method.learns_from == "pseudo_pairs":
        centres = torch.randn(3, method.embedding_length)
        method.start_epoch(2, {"centres": centres, "epoch": torch.tensor(recipe.schedule.epochs)})
        labels = torch.tensor([[0, 0, 0, 1], [0, 1, 1, 0], [1, 0, 2, 2], [1, 1, 3, 1]])
    vectors = torch.nn.functional.normalize(torch.randn(4, method.embedding_length))
    if method.learns_from == "hybrid":
        memory = {"entries": vectors, "group": torch.tensor([0, 1, 2, 2]), "sources": torch.tensor(2)}
        method.start_epoch(3, memory)
        labels = torch.tensor([0, 1, 2, 3])
    if method.learns_from == "clusters":
        own = {"proxy_cluster": labels, "proxy_camera": torch.tensor([0, 1, 0, 1])}
        none = torch.zeros((0, 2), dtype=torch.int64)
        method.start_epoch(2, {"clusters": vectors[:2].clone(), "proxies": vectors, "doubtful": none, **own})
        labels = torch.stack([labels, torch.arange(4)], dim=1)
    attributes = torch.ones(4, len(learned)) if learned else None
    loss = method.loss(pictures, labels, attributes)["total"]
    loss.backward()
    assert torch.isfinite(loss)
    assert any(p.grad is not None and bool(p.grad.any()) for p in method.trunk.parameters())


def test_rows_and_recipes_belong_together() -> None:
    assert {row.train for row in ROWS} == PINNED, "a row for every recipe after a paper, and a recipe for every row"
    for row in ROWS:
        for change in row.set:
            before = load_network_recipe(RECIPES / f"{row.train}.yaml")
            after = load_network_recipe(RECIPES / f"{row.train}.yaml", [change])
            if not row.place.startswith("Fig."):  # a curve has the default among its points
                assert (after, settings_of(after)) != (before, settings_of(before)), (row.place, row.row, change)
