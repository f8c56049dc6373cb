"""What a full disk does to commands; a limit on file size stands in for the disk, so that no root rights are needed."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from command import COMMAND, Ran
from swiftreid.gallery.store import Gallery

Run = Callable[..., Ran]


def limited(folder: Path, size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )


def test_full_disk_while_adding_keeps_what_was_acknowledged(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "many"
    for copy in range(4):
        shutil.copytree(drawn_people / "bounding_box_train", pictures / str(copy))
    swiftreid("gallery", "create", "g")
    size = 600_000  # room for some of the 288 pictures, about 4 KB each with codes, thumbnail and journal
    ran = limited(tmp_path, size, "gallery", "add", "g", pictures, "--acknowledge")
    assert ran.returncode == 1, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "space" in ran.stderr or "full" in ran.stderr
    acknowledged = set(ran.stdout.split())
    assert 0 < len(acknowledged) < 288, "the limit must strike in the middle"
    with Gallery.open(tmp_path / "g") as opened:
        assert opened.verify().ok
        assert opened.existing(sorted(acknowledged)) == acknowledged
    swiftreid("gallery", "add", "g", pictures, "--skip-existing")
    assert swiftreid("gallery", "info", "g", "--json").json["entries"] == 288


def test_full_disk_while_writing_encodings_leaves_the_old_file(
    swiftreid: Run, drawn_people: Path, tmp_path: Path
) -> None:
    swiftreid("encode", drawn_people / "query", "-o", "codes.safetensors")
    before = (tmp_path / "codes.safetensors").read_bytes()
    ran = limited(tmp_path, 4096, "encode", drawn_people / "bounding_box_train", "-o", "codes.safetensors")
    assert ran.returncode == 1
    assert "could not write codes.safetensors" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert (tmp_path / "codes.safetensors").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["codes.safetensors"]
