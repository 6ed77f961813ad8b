"""The demo data is a small CBIS-DDSM: its layout, its counts, its faults; the same bytes from the same seed."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lemons_core.base.errors import DataError
from lemons_core.dataset.cases import read_cases
from lemons_core.dataset.collection import MARKER, read_demo_marker
from lemons_core.simulate.demo import shots, write
from lemons_core.simulate.demo.casetable import simulate_rows
from lemons_core.simulate.demo.published import DISTRIBUTIONS, ROWS, TOKENS
from lemons_core.simulate.demo.write import write_demo

IMAGES = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo") / "set", seed=3, images=IMAGES, jobs=1)


@pytest.fixture(scope="module")
def rows():
    return simulate_rows(0)


@pytest.fixture(scope="module")
def calc(rows):
    return [r for r in rows if r.kind == "calc"]


def share(chosen: list) -> float:
    return float(np.mean([r.pathology == "MALIGNANT" for r in chosen]))


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_row_counts_are_those_published(root, rows):
    assert Counter(f"{r.kind}_{r.split}" for r in rows) == ROWS
    assert read_cases(root).summary()["rows"] == ROWS


def test_lesions_patients_and_views_are_those_published(calc):
    lesions = Counter((r.patient, r.side, r.number) for r in calc)
    assert len({r.patient for r in calc}) == 753
    assert len(lesions) == 1045 and Counter(lesions.values()) == {2: 827, 1: 218}
    views = {}
    for r in calc:
        views.setdefault((r.patient, r.side, r.number), []).append(r)
    assert sum(len({r.what for r in own}) > 1 for own in views.values()) == 50
    assert sum(len({r.pathology for r in own}) > 1 for own in views.values()) == 3
    assert len({(r.patient, r.side, r.view, r.number) for r in calc}) == len(calc)


def test_kinds_and_their_malignant_share_are_near_those_published(calc):
    for token, (n, malignant) in TOKENS.items():
        named = [r for r in calc if token in r.what.replace("CENTERED", "CENTER").split("-")]
        assert abs(len(named) - n) <= 2, token
        assert abs(share(named) - malignant) < 0.06, token
    for name, (_, malignant) in DISTRIBUTIONS.items():
        named = [r for r in calc if name in r.how.split("-")]
        assert abs(share(named) - malignant) < 0.12, name


def test_pathology_assessment_density_and_subtlety_are_near_those_published(calc):
    def near(counts: Counter, published: dict, off: int) -> bool:
        return all(abs(counts[key] - n) <= off for key, n in published.items())

    assert near(
        Counter(r.pathology for r in calc), {"MALIGNANT": 673, "BENIGN": 658, "BENIGN_WITHOUT_CALLBACK": 541}, 15
    )
    assert near(Counter(r.assessment for r in calc), {0: 76, 2: 553, 3: 113, 4: 931, 5: 199}, 4)
    assert near(Counter(r.density for r in calc), {0: 2, 1: 199, 2: 616, 3: 654, 4: 401}, 8)
    assert near(Counter(r.subtlety for r in calc), {1: 119, 2: 298, 3: 606, 4: 422, 5: 427}, 4)
    assert share([r for r in calc if r.assessment == 5]) > 0.98
    assert share([r for r in calc if r.assessment == 2]) < 0.005


def test_trap_a_missing_distribution_leaks_the_pathology(calc):
    missing = [r for r in calc if not r.how]
    assert len(missing) == 439 and share(missing) == 0
    assert sum(r.pathology == "BENIGN_WITHOUT_CALLBACK" for r in missing) >= 430


def test_trap_compound_missing_and_doubled_kinds(calc):
    kinds = Counter(r.what for r in calc)
    assert kinds[""] == 24 and sum(n for k, n in kinds.items() if "-" in k) == 293
    assert kinds["PLEOMORPHIC-PLEOMORPHIC"] == 1
    assert sum(r.how == "REGIONAL-REGIONAL" for r in calc) == 1
    assert any("LUCENT_CENTERED" in k for k in kinds) and any(k.endswith("LUCENT_CENTER") for k in kinds)


def test_trap_patients_cross_only_between_calc_and_mass(rows):
    who = {key: {r.patient for r in rows if f"{r.kind}_{r.split}" == key} for key in ROWS}
    assert not who["calc_train"] & who["calc_test"] and not who["mass_train"] & who["mass_test"]
    assert len(who["calc_train"] & who["mass_test"]) + len(who["mass_train"] & who["calc_test"]) == 31


def test_the_case_reader_finds_the_planted_faults(root):
    problems = [(p.column, p.what) for p in read_cases(root).problems]
    for column, words in (
        ("breast density", "'0' is outside"),
        ("cropped image file path", "names the same file as the mask"),
        ("calc type", "names one token twice"),
        ("calc type", "LUCENT_CENTER"),
        ("calc distribution", "missing in"),
    ):
        assert any(c == column and words in what for c, what in problems), (column, words)
    assert not any("unknown value" in what or "does not end" in what for _, what in problems)


def test_the_files_are_written_as_the_collection_writes_them(root):
    raw = (root / "csv" / "calc_case_description_train_set.csv").read_bytes()
    header, first = raw.split(b"\r\n")[:2]
    assert header.startswith(b"patient_id,breast density,left or right breast,image view,abnormality id,")
    assert b',"Calc-Training_P_' in first and b'/000001.dcm\n",' in first and first.endswith(b"/000000.dcm")
    mass = (root / "csv" / "mass_case_description_test_set.csv").read_bytes()
    assert b",breast_density," in mass.split(b"\r\n")[0] and b'/000001.dcm\n"\r\n' in mass


def test_pictures_join_their_rows_and_look_like_the_collection(root):
    table = read_cases(root).table
    series: dict[str, list[pydicom.Dataset]] = {}
    for path in sorted(root.rglob("1-*.dcm")):
        assert path.name in ("1-1.dcm", "1-2.dcm") and len(path.relative_to(root).parts) == 5
        ds = pydicom.dcmread(path)
        assert path.parent.name == ds.SeriesInstanceUID and path.parents[1].name == ds.StudyInstanceUID
        assert ds.PatientID == path.parents[2].name and ds.PatientName == "Simulated^Demo"
        assert (ds.Modality, ds.PhotometricInterpretation) == ("MG", "MONOCHROME2")
        assert list(ds.ImagerPixelSpacing) == [0.1, 0.1]
        series.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
    drawn = table[table["crop_series"].isin(series)]
    assert len(drawn) >= IMAGES and len(drawn) == read_demo_marker(root)["regions"]
    assert drawn["image_series"].isin(series).all()
    other_size = prefix_lost = 0
    for row in drawn.itertuples():
        (view,) = series[row.image_series]
        assert (view.Laterality, view.PatientOrientation) == (row.laterality, row.view)
        pair = series[row.crop_series]
        assert len(pair) == 2
        mask = next(ds for ds in pair if ds.BitsStored == 8)
        crop = next(ds for ds in pair if ds.BitsStored == 16)
        assert set(np.unique(mask.pixel_array)) == {0, 255}
        prefix_lost += not crop.PatientID.startswith("Calc-")
        if mask.pixel_array.shape != view.pixel_array.shape:
            other_size += 1
            continue
        # The crop is a piece of the view that holds the whole lesion: its first row is found there, pixel by pixel.
        lesion = np.flatnonzero(mask.pixel_array.any(axis=1))
        top = [r for r in range(lesion[0] + 1) if crop.pixel_array[0].tobytes() in view.pixel_array[r].tobytes()]
        assert top and top[0] + crop.Rows > lesion[-1]
    assert other_size == 1 and prefix_lost == 1


def test_crop_and_mask_come_in_either_order(root):
    firsts = {pydicom.dcmread(p, stop_before_pixels=True).BitsStored for p in root.rglob("1-1.dcm")}
    seconds = {pydicom.dcmread(p, stop_before_pixels=True).BitsStored for p in root.rglob("1-2.dcm")}
    assert firsts == {8, 16} and seconds == {8, 16}


def test_the_chosen_pictures_cover_splits_groups_pathology_and_both_views(rows):
    chosen = shots.choose_shots(rows, 96, 0)
    own = [r for s in chosen for r in s.rows]
    assert len(own) >= 96
    assert {(shots.group_of(r.what), r.split) for r in own} == {
        (g, s) for g in ("micro", "amorphous", "macro", "vascular") for s in ("train", "test")
    }
    assert 0.2 < share(own) < 0.5
    assert sum(n == 2 for n in Counter((r.patient, r.side, r.number) for r in own).values()) >= 10
    assert any(len(s.rows) == 2 for s in chosen)
    traps = sorted(s.trap for s in chosen if s.trap)
    assert traps == sorted([shots.PREFIX_LOST, shots.MASK_RESIZED, shots.SAME_FILE])


def test_the_same_seed_gives_the_same_bytes_with_more_processes(root, tmp_path):
    told: list[float] = []
    again = write_demo(
        tmp_path / "again", seed=3, images=IMAGES, jobs=2, progress=lambda share, what: told.append(share)
    )
    assert digest(again) == digest(root)
    assert told == sorted(told) and told[-1] == 1.0


def test_a_finished_set_is_kept_and_other_files_are_never_replaced(root, tmp_path):
    before = (root / MARKER).stat().st_mtime_ns
    write_demo(root, seed=3, images=IMAGES)
    assert (root / MARKER).stat().st_mtime_ns == before
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="other files"):
        write_demo(tmp_path / "own")
    assert (tmp_path / "own" / "thesis.txt").read_text() == "mine"


@pytest.mark.filterwarnings("ignore:.*still being processed:UserWarning")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_leaves_nothing(tmp_path, jobs):
    def stop(share: float, what: str) -> None:
        if share > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_demo(tmp_path / "set", images=1, jobs=jobs, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_set_that_another_process_finished_first_stays(root, tmp_path):
    """Two processes start at once: the slower one finds the folder taken and leaves it alone."""
    mine, theirs = tmp_path / "mine", tmp_path / "set"
    wanted = json.loads((root / MARKER).read_text())
    for folder, name in ((mine, "slow"), (theirs, "fast")):
        folder.mkdir()
        (folder / MARKER).write_text(json.dumps({**wanted, "who": name}))
    write._rename_to(mine, theirs, {key: wanted[key] for key in ("seed", "images", "version", "recipe")})
    assert read_demo_marker(theirs)["who"] == "fast"


def test_no_marker_means_no_demo(tmp_path):
    assert read_demo_marker(tmp_path) is None
    (tmp_path / MARKER).write_text("{half")
    assert read_demo_marker(tmp_path) is None
