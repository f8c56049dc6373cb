"""Names and shapes of the public ImageNet files, written down from the architectures' tables and not from our code."""

from __future__ import annotations

from collections.abc import Iterator

Entries = dict[str, tuple[int, ...]]


def conv(name: str, outside: int, inside: int, size: int, *, bias: bool = False) -> Entries:
    entries: Entries = {f"{name}.weight": (outside, inside, size, size)}
    return {**entries, f"{name}.bias": (outside,)} if bias else entries


def batch_norm(name: str, channels: int) -> Entries:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{part}": (channels,) for part in parts}, f"{name}.num_batches_tracked": ()}


def instance_norm(name: str, channels: int) -> Entries:
    return {f"{name}.weight": (channels,), f"{name}.bias": (channels,)}


def linear(name: str, outside: int, inside: int) -> Entries:
    return {f"{name}.weight": (outside, inside), f"{name}.bias": (outside,)}


def blocks(depths: tuple[int, ...]) -> Iterator[tuple[str, int, int]]:
    """Name, layer (from 1) and place (from 0) of each residual block."""
    for layer, depth in enumerate(depths, start=1):
        for place in range(depth):
            yield f"layer{layer}.{place}", layer, place


def basic_resnet(depths: tuple[int, ...], *, ibn: bool = False, base: int = 64) -> Entries:
    entries = conv("conv1", base, 3, 7) | batch_norm("bn1", base)
    inside = base
    for name, layer, place in blocks(depths):
        planes = base * 2 ** (layer - 1)
        entries |= conv(f"{name}.conv1", planes, inside, 3) | conv(f"{name}.conv2", planes, planes, 3)
        entries |= first_norm(f"{name}.bn1", planes, ibn=ibn and layer < 4) | batch_norm(f"{name}.bn2", planes)
        if place == 0 and layer > 1:
            entries |= conv(f"{name}.downsample.0", planes, inside, 1) | batch_norm(f"{name}.downsample.1", planes)
        inside = planes
    return entries


