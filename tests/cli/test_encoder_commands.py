from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from command import Ran, all_commands
from drawn_figures import draw_person
from swiftreid.cli.main import app
from swiftreid.encoding.card import EncoderCard
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard

Run = Callable[..., Ran]


def test_evaluate_writes_a_card_that_agrees_with_the_table(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    printed = swiftreid("evaluate", drawn_people, "--card", "card.json", "--json").json
    card = ResultCard.load(tmp_path / "card.json")
    assert [row.ranking for row in card.rows][-2:] == ["id2048 exhaustive", "float embedding"]
    assert printed["rows"][0]["rank1"] == card.rows[0].rank1
    assert card.protocol.queries == 24
    best = card.rows[-1]
    assert best.map_standard > 0.5
    assert "id2048 exhaustive" in swiftreid("evaluate", drawn_people, "--untimed").out


def test_evaluate_further_cascades_beside_exhaustive_search(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    texts = ["id32:share=0.1 > id2048", "id32:top=1000 > id512", "id32:share=0.3 > embedding"]
    options = [part for text in texts for part in ("--cascade", text)]
    rows = {row["ranking"]: row for row in swiftreid("evaluate", drawn_people, *options, "--json").json["rows"]}
    assert list(rows)[-5:] == ["embedding exhaustive", *texts, "float embedding"]
    for text, last in zip(texts, ("id2048", "id512", "embedding"), strict=True):
        row, exhaustive = rows[text], rows[f"{last} exhaustive"]
        for name, key in (("rank1", "rank1_lost"), ("map_standard", "map_lost")):
            assert row["extra"][key] == pytest.approx(exhaustive[name] - row[name], abs=1e-5)
        times = exhaustive["microseconds_per_query"] / row["microseconds_per_query"]
        assert row["extra"]["speed_up"] == pytest.approx(times, abs=0.01)
        assert "map_lost" not in exhaustive["extra"]
        assert row["extra"]["compared_with"] == f"{last} exhaustive"
    assert rows[texts[0]]["extra"]["map_lost"] > 0.01, "a tenth of the gallery must be seen to be too little"
    assert rows[texts[1]]["extra"]["map_lost"] == 0, "everybody is handed on"
    assert rows[texts[0]]["extra"]["compared"] == "100% > 12.5%"
    table = swiftreid("evaluate", drawn_people, *options, "--untimed").out
    assert (
        f"mAP lost: compared with id2048 exhaustive; that of '{texts[1]}' with id512 exhaustive; "
        f"that of '{texts[2]}' with embedding exhaustive\n"
    ) in table
    missing = swiftreid("evaluate", drawn_people, "--cascade", "id23 > id2048", code=2).err
    assert "compares id23, which the encoder stripes does not have; the encoder stripes has id32, id128" in missing
    assert "docs/search.md" in swiftreid(
        "evaluate", drawn_people, "--cascade", "id128:nprobe=0.3 > id32<=9 > id2048", code=2
    ).err  # fmt: skip
    (tmp_path / "file").touch()
    assert "--card file/x.json" in swiftreid("evaluate", drawn_people, "--card", "file/x.json", code=2).err
    assert "id32:best=3" in swiftreid("evaluate", drawn_people, "--cascade", "id32:best=3", code=2).err


def test_mirror_makes_another_encoder_without_thresholds(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert "already" in swiftreid("encoder", "mirror", "rendered", "-o", "m.safetensors", code=2).err
    shipped = open_encoder("rendered")
    card = shipped.card.model_dump() | {"fingerprint": ""}
    for part in (card, card["architecture"]["base"]):
        part["preprocessing"] = {**part["preprocessing"], "flip": False}
    type(shipped)(EncoderCard.model_validate(card), shipped.tensors).save(tmp_path / "plain.safetensors")
    swiftreid("calibrate", "plain.safetensors", drawn_people, "--beta", "2")
    before = open_encoder(tmp_path / "plain.safetensors")
    assert before.card.calibration is not None
    done = swiftreid("encoder", "mirror", "plain.safetensors", "-o", "m.safetensors")
    assert "swiftreid calibrate" in done.err
    made = open_encoder(tmp_path / "m.safetensors")
    assert made.card.preprocessing.flip
    assert made.card.calibration is None
    assert made.fingerprint != before.fingerprint


def test_calibrate_stores_a_cascade_that_search_uses(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    refused = swiftreid("calibrate", "stripes", drawn_people, code=2)
    assert "give --output" in refused.err
    done = swiftreid("calibrate", "stripes", drawn_people, "-o", "c.safetensors", "--beta", "2", "--json").json
    cascade = done["calibration"]["cascade"]
    assert cascade.startswith("id32<=")
    assert cascade.endswith("id2048")
    assert done["calibration"]["persons"] == 12
    assert open_encoder(tmp_path / "c.safetensors").fingerprint == open_encoder("stripes").fingerprint
    swiftreid("gallery", "create", "g", "--encoder", "c.safetensors")
    swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test")
    query = drawn_people / "query" / "0015_c2s1_000001_01.jpg"
    searched = swiftreid("search", "g", query, "--no-picture", "--json").json
    assert searched["cascade"] == cascade
    assert swiftreid("search", "g", query, "--no-picture", "--exact", "--json").json["cascade"] == "id2048"
    table = swiftreid("evaluate", drawn_people, "--encoder", "c.safetensors", "--untimed").out
    assert "CtF, DTO beta 2" in table


def test_calibrate_by_certified_recall_and_sweep(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    arguments = ("calibrate", "stripes", drawn_people, "-o", "c.safetensors")
    refused = swiftreid(*arguments, "--method", "recall", code=1)
    assert "takes 398 held-out people" in refused.err
    assert not (tmp_path / "c.safetensors").exists()
    done = swiftreid(*arguments, "--method", "recall", "--recall", 60, "--confidence", 60, "--json").json["calibration"]
    assert (done["method"], done["beta"]) == ("recall", None)
    assert (done["recall"]["share"], done["recall"]["confidence"]) == (0.6, 0.6)
    assert done["encoder"] == open_encoder("stripes").fingerprint
    assert done["cascade"].startswith("id32<=")
    rows = swiftreid("evaluate", drawn_people, "--encoder", "c.safetensors", "--untimed", "--json").json["rows"]
    names = {row["ranking"] for row in rows}
    assert {"CtF, DTO beta 2", "CtF, recall 60 %", "AFR, id32 rank-w 97 %"} <= names
    printed = swiftreid(*arguments, "--beta", 2, "--sweep", "--false-accepts", 20, "--gallery-size", 10).out
    assert "mAP lost" in printed
    assert "no certified recall: to promise 99 % of the exhaustive result at 95 % confidence takes 398" in printed
    assert "short list: id32:share=" in printed
    assert "among 10 entries" in printed
    for option in ("--recall", "--confidence", "--false-accepts"):
        assert "percentage" in swiftreid(*arguments, option, 100, code=2).err
    assert "recall has --recall" in swiftreid(*arguments, "--method", "recall", "--beta", 2, code=2).err
    assert "not both" in swiftreid(*arguments, "--max-loss", 1, "--beta", 2, code=2).err
    assert "--method" in swiftreid(*arguments, "--method", "printed", code=2).err


@pytest.mark.parametrize(
    "command",
    [
        ["calibrate", "stripes", "nowhere"],
        ["encode", "nowhere"],
        ["encoder", "mirror", "stripes"],
        ["encoder", "stripes", "nowhere"],
        ["encoder", "wrap", "nowhere.onnx"],
        ["hash", "nowhere", "--encoder", "stripes"],
    ],
    ids=" ".join,
)
def test_encoders_and_encodings_end_in_safetensors(swiftreid: Run, tmp_path: Path, command: list[str]) -> None:
    if command[0] == "hash":
        pytest.importorskip("torch")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("folder.safetensors", "codes.npz", "plain"):  # refused before it is seen that nothing is there
        refused = swiftreid(*command, "-o", name, code=2).err
        assert f"--output {name} must be a file name ending in .safetensors" in refused


def test_percentages_are_not_taken_for_shares(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    arguments = ("calibrate", "stripes", drawn_people, "-o", "c.safetensors", "--beta", 2)
    assert "--recall 0.9 is per cent: write 90 for 90 %" in swiftreid(*arguments, "--recall", 0.9, code=2).err
    assert "--confidence 0.95 is per cent: write 95" in swiftreid(*arguments, "--confidence", 0.95, code=2).err
    assert "write 99 for 99 %" in swiftreid(*arguments, "--recall", 1, code=2).err
    assert not (tmp_path / "c.safetensors").exists()
    # Few mistakes are a sensible thing to ask for: it is done, and what it means is said.
    few = swiftreid(*arguments, "--false-accepts", 0.05)
    assert "--false-accepts 0.05 is 0.05 %; for 5 % write 5" in few.err
    assert "%; for" not in swiftreid(*arguments, "--false-accepts", 1).err


def test_hash_learns_codes_on_a_frozen_embedding(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    arguments = (
        "hash",
        drawn_people,
        "--encoder",
        "stripes",
        "--set",
        "training.epochs=2",
        "--set",
        "views=2",
        "--json",
    )
    done = swiftreid(*arguments, "-o", "h.safetensors").json
    assert {row["ranking"] for row in done["held_out"]} >= {"id32 exhaustive", "id2048 exhaustive", "CtF"}
    assert done["calibration"]["cascade"].endswith("id2048")
    assert done["training"]["seed"] == 0
    encoder = open_encoder(tmp_path / "h.safetensors")
    assert done["calibration"]["encoder"] == encoder.fingerprint
    assert str(encoder.spec) == "id32 id128 id512 id2048"
    assert "stripes" in str(encoder.card.architecture["base"])
    again = swiftreid(*arguments, "-o", "again.safetensors").json
    assert again["fingerprint"] == done["fingerprint"], "the same seed must give the same encoder"
    # Thresholds of people whom it did not learn from are not replaced by those of people whom it did, unless asked.
    before = (tmp_path / "h.safetensors").read_bytes()
    refused = swiftreid("calibrate", "h.safetensors", drawn_people, "--beta", "2", code=2).err
    assert "trained on the same people, and has thresholds already" in refused
    assert "Calibrate on other people, or give --output" in refused
    assert (tmp_path / "h.safetensors").read_bytes() == before
    swiftreid("calibrate", "h.safetensors", drawn_people, "-o", "./h.safetensors", code=2)  # the same file
    assert (tmp_path / "h.safetensors").read_bytes() == before
    warned = swiftreid("calibrate", "h.safetensors", drawn_people, "--beta", "2", "-o", "tight.safetensors")
    assert "trained on the same people" in warned.err
    assert (tmp_path / "h.safetensors").read_bytes() == before
    assert open_encoder(tmp_path / "tight.safetensors").card.calibration is not None
    swiftreid("calibrate", "h.safetensors", drawn_people, "--split", "test", "--beta", "2")  # people it never saw
    assert (tmp_path / "h.safetensors").read_bytes() != before
    swiftreid("gallery", "create", "g", "--encoder", "h.safetensors")
    swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test")


def test_encode_writes_codes_with_names(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    assert swiftreid("encode", drawn_people / "query", "-o", "c.safetensors", "--json").json["encoded"] == 24
    header = load_encodings(tmp_path / "c.safetensors").header
    assert header.ids[0] == "0013_c1s1_000001_01.jpg"
    assert (header.persons[0], header.cameras[0]) == ("13", "1")


def test_doctor_says_why_there_is_no_valid_query(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    assert swiftreid("doctor", drawn_people, "--json").json["ok"] is True
    broken = tmp_path / "broken"
    for folder, person in (("query", 1), ("bounding_box_test", 2)):
        (broken / folder).mkdir(parents=True)
        source = next((drawn_people / "bounding_box_train").glob(f"{person:04d}_c1*"))
        (broken / folder / source.name).write_bytes(source.read_bytes())
    assert "1 because their person is not in the gallery" in swiftreid("doctor", broken, code=1).out
    told = swiftreid("doctor", broken, "--json", code=1).json
    assert told["ok"] is False
    assert "cannot be evaluated" in told["error"]
    assert "swiftreid doctor" in swiftreid("evaluate", broken, code=1).err


def test_encodings_of_pictures_with_the_same_name_are_refused(swiftreid: Run, drawn_people: Path) -> None:
    ran = swiftreid("encode", drawn_people / "query", drawn_people / "query", "-o", "c.safetensors", code=2)
    assert "files of their own" in ran.err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--std", "1,0,1", "other than 0"),
        ("--std", "1,1", "three numbers"),
        ("--mean", "nan,0,0", "three numbers"),
        ("--scale", "nan", "other than 0"),
        ("--height", "0", "--height"),
        ("--width", "5000", "--width"),
        ("--colour", "grey", "'grey'"),
    ],
)
def test_preprocessing_that_cannot_be_is_refused(option: str, value: str, message: str) -> None:
    ran = CliRunner().invoke(app, ["encoder", "wrap", "network.onnx", "-o", "e.safetensors", option, value])
    assert isinstance(ran.exception, UsageError) or ran.exit_code == 2
    assert message in f"{ran.exception} {ran.output}"


def test_pictures_left_out_are_in_the_card_and_named(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for folder in ("query", "bounding_box_test"):
        shutil.copytree(drawn_people / folder, data / folder)
    (data / "query" / "0013_c1s1_000001_01.jpg").write_bytes(b"")
    told = swiftreid("evaluate", data, "--untimed", "--card", "card.json", "--json").json
    assert (told["unreadable"], len(told["unreadable_files"]), told["protocol"]["queries"]) == (1, 1, 23)
    card = ResultCard.load(tmp_path / "card.json")
    assert card.unreadable == 1
    assert [bad.file for bad in card.unreadable_files] == ["query/0013_c1s1_000001_01.jpg"]
    assert ResultCard.model_validate(told) == card  # what --json prints is a card


def test_stripes_are_fitted_to_the_training_split(swiftreid: Run, tmp_path: Path) -> None:
    for person in range(70):
        for shot in range(3):
            split = "train" if person < 66 else "gallery" if shot else "query"
            folder = tmp_path / "mine" / split / f"p{person}"
            folder.mkdir(parents=True, exist_ok=True)
            draw_person(person, 1, shot).save(folder / f"{shot}.png")
    assert "198 pictures of 66 people" in swiftreid("encoder", "stripes", "mine", "-o", "s.safetensors").out
    card = open_encoder(tmp_path / "s.safetensors").card
    assert card.provenance == "training split of mine"
    assert card.training["pictures"] == 198
    swiftreid("evaluate", "mine", "--encoder", "s.safetensors", "--untimed", "--card", "c.json")
    found = ResultCard.load(tmp_path / "c.json").encoder
    assert found is not None
    assert found.domain == "same data set"
    everything = swiftreid("encoder", "stripes", "mine", "--every", "-o", "t.safetensors").out
    assert "210 pictures without persons" in everything


def test_demo_runs_twice_and_never_removes_a_gallery_of_yours(
    swiftreid: Run, drawn_people: Path, tmp_path: Path
) -> None:
    swiftreid("gallery", "create", "mine/gallery")
    refused = swiftreid("demo", "--station", drawn_people, "--out", "mine", code=1)
    assert "not marked as made by the demo" in refused.err
    assert swiftreid("gallery", "info", "mine/gallery", "--json").json["entries"] == 0
    for encoder, tells in (("stripes", False), ("rendered", True)):
        done = swiftreid("demo", "--station", drawn_people, "--out", "out", "--encoder", encoder, "--json").json
        assert (tmp_path / done["picture"]).is_file()
        assert (done["description"] is not None and (tmp_path / done["description"]).is_file()) == tells
        assert done["card"]["protocol"]["queries"] == 24
        assert swiftreid("gallery", "info", done["gallery"], "--json").json["entries"] == 24


def test_errors_as_json(swiftreid: Run) -> None:
    ran = swiftreid("evaluate", "nowhere", "--json", code=1)
    assert ran.json["exit"] == 1
    assert "nowhere" in ran.json["error"]


def test_every_command_has_help_json_and_quiet() -> None:
    for command in all_commands():
        text = CliRunner().invoke(app, [*command, "--help"]).output
        assert "--json" in text, command
        assert "--quiet" in text, command


def test_searching_never_imports_torch(tmp_path: Path, drawn_people: Path) -> None:
    hook = "import sys; sys.modules['torch'] = None; from swiftreid.cli.entry import run; run()"
    query = drawn_people / "query" / "0015_c2s1_000001_01.jpg"
    for arguments in (
        ["gallery", "create", "g"],
        ["gallery", "add", "g", drawn_people / "query"],
        ["search", "g", query, "--no-picture"],
        ["evaluate", drawn_people, "--untimed"],
    ):
        subprocess.run([sys.executable, "-c", hook, *arguments], cwd=tmp_path, check=True, capture_output=True)


def test_info_says_what_an_encoder_is(swiftreid: Run, drawn_people: Path) -> None:
    shown = swiftreid("encoder", "info", "stripes").out
    card = open_encoder("stripes").card
    for words in (card.short_fingerprint, card.spec, f"{card.embedding} floats", "Apache-2.0", "no calibration"):
        assert words in shown
    assert swiftreid("encoder", "info", "stripes", "--json").json == card.model_dump(mode="json")
    swiftreid("calibrate", "stripes", drawn_people, "-o", "mine.safetensors", "--beta", 2)
    calibrated = swiftreid("encoder", "info", "mine.safetensors").out
    assert "calibrated on drawn" in calibrated
    assert "certified recall" in calibrated
    assert "no calibration" not in calibrated
    assert "mA" not in calibrated, "an encoder without attributes"


def test_info_says_how_well_attributes_are_told(swiftreid: Run) -> None:
    shown, card = swiftreid("encoder", "info", "rendered").out, open_encoder("rendered").card
    assert re.search(r"attribute +┃ accuracy, % ┃ +mA, % ┃ pictures with it ┃ pictures ┃", shown)
    score = next(score for score in card.known_scores if score.name == "backpack")
    assert score.accuracy is not None
    assert score.balanced is not None
    cells = [cell.strip() for line in shown.splitlines() if "│ backpack " in line for cell in line.split("│")[1:-1]]
    shares = [f"{100 * score.accuracy:.1f}", f"{100 * score.balanced:.1f}"]
    assert cells == ["backpack", *shares, str(score.positives), str(score.known)]
    assert "each has a second bit, such as surely_female: set where the probability is above 90 %" in shown
    assert "mA of an attribute: (recall + specificity) / 2, 50 % for a coin; mA of all: the mean of these" in shown
