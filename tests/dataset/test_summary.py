"""The five lines at the end of a check, word by word."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from support.dicom import dataset, file_bytes, ramp
from support.pairs import write_pairs
from support.rows import record, write

from lemons_core.cli import main
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.quality import NextStep, Summary, check_collection


def check_text(capsys, data: str | Path) -> list[str]:
    assert main(["check", "--data", str(data), "--headers-only"]) == 0
    return capsys.readouterr().out.splitlines()[-5:]


def summary_of(root: Path) -> Summary:
    return check_collection(read_collection(root), pixels=False).summary


def test_published_rows_without_images_name_the_commands_that_get_them(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path))
    assert check_text(capsys, "published") == [
        "found:      3,568 rows in 4 tables, no image",
        "used:       1,872 calcification rows, all as text only",
        "skipped:    nothing",
        "wrong:      259 problems in the tables, 31 patients in both splits",
        "to do next: get one case with `python -m lemons_core fetch case P_00038 L CC`, "
        "or all crops with `fetch crops`",
    ]


def test_a_folder_without_images_gets_them_where_its_tables_lie(capsys, tmp_path):
    root = tmp_path / "my data"
    write(root, [record()])
    assert check_text(capsys, root) == [
        "found:      1 row in 1 table, no image",
        "used:       1 calcification row, all as text only",
        "skipped:    nothing",
        "wrong:      1 problem in the tables",
        f"to do next: get one case with `python -m lemons_core fetch case P_90001 L CC --out '{root}'`, "
        "or all crops with `fetch crops`",
    ]
    assert summary_of(root).commands[1] == f"python -m lemons_core fetch crops --out {shlex.quote(str(root))}"


def test_unreadable_files_are_downloaded_again(capsys, tmp_path):
    write_pairs(tmp_path, [True] * 3)
    path = next(tmp_path.rglob("1-2.dcm"))
    path.write_bytes(path.read_bytes()[:-500])
    (tmp_path / "stranger.dcm").write_bytes(file_bytes(dataset(ramp(), SeriesInstanceUID="2.25.9")))
    lines = check_text(capsys, tmp_path)
    assert lines[2] == "skipped:    1 file that cannot be read, 1 image without row"
    assert lines[4] == (
        f"to do next: download 1 unreadable file again; `python -m lemons_core check --data {tmp_path} --json` names it"
    )


def test_images_beside_the_one_in_use_are_not_passed_over_in_silence(capsys, tmp_path):
    write_pairs(tmp_path, [True] * 3)
    for crop in sorted(tmp_path.rglob("1-2.dcm"))[:2]:
        shutil.copy(crop, crop.with_name("copy.dcm"))
    assert check_text(capsys, tmp_path)[2] == "skipped:    2 images beside the one in use"


def test_a_collection_that_is_all_there_is_trained_on_or_converted(capsys, tmp_path):
    write_pairs(tmp_path, [True] * 12)
    assert check_text(capsys, tmp_path) == [
        "found:      12 rows in 1 table, 24 images: TCIA (NBIA Data Retriever)",
        "used:       12 calcification rows, 0 with a view, 12 with a crop, 12 with a mask",
        "skipped:    nothing",
        "wrong:      1 problem in the tables",
        f"to do next: train a model with `python -m lemons_core train --data {tmp_path}`, "
        "or write PNG files with `convert`",
    ]


def test_less_than_half_of_the_crops_are_completed(capsys, tmp_path):
    write_pairs(tmp_path, [True] * 2, others=13)
    last = check_text(capsys, tmp_path)[-1]
    assert last == f"to do next: get the other 13 crops with `python -m lemons_core fetch crops --out {tmp_path}`"


def test_tables_of_masses_alone_ask_for_those_of_the_calcifications(capsys, tmp_path):
    write_pairs(tmp_path, [True], kind="Mass-Training")
    lines = check_text(capsys, tmp_path)
    assert lines[1] == "used:       nothing: there is no calcification row"
    assert lines[4] == "to do next: put the two tables calc_case_description_*_set.csv below this folder"


def test_several_layouts_are_counted(tmp_path):
    write_pairs(tmp_path, [True] * 2)
    folder = tmp_path / "cbis_ddsm" / "case" / "2.25.1" / "MG_2.25.9"
    folder.mkdir(parents=True)
    (folder / "one.dcm").write_bytes(file_bytes(dataset(ramp(), SeriesInstanceUID="2.25.9")))
    found = summary_of(tmp_path).lines()["found"]
    assert found == "2 rows in 1 table, 5 images: 4 TCIA (NBIA Data Retriever), 1 Imaging Data Commons"


def test_json_has_the_same_five_facts_as_values(capsys, tmp_path):
    write_pairs(tmp_path, [True] * 3)
    assert main(["check", "--data", str(tmp_path), "--headers-only", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {"root", "images", "layouts", "pixels", "counts", "faults"} < set(printed)
    assert printed["summary"] == {
        "found": {"tables": 1, "rows": 3, "images": {"TCIA (NBIA Data Retriever)": 6}},
        "used": {"rows": 3, "view": 0, "crop": 3, "mask": 3},
        "skipped": {},
        "wrong": {"problem in the tables": 1},
        "to_do_next": {
            "step": NextStep.USE,
            "commands": [
                f"python -m lemons_core train --data {tmp_path}",
                f"python -m lemons_core convert --data {tmp_path} --out png",
            ],
        },
    }


@pytest.mark.parametrize("name", ["demo", "path"])
def test_simulated_data_are_called_by_the_word_that_chooses_them(demo, tmp_path, name):
    root = demo
    if name == "path":
        root = tmp_path / "elsewhere"
        shutil.copytree(demo, root)
    chosen = "demo" if name == "demo" else str(root)
    assert summary_of(root).commands[0] == f"python -m lemons_core train --data {chosen}"


def test_the_real_crop(capsys, real_data):
    found, used, skipped, wrong, todo = check_text(capsys, real_data / "cbis-ddsm")
    assert found == "found:      3,568 rows in 4 tables, 1 image: a layout of its own"
    assert used == "used:       1,872 calcification rows, 0 with a view, 1 with a crop, 0 with a mask"
    assert skipped == "skipped:    1 picture that no row can be joined to"
    assert wrong == "wrong:      259 problems in the tables, 31 patients in both splits, 1 row without image"
    assert todo.startswith("to do next: get the other 1,871 crops with `python -m lemons_core fetch crops --out ")


def test_what_was_seen_and_not_used_is_named_and_counted(capsys, tmp_path):
    write_pairs(tmp_path, [True] * 3)
    crop = min(tmp_path.rglob("1-2.dcm"))
    shutil.copy(crop, crop.with_name("copy.dcm"))
    (tmp_path / "rest.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert main(["check", "--data", str(tmp_path), "--headers-only"]) == 0
    printed = capsys.readouterr().out
    assert "rest.zip is an archive: unpack it to use the pictures in it\n" in printed
    assert "The link gone leads nowhere\n" in printed
    assert "copies of which a better one is used\n" in printed and "copy.dcm: no better; in use as crop is" in printed
    line = next(line for line in printed.splitlines() if line.startswith("skipped:"))
    assert line == (
        "skipped:    1 image beside the one in use, 1 archive that is not unpacked, 1 link that leads nowhere"
    )
    assert main(["check", "--data", str(tmp_path), "--headers-only", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["passed_over"]
    assert [len(told[name]) for name in ("skipped", "mirror", "duplicates")] == [2, 0, 1]