def first_norm(name: str, channels: int, *, ibn: bool) -> Entries:
    if not ibn:
        return batch_norm(name, channels)
    return instance_norm(f"{name}.IN", channels // 2) | batch_norm(f"{name}.BN", channels // 2)


def bottleneck_resnet(*, ibn: bool = False, excite: bool = False, groups: int = 1, stem: str = "") -> Entries:
    """ResNet-50 and those made from it; 32 groups mean ResNeXt, whose 3x3 convolutions are twice as wide."""
    entries = conv(f"{stem}conv1", 64, 3, 7) | batch_norm(f"{stem}bn1", 64)
    inside = 64
    for name, layer, place in blocks((3, 4, 6, 3)):
        planes = 32 * 2**layer
        width = planes * (2 if groups == 32 else 1)
        outside = planes * 4
        entries |= conv(f"{name}.conv1", width, inside, 1) | first_norm(f"{name}.bn1", width, ibn=ibn and layer < 4)
        entries |= conv(f"{name}.conv2", width, width // groups, 3) | batch_norm(f"{name}.bn2", width)
        entries |= conv(f"{name}.conv3", outside, width, 1) | batch_norm(f"{name}.bn3", outside)
        if excite:
            entries |= conv(f"{name}.se_module.fc1", outside // 16, outside, 1, bias=True)
            entries |= conv(f"{name}.se_module.fc2", outside, outside // 16, 1, bias=True)
        if place == 0:
            entries |= conv(f"{name}.downsample.0", outside, inside, 1) | batch_norm(f"{name}.downsample.1", outside)
        inside = outside
    return entries


INCEPTIONS = {  # table 1 of the paper: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def googlenet() -> Entries:
    def unit(name: str, outside: int, inside: int, size: int) -> Entries:
        return conv(f"{name}.conv", outside, inside, size) | batch_norm(f"{name}.bn", outside)

    entries = unit("conv1", 64, 3, 7) | unit("conv2", 64, 64, 1) | unit("conv3", 192, 64, 3)
    for name, (inside, one, three_reduce, three, five_reduce, five, pool) in INCEPTIONS.items():
        entries |= unit(f"inception{name}.branch1", one, inside, 1)
        entries |= unit(f"inception{name}.branch2.0", three_reduce, inside, 1)
        entries |= unit(f"inception{name}.branch2.1", three, three_reduce, 3)
        entries |= unit(f"inception{name}.branch3.0", five_reduce, inside, 1)
        entries |= unit(f"inception{name}.branch3.1", five, five_reduce, 3)  # torchvision convolves 3x3 here
        entries |= unit(f"inception{name}.branch4.1", pool, inside, 1)
    return entries


MOBILE_LARGE = """
16 3 16 16 -|16 3 64 24 -|24 3 72 24 -|24 5 72 40 24|40 5 120 40 32|40 5 120 40 32|40 3 240 80 -|80 3 200 80 -|
80 3 184 80 -|80 3 184 80 -|80 3 480 112 120|112 3 672 112 168|112 5 672 160 168|160 5 960 160 240|160 5 960 160 240
"""
MOBILE_SMALL = """
16 3 16 16 8|16 3 72 24 -|24 3 88 24 -|24 5 96 40 24|40 5 240 40 64|40 5 240 40 64|40 5 120 48 32|48 5 144 48 40|
48 5 288 96 72|96 5 576 96 144|96 5 576 96 144
"""


def mobilenet_v3(table: str, last: int) -> Entries:
    """Rows: channels before, kernel, expanded, channels after, squeezed (a quarter in multiples of 8)."""
    entries = conv("features.0.0", 16, 3, 3) | batch_norm("features.0.1", 16)
    rows = [row.split() for row in table.replace("\n", "").split("|")]
    for number, row in enumerate(rows, start=1):
        inside, kernel, expanded, outside = map(int, row[:4])
        place, name = 0, f"features.{number}.block"
        if expanded != inside:
            entries |= conv(f"{name}.0.0", expanded, inside, 1) | batch_norm(f"{name}.0.1", expanded)
            place = 1
        entries |= conv(f"{name}.{place}.0", expanded, 1, kernel) | batch_norm(f"{name}.{place}.1", expanded)
        place += 1
        if row[4] != "-":
            entries |= conv(f"{name}.{place}.fc1", int(row[4]), expanded, 1, bias=True)
            entries |= conv(f"{name}.{place}.fc2", expanded, int(row[4]), 1, bias=True)
            place += 1
        entries |= conv(f"{name}.{place}.0", outside, expanded, 1) | batch_norm(f"{name}.{place}.1", outside)
    closing = f"features.{len(rows) + 1}"
    return entries | conv(f"{closing}.0", last, last // 6, 1) | batch_norm(f"{closing}.1", last)


def _unit(name: str, outside: int, inside: int, size: int) -> Entries:
    return conv(f"{name}.conv", outside, inside, size) | batch_norm(f"{name}.bn", outside)


def _light(name: str, channels: int) -> Entries:
    point, depth = conv(f"{name}.conv1", channels, channels, 1), conv(f"{name}.conv2", channels, 1, 3)
    return point | depth | batch_norm(f"{name}.bn", channels)


def _gate(name: str, channels: int) -> Entries:
    squeezed = channels // 16
    return conv(f"{name}.fc1", squeezed, channels, 1, bias=True) | conv(f"{name}.fc2", channels, squeezed, 1, bias=True)


def osnet(channels: tuple[int, int, int, int]) -> Entries:
    entries = _unit("conv1", channels[0], 3, 7)
    for group in (2, 3, 4):
        for place in (0, 1):
            name, outside = f"conv{group}.{place}", channels[group - 1]
            inside, middle = channels[group - 2] if place == 0 else outside, outside // 4
            entries |= _unit(f"{name}.conv1", middle, inside, 1) | _light(f"{name}.conv2a", middle)
            for stream, length in (("b", 2), ("c", 3), ("d", 4)):
                for step in range(length):
                    entries |= _light(f"{name}.conv2{stream}.{step}", middle)
            entries |= _gate(f"{name}.gate", middle) | _unit(f"{name}.conv3", outside, middle, 1)
            if place == 0:
                entries |= _unit(f"{name}.downsample", outside, inside, 1)
        if group < 4:
            entries |= _unit(f"conv{group}.2.0", channels[group - 1], channels[group - 1], 1)
    return entries | _unit("conv5", channels[3], channels[3], 1)


def osnet_ain(channels: tuple[int, int, int, int]) -> Entries:
    entries = conv("conv1.conv", channels[0], 3, 7) | instance_norm("conv1.bn", channels[0])
    instance = {(2, 0), (2, 1), (3, 1), (4, 0)}
    for group in (2, 3, 4):
        for place in (0, 1):
            name, outside = f"conv{group}.{place}", channels[group - 1]
            inside, middle = channels[group - 2] if place == 0 else outside, outside // 4
            entries |= _unit(f"{name}.conv1", middle, inside, 1) | _gate(f"{name}.gate", middle)
            for stream in range(4):
                for step in range(stream + 1):
                    entries |= _light(f"{name}.conv2.{stream}.layers.{step}", middle)
            if (group, place) in instance:
                entries |= conv(f"{name}.conv3.conv", outside, middle, 1) | instance_norm(f"{name}.IN", outside)
            else:
                entries |= _unit(f"{name}.conv3", outside, middle, 1)
            if place == 0:
                entries |= _unit(f"{name}.downsample", outside, inside, 1)
        if group < 4:
            entries |= _unit(f"pool{group}.0", channels[group - 1], channels[group - 1], 1)
    return entries | _unit("conv5", channels[3], channels[3], 1)


def osnet_head(channels: int) -> Entries:
    return linear("fc.0", 512, channels) | batch_norm("fc.1", 512) | linear("classifier", 1000, 512)


TRUNK_ENTRIES: dict[str, Entries] = {
    "resnet18": basic_resnet((2, 2, 2, 2)),
    "resnet18_half": basic_resnet((2, 2, 2, 2), base=32),
    "resnet34": basic_resnet((3, 4, 6, 3)),
    "resnet50": bottleneck_resnet(),
    "resnet18_ibn_a": basic_resnet((2, 2, 2, 2), ibn=True),
    "resnet18_half_ibn_a": basic_resnet((2, 2, 2, 2), ibn=True, base=32),
    "resnet50_ibn_a": bottleneck_resnet(ibn=True),
    "se_resnet50": bottleneck_resnet(excite=True, stem="layer0."),
    "se_resnext50": bottleneck_resnet(excite=True, groups=32, stem="layer0."),
    "googlenet": googlenet(),
    "mobilenet_v3_small": mobilenet_v3(MOBILE_SMALL, 576),
    "mobilenet_v3_large": mobilenet_v3(MOBILE_LARGE, 960),
    "osnet_x0_25": osnet((16, 64, 96, 128)),
    "osnet_x0_5": osnet((32, 128, 192, 256)),
    "osnet_x0_75": osnet((48, 192, 288, 384)),
    "osnet_x1_0": osnet((64, 256, 384, 512)),
    "osnet_ain_x0_25": osnet_ain((16, 64, 96, 128)),
    "osnet_ain_x0_5": osnet_ain((32, 128, 192, 256)),
    "osnet_ain_x0_75": osnet_ain((48, 192, 288, 384)),
    "osnet_ain_x1_0": osnet_ain((64, 256, 384, 512)),
}

HEADS: dict[str, Entries] = {
    "resnet18": linear("fc", 1000, 512),
    "resnet34": linear("fc", 1000, 512),
    "resnet50": linear("fc", 1000, 2048),
    "resnet18_ibn_a": linear("fc", 1000, 512),
    "resnet50_ibn_a": linear("fc", 1000, 2048),
    "se_resnet50": linear("last_linear", 1000, 2048),
    "se_resnext50": linear("last_linear", 1000, 2048),
    "googlenet": linear("fc", 1000, 1024),
    "mobilenet_v3_small": linear("classifier.0", 1024, 576) | linear("classifier.3", 1000, 1024),
    "mobilenet_v3_large": linear("classifier.0", 1280, 960) | linear("classifier.3", 1000, 1280),
    **{name: osnet_head(entries["conv5.bn.bias"][0]) for name, entries in TRUNK_ENTRIES.items() if "osnet" in name},
}

PARAMETERS = {
    # with the classifier: torchvision's documentation, and Cadene's and the IBN-Net authors' tables in millions
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "googlenet": 6_624_904,
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_v3_large": 5_483_032,
    "resnet18_ibn_a": 11.7e6,
    "resnet50_ibn_a": 25.6e6,
    "se_resnet50": 28.09e6,
    "se_resnext50": 27.56e6,
}
OSNET_PARAMETERS = {  # millions with fc and without the classifier (OSNet, table 4 of the journal version; model zoo)
    "osnet_x1_0": 2.2,
    "osnet_x0_75": 1.3,
    "osnet_x0_5": 0.6,
    "osnet_x0_25": 0.2,
    "osnet_ain_x1_0": 2.2,
}
