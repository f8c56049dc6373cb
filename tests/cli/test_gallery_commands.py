from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from command import COMMAND, Ran
from drawn_figures import draw_person
from swiftreid.gallery.store import Gallery

Run = Callable[..., Ran]
ROOT = Path(__file__).resolve().parents[2]


def test_create_add_info_search_delete_verify(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    created = swiftreid("gallery", "create", "g", "--json").json
    added = swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test", "--json").json
    assert (added["added"], added["unreadable"], added["entries"]) == (24, 0, 24)
    info = swiftreid("gallery", "info", "g", "--json").json
    assert info["cameras"] == {"1": 8, "2": 8, "3": 8}
    assert info["fingerprint"] == created["fingerprint"]

    query = drawn_people / "query" / "0015_c2s1_000001_01.jpg"
    found = swiftreid("search", "g", query, "--other-cameras", "-k", 4, "--picture", "out/s.png", "--json").json
    results = found["queries"][0]["hits"]
    assert [r["rank"] for r in results] == [1, 2, 3, 4]
    assert all(r["camera"] != "2" for r in results)
    assert results[0]["person"] == "15"
    assert results[0]["right"] is True
    assert [r["distance"] for r in results] == sorted(r["distance"] for r in results)
    with Image.open(tmp_path / "out/s.png") as drawn:
        assert drawn.width > 400

    assert swiftreid("gallery", "delete", "g", "--person", "15", "--compact", "--json").json["deleted"] == 3
    again = swiftreid("search", "g", query, "-k", 100, "--no-picture", "--json").json["queries"][0]["hits"]
    assert len(again) == 21
    assert all(r["person"] != "15" for r in again)
    assert swiftreid("gallery", "verify", "g", "--json").json["ok"] is True


def test_filters_by_camera_and_time_from_a_manifest(swiftreid: Run, tmp_path: Path) -> None:
    lines = ["path,camera,time,person,note"]
    for i in range(6):
        draw_person(i, 1, 1).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,door-{i % 2},2026-11-0{i + 1}T12:00:00,p{i},n{i}")
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", "--manifest", "list.csv")

    def ids(*filters: str) -> set[str]:
        found = swiftreid("search", "g", "0.png", "--no-picture", "--json", *filters).json
        return {r["id"] for r in found["queries"][0]["hits"]}

    assert ids("--camera", "door-1") == {"1.png", "3.png", "5.png"}
    assert ids("--not-camera", "door-1") == {"0.png", "2.png", "4.png"}
    assert ids("--after", "2026-11-03T12:00:00", "--before", "2026-11-05") == {"2.png", "3.png"}
    found = swiftreid("search", "g", "--like", "4.png", "-k", "1", "--no-picture", "--json").json
    (result,) = found["queries"][0]["hits"]
    assert result["labels"] == {"note": f"n{result['id'][0]}"}
    assert result["time"] == 1793534400 + 86400 * int(result["id"][0])


def test_hostile_files_are_skipped_named_and_counted(swiftreid: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw_person(1, 1, 1).save(folder / "0001_c1_01.jpg")
    whole = (folder / "0001_c1_01.jpg").read_bytes()
    (folder / "0002_c1_01.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "0003_c1_01.jpg").write_bytes(b"")
    (folder / "0004_c1_01.jpg").write_text("no picture")
    Image.new("RGB", (1, 1)).save(folder / "0005_c1_01.png")
    Image.new("1", (20_000, 20_000)).save(folder / "0006_c1_01.png")
    draw_person(7, 1, 1).convert("CMYK").save(folder / "0007_c1_01.jpg")
    draw_person(8, 1, 1).convert("P").save(folder / "0008_c1_01.gif")
    swiftreid("gallery", "create", "g")
    ran = swiftreid("gallery", "add", "g", folder, "--json")
    assert (ran.json["added"], ran.json["unreadable"]) == (3, 5)
    named = {Path(bad["file"]).name for bad in ran.json["unreadable_files"]}
    assert named == {f"000{i}_c1_01.{'png' if i > 4 else 'jpg'}" for i in range(2, 7)}
    assert "0002_c1_01.jpg" in ran.err
    assert swiftreid("gallery", "verify", "g", "--json").json["ok"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gallery", "info", "nothing"], 1, "nothing"),
        (["gallery", "add", "g"], 2, "give pictures: files, folders"),
        (["gallery", "add", "g", "nowhere"], 1, "nowhere does not exist"),
        (["gallery", "add", "g", "empty"], 1, "no picture under empty"),
        (["gallery", "add", "g", "plain"], 2, "have no camera"),
        (["gallery", "create", "g"], 2, "g exists already"),
        (["gallery", "create", "h", "--encoder", "none.safetensors"], 1, "no encoder file at none.safetensors"),
        (["gallery", "delete", "g"], 2, "give the ids to delete"),
        (["gallery", "add", "g", "plain", "--manifest", "empty.csv"], 2, "not both"),
        (["gallery", "add", "g", "--manifest", "empty.csv"], 2, "column 'path'"),
        (["gallery", "add", "g", "plain", "--codes", "c.safetensors"], 2, "one of the three"),
        (["search", "g", "plain/a.png", "--picture", "out.txt"], 2, "ending in"),
        (["search", "g", "plain/a.png", "--picture", "plain"], 2, "ending in"),
        (["search", "g", "plain/a.png", "--cascade", ""], 2, "stage"),
        (["gallery", "delete", "g", "unknown"], 1, "'unknown'"),
        (["search", "g"], 2, "give a query: pictures"),
        (["search", "g", "empty/.keep"], 1, ".keep"),
        (["search", "g", "plain/a.png", "--cascade", "id32<=99"], 2, "threshold must be 0 to 32"),
        (["search", "g", "plain/a.png", "--cascade", "id64"], 2, "id64"),
        (["search", "g", "plain/a.png", "--cascade", "id23 > id2048"], 2, "compares id23, which the gallery does not"),
        (["search", "g", "plain/a.png", "--cascade", "id23 > id2048"], 2, "has id32, id128, id512, id2048"),
        (["search", "g", "plain/a.png", "--cascade", "id32 > embedding"], 2, "it keeps no float embeddings"),
        (
            ["search", "g", "plain/a.png", "--cascade", "id128:nprobe=0.3 > id32<=9 > id2048"],
            2,
            "inverted lists exist in",
        ),
        (["search", "g", "plain/a.png", "--cascade", "id128:nprobe=0.3 > id32<=9 > id2048"], 2, "docs/search.md"),
        (["search", "g", "plain/a.png", "--camera", "7"], 2, "its cameras are 1"),
        (["search", "g", "plain/a.png", "--camera", "7"], 2, "--camera: gallery g has no camera '7'"),
        (["search", "g", "plain/a.png", "--not-camera", "7"], 2, "--not-camera: gallery g has no camera '7'; its cam"),
        (["search", "g", "plain/a.png", "--after", "soon"], 2, "no time"),
        (["search", "g", "plain/a.png", "--before", "nan"], 2, "no time"),
        (["gallery", "add", "g", "--manifest", "late.csv"], 2, "late.csv line 3: '1e20' is no time"),
        (["search", "g", "plain/a.png", "--other-cameras"], 2, "has no known camera, or several"),
    ],
)
def test_errors_say_what_to_do(swiftreid: Run, small: Path, arguments: list[str], code: int, message: str) -> None:
    (small / "empty").mkdir()
    (small / "empty" / ".keep").touch()
    (small / "empty.csv").touch()
    (small / "late.csv").write_text("path,camera,time\n\nplain/a.png,2,1e20\n")
    ran = swiftreid(*arguments, code=code)
    assert message in ran.err
    assert ran.err.startswith("error: ") or "warning" in ran.err


def test_nothing_readable_is_one_document_that_names_the_files(swiftreid: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0001_c1_01.jpg").write_text("no picture")
    swiftreid("gallery", "create", "g")
    ran = swiftreid("gallery", "add", "g", "bad", "--json", code=1)
    assert "none of the 1 pictures" in ran.json["error"]
    assert ran.json["unreadable_files"][0]["file"].endswith("0001_c1_01.jpg")
    assert "none of the 1 pictures" in ran.err


def test_adding_twice_is_refused_or_skipped(swiftreid: Run, drawn_people: Path) -> None:
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", drawn_people / "query")
    refused = swiftreid("gallery", "add", "g", drawn_people / "query", code=2)
    assert "--skip-existing" in refused.err
    assert swiftreid("gallery", "add", "g", drawn_people / "query", "--skip-existing", "--json").json["added"] == 0
    assert swiftreid("gallery", "info", "g", "--json").json["entries"] == 24


def test_same_names_in_two_folders_stay_apart(swiftreid: Run, tmp_path: Path) -> None:
    for number, camera in enumerate(("entrance", "exit")):
        for i in range(3):
            (tmp_path / camera).mkdir(exist_ok=True)
            draw_person(10 * number + i, 1, 1).save(tmp_path / camera / f"{i}.png")
    swiftreid("gallery", "create", "g")
    for camera in ("entrance", "exit"):
        assert swiftreid("gallery", "add", "g", camera, "--camera", camera, "--json").json["added"] == 3
    assert swiftreid("gallery", "info", "g", "--json").json["cameras"] == {"entrance": 3, "exit": 3}
    both = swiftreid("gallery", "add", "g", "entrance", "exit", "--camera", "x", code=2)
    assert "would both have the id" in both.err
    swiftreid("gallery", "create", "h")
    swiftreid("gallery", "add", "h", "entrance", "--camera", "x")
    other = swiftreid("gallery", "add", "h", "exit", "--camera", "x", "--skip-existing", code=2)
    assert "from another file" in other.err
    swiftreid("gallery", "add", "h", "exit", "--camera", "x", "--id-prefix", "exit/")
    assert swiftreid("gallery", "info", "h", "--json").json["entries"] == 6


def test_unreadable_queries_are_skipped_and_listed(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_people / "query", tmp_path / "q")
    (tmp_path / "q" / "0013_c1s1_000001_01.jpg").write_bytes(b"")
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test")
    found = swiftreid("search", "g", "q", "-k", 3, "--no-picture", "--json").json
    assert [Path(bad["file"]).name for bad in found["unreadable_files"]] == ["0013_c1s1_000001_01.jpg"]
    assert len(found["queries"]) == 23
    for query in found["queries"][::7]:  # encoded together or alone, the results are the same
        (alone,) = swiftreid("search", "g", query["query"], "-k", 3, "--no-picture", "--json").json["queries"]
        assert alone == query
    only = swiftreid("search", "g", "q/0013_c1s1_000001_01.jpg", code=1)
    assert "0013_c1s1_000001_01.jpg" in only.err


def test_an_entry_is_no_result_of_its_own_search(swiftreid: Run, drawn_people: Path) -> None:
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", drawn_people / "query")
    id_ = "0015_c2s1_000001_01.jpg"
    found = swiftreid("search", "g", "--like", id_, "-k", 5, "--no-picture", "--json").json["queries"][0]["hits"]
    assert len(found) == 5
    assert id_ not in {result["id"] for result in found}


def test_a_person_who_is_not_there_is_unknown(swiftreid: Run, drawn_people: Path) -> None:
    swiftreid("calibrate", "stripes", drawn_people, "-o", "c.safetensors", "--beta", 2, "--false-accepts", 10)
    swiftreid("gallery", "create", "g", "--encoder", "c.safetensors")
    swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test")
    search = ("search", "g", drawn_people / "query", "--no-picture", "-k", 3, "--other-cameras")
    told = swiftreid(*search, "--json").json
    threshold = told["same_person"]["threshold"]
    assert told["same_person"]["code"] == "id2048"
    for query in told["queries"]:
        near = [result["distance"] <= threshold for result in query["hits"]]
        assert [result["same_person"] for result in query["hits"]] == near
        assert query["unknown"] == (not any(near))
    assert not all(query["unknown"] for query in told["queries"])
    stricter = swiftreid(*search, "--same-person", 1).out
    assert stricter.count(": unknown") == len(told["queries"])
    assert ": unknown" not in swiftreid(*search, "--same-person", 2048).out
    silent = swiftreid(*search, "--no-unknown", "--json").json
    assert silent["same_person"] is None
    assert {query["unknown"] for query in silent["queries"]} == {None}
    shorter = swiftreid(*search, "--exact", "--cascade", "id512", code=2)
    assert "exclude each other" in shorter.err
    shorter = swiftreid(*search, "--cascade", "id512")
    assert "is for id2048, not for id512" in shorter.err
    assert "same person" not in shorter.out
    assert "0 to 2048 bits" in swiftreid(*search, "--same-person", 5000, code=2).err


def test_nothing_to_search_in_is_said(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    query = drawn_people / "query" / "0015_c2s1_000001_01.jpg"
    swiftreid("gallery", "create", "g")
    assert "the gallery is empty" in swiftreid("search", "g", query, "--no-picture").err
    swiftreid("gallery", "add", "g", drawn_people / "query")
    assert "no entry of the gallery has a time" in swiftreid("search", "g", query, "--no-picture", "--after", "1").err
    search = ("search", "g", query, "--no-picture")
    both = swiftreid(*search, "--camera", "1", "--not-camera", "1")
    assert "nothing to search in: no entry passes --camera 1 --not-camera 1 together" in both.err
    own = swiftreid(*search, "--camera", "2", "--other-cameras")
    assert "no entry passes --camera 2 --other-cameras (all but 2) together" in own.err
    assert "cameras=" not in own.err
    assert "leaves no entry out" not in own.err
    elsewhere = tmp_path / "0015_c9s1_000001_01.jpg"
    shutil.copy(query, elsewhere)
    strange = swiftreid("search", "g", elsewhere, "--no-picture", "--other-cameras").err
    assert "--other-cameras leaves no entry out for camera 9: the gallery's cameras are 1, 2, 3; if it is" in strange
    nameless = tmp_path / "somebody.jpg"
    shutil.copy(query, nameless)
    found = swiftreid(
        "search", "g", nameless, "--no-picture", "--other-cameras", "--query-camera", "2", "-k", 50, "--json"
    )
    assert {hit["camera"] for hit in found.json["queries"][0]["hits"]} == {"1", "3"}
    for person in range(13, 21):
        swiftreid("gallery", "delete", "g", "--person", person)
    assert "nothing to search in" in swiftreid(*search).err


def test_interrupted_adding_says_how_to_go_on(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "many"
    for copy in range(12):
        shutil.copytree(drawn_people / "bounding_box_train", pictures / str(copy))
    swiftreid("gallery", "create", "g")
    process = subprocess.Popen(
        [COMMAND, "gallery", "add", "g", "many", "--acknowledge"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()  # once something is stored
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "interrupted" in err
    assert "--skip-existing" in err
    assert "Traceback" not in err
    assert 0 < swiftreid("gallery", "info", "g", "--json").json["entries"] < 12 * 72


def test_codes_of_another_encoder_are_refused_naming_both(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    other = tmp_path / "more"
    shutil.copytree(drawn_people / "query", other / "query")
    for person in range(21, 80):
        for camera in (1, 2, 3, 4):
            draw_person(person, camera, 1).save(other / f"{person:04d}_c{camera}_1.jpg")
    mine = swiftreid("encoder", "stripes", other, "-o", "other.safetensors", "--name", "mine", "--json").json
    swiftreid("encode", drawn_people / "query", "-o", "codes.safetensors", "--encoder", "other.safetensors")
    shipped = swiftreid("gallery", "create", "g", "--json").json
    ran = swiftreid("gallery", "add", "g", "--codes", "codes.safetensors", code=1)
    for name in ("mine", "stripes", mine["fingerprint"][:8], shipped["fingerprint"][:8]):
        assert name in ran.err
    ran = swiftreid("search", "g", drawn_people / "query", "--encoder", "other.safetensors", code=1)
    assert "mine" in ran.err
    swiftreid("gallery", "create", "h", "--encoder", "other.safetensors")
    assert swiftreid("gallery", "add", "h", "--codes", "codes.safetensors", "--json").json["entries"] == 24


def kill_while_adding(gallery: Path, pictures: Path, acknowledged: int, pause: float) -> set[str]:
    """SIGKILL `gallery add` a pause after it acknowledged so many ids, or all there were; the ids of all it did."""
    process = subprocess.Popen(
        [COMMAND, "gallery", "add", str(gallery), str(pictures), "--skip-existing", "--acknowledge", "-q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    out = "".join(process.stdout.readline() for _ in range(acknowledged))
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    out += process.communicate()[0]
    complete = out[: out.rfind("\n") + 1]  # a last line without its end may be half an id
    return set(complete.split())


def seconds_to_first_acknowledgement(gallery: Path, pictures: Path) -> float:
    """How long `gallery add` takes here until something is stored, so that kills fall into all of that time."""
    start = time.perf_counter()
    command = [COMMAND, "gallery", "add", str(gallery), str(pictures), "--acknowledge", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        seconds = time.perf_counter() - start
        process.kill()
    return seconds


def check_killed_gallery(gallery: Path, acknowledged: set[str]) -> int:
    """Everything acknowledged is there with codes and thumbnail, and nothing is half there; returns the entries."""
    with Gallery.open(gallery) as opened:
        report = opened.verify()
        assert report.ok, report.problems
        assert opened.existing(sorted(acknowledged)) == acknowledged
        for id_ in sorted(acknowledged)[::17]:
            stored = opened.get(id_)
            assert stored.thumbnail
            assert set(stored.codes) == {"id32", "id128", "id512", "id2048"}
        return opened.info().entries


@pytest.mark.slow
def test_killed_fifty_times_loses_nothing_acknowledged(swiftreid: Run, tmp_path: Path) -> None:
    """The real pictures if SWIFTREID_REAL_DATA names their folder, else the rendered ones, several times over."""
    real = os.environ.get("SWIFTREID_REAL_DATA")
    pictures = tmp_path / "many"
    source = Path(real) / "cuhk03-np-pair1" if real else ROOT / "examples" / "station"
    for copy in range(1 if real else 8):  # more than a few runs can add; what a link leads to twice counts once
        shutil.copytree(source, pictures / str(copy))
    swiftreid("gallery", "create", "trial")
    first = seconds_to_first_acknowledgement(tmp_path / "trial", pictures)
    swiftreid("gallery", "create", "g")
    chance, acknowledged, progressed = random.Random(50), set[str](), 0
    for run in range(50):
        wait_for = chance.randrange(1, 40) if run % 2 else 0
        new = kill_while_adding(tmp_path / "g", pictures, wait_for, chance.uniform(0, first)) - acknowledged
        acknowledged |= new
        progressed += bool(new)
        assert check_killed_gallery(tmp_path / "g", acknowledged) >= len(acknowledged)
    assert progressed >= 10, "most runs were killed before they stored anything: this test shows little"
    swiftreid("gallery", "add", "g", pictures, "--skip-existing")
    print(f"50 kills, {progressed} of them after something was stored; {len(acknowledged)} acknowledged, none lost")


def test_killed_while_adding_loses_nothing_acknowledged(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "many"
    for copy in range(6):
        shutil.copytree(drawn_people / "bounding_box_train", pictures / str(copy))
    swiftreid("gallery", "create", "g")
    chance, acknowledged = random.Random(7), set[str]()
    for wait_for in (0, 1, 40, 0):
        acknowledged |= kill_while_adding(tmp_path / "g", pictures, wait_for, chance.uniform(0, 1))
        assert len(acknowledged) >= wait_for
        assert check_killed_gallery(tmp_path / "g", acknowledged) >= len(acknowledged)
    swiftreid("gallery", "add", "g", pictures, "--skip-existing")
    assert check_killed_gallery(tmp_path / "g", acknowledged) == 6 * 72
