"""Fitting, saving and explaining note models, on simulated notes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.notes import demo_table

from lemons_core.base.errors import DataError, ModelError
from lemons_core.dataset.splits import folds
from lemons_core.metrics.binary import auc
from lemons_core.notes.calibrate import fit_calibration
from lemons_core.notes.estimators import KINDS, Hyperparameters
from lemons_core.notes.evaluate import cross_predict
from lemons_core.notes.explain import (
    explain_note,
    gain_importance,
    partial_dependence,
    permutation_importance,
    same_words,
    shap_values,
    similar_cases,
)
from lemons_core.notes.model import (
    NoteModel,
    by_lesion,
    fill_in,
    fit_model,
    is_malignant,
    log_odds,
    predict,
    sigmoid,
    usable_rows,
)
from lemons_core.notes.store import read_model, read_shipped, train_model, write_model
from lemons_core.notes.text import FEATURE_SETS, Note, build_note, build_notes

QUICK = Hyperparameters(rounds=10, trees=1)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return usable_rows(demo_table())


@pytest.fixture(scope="module")
def model() -> NoteModel:
    return train_model(demo_table(), "assessment", trained_on="simulated demo data", simulated=True)


def test_import_loads_no_learner() -> None:
    names = ("parsing.parse", "model", "store", "evaluate", "search", "explain", "leakage", "answer", "board")
    modules = ", ".join(f"lemons_core.notes.{name}" for name in names)
    heavy = "('xgboost', 'sklearn', 'scipy', 'torch', 'streamlit')"
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_patient_on_two_sides_of_a_fold(rows: pd.DataFrame) -> None:
    for seed in range(3):
        pairs = folds(rows, count=5, seed=seed)
        patients = rows["patient_id"].to_numpy(dtype=object)
        for train, held in pairs:
            assert not set(patients[train]) & set(patients[held])
        assert sorted(np.concatenate([held for _, held in pairs])) == list(range(len(rows)))
        shares = [is_malignant(rows)[held].mean() for _, held in pairs]
        assert max(shares) - min(shares) < 0.08  # stratified


def test_the_vectoriser_never_sees_held_out_text(rows: pd.DataFrame) -> None:
    """A word planted in held-out rows is in no vocabulary, and changes no prediction of that fold."""
    train, held = folds(rows, count=5, seed=0)[0]
    planted = rows.copy()
    for row in held:
        planted.at[row, "morphology_tokens"] = (*rows.at[row, "morphology_tokens"], "ZEBRA")
    assert "ZEBRA" not in fit_model(planted.iloc[train], settings=QUICK).vectoriser.vocabulary
    pair = [(train, held)]
    plain, marked = (cross_predict(table, "context", pair, settings=QUICK)[held] for table in (rows, planted))
    given = [bool(tokens) for tokens in rows["morphology_tokens"].iloc[held]]  # "not given" is a word itself
    assert np.array_equal(plain[given], marked[given])


def test_shuffled_outcomes_leave_nothing_to_learn(rows: pd.DataFrame) -> None:
    train = rows[rows["split"] == "train"].reset_index(drop=True)
    values = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(train))
        shuffled = train.assign(pathology=train["pathology"].to_numpy()[order])
        p = cross_predict(shuffled, "assessment", folds(shuffled, count=5, seed=seed), settings=QUICK, seed=seed)
        values.append(auc(is_malignant(shuffled), p))
    assert np.mean(values) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_calibrated_probabilities(rows: pd.DataFrame, kind: str) -> None:
    train, test = rows[rows["split"] == "train"], rows[rows["split"] == "test"]
    p = predict(fit_model(train, "assessment", kind=kind), build_notes(test))
    assert ((p > 0) & (p < 1)).all()
    assert p.mean() == pytest.approx(is_malignant(train).mean(), abs=0.08)
    assert auc(is_malignant(test), p) > (0.8 if kind != "majority" else 0.49)


def test_calibration_keeps_the_order_and_mends_the_scale() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=4000)
    labels = (rng.uniform(size=4000) < sigmoid(true)).astype(float)
    calibration = fit_calibration(3 * true + 1, labels)
    mended = calibration(3 * true + 1)
    assert np.array_equal(np.argsort(mended), np.argsort(true))
    assert np.abs(sigmoid(mended) - sigmoid(true)).mean() < 0.03
    assert (np.diff(calibration(np.linspace(-50, 50, 999))) > 0).all()


def test_a_grade_not_given_is_averaged(model: NoteModel) -> None:
    note = build_note(["PLEOMORPHIC"], ["CLUSTERED"], breast_density=2, subtlety=3, assessment=4)
    filled, weights, owner = fill_in(model, [note])
    assert {n.view for n in filled} == {"CC", "MLO"} and weights.sum() == pytest.approx(1)
    ends = log_odds(model, [Note(**vars(note) | {"view": view}) for view in ("CC", "MLO")])
    assert min(ends) <= log_odds(model, [note])[0] <= max(ends)
    assert set(owner) == {0}


def test_lesions_join_their_views(rows: pd.DataFrame) -> None:
    pair = rows[rows["lesion_id"] == rows["lesion_id"][rows["lesion_id"].duplicated()].iloc[0]]
    lesion = by_lesion(pair, np.array([0.2, 0.8] + [0.5] * (len(pair) - 2)))
    assert len(lesion) == 1 and lesion["probability"].iloc[0] == pytest.approx(0.5)
    assert lesion["views"].iloc[0] == len(pair)
    assert len(by_lesion(rows, np.full(len(rows), 0.3))) == rows["lesion_id"].nunique()


def test_directions_follow_birads(model: NoteModel) -> None:
    probabilities = {
        grade: predict(model, [build_note(["AMORPHOUS"], ["CLUSTERED"], assessment=grade)])[0] for grade in (2, 3, 4, 5)
    }
    assert list(probabilities.values()) == sorted(probabilities.values())


def test_shap_values_sum_to_the_margin(model: NoteModel, rows: pd.DataFrame) -> None:
    import xgboost

    notes = [note for note in build_notes(rows[:200]) if note.breast_density is not None]
    values, base = shap_values(model, notes)
    margin = model.estimator.predict(xgboost.DMatrix(model.vectoriser.transform(notes)), output_margin=True)
    assert values.sum(axis=1) + base == pytest.approx(margin, abs=1e-4)
    incomplete = build_note(["PLEOMORPHIC"], assessment=4)
    for note in (notes[0], incomplete):
        why = explain_note(model, note)
        assert why.base + sum(step[2] for step in why.steps) == pytest.approx(log_odds(model, [note])[0], abs=1e-4)
        assert why.probability == pytest.approx(predict(model, [note])[0])
        assert why.steps[-1][0] == "calibration"


def test_importance_names_what_matters(model: NoteModel, rows: pd.DataFrame) -> None:
    test = rows[rows["split"] == "test"]
    gain, permuted = gain_importance(model), permutation_importance(model, test, repeats=5)
    assert gain["share"].sum() == pytest.approx(1)
    assert permuted.iloc[0]["descriptor"] == "assessment" and permuted.iloc[0]["loss"] > 0.05
    assert set(permuted["descriptor"]) == set(gain["descriptor"]) and (permuted["n"] == len(test)).all()
    assert abs(permuted.set_index("descriptor")["loss"]["view"]) < 0.02
    assert np.abs(shap_values(model, build_notes(test))[0]).mean(axis=0).max() > 0.1


def test_partial_dependence_rises_with_the_category(model: NoteModel, rows: pd.DataFrame) -> None:
    table = partial_dependence(model, build_notes(rows[:100]), "assessment").set_index("value")["probability"]
    assert table[2] < table[4] < table[5]
    with pytest.raises(ModelError, match="does not read"):
        partial_dependence(fit_model(rows, "descriptors", settings=QUICK), build_notes(rows[:5]), "assessment")


def test_similar_cases_come_first_and_from_different_patients(rows: pd.DataFrame) -> None:
    note = build_note(["PLEOMORPHIC"], ["CLUSTERED"], assessment=4)
    found = similar_cases(rows, note, count=6)
    assert found["similarity"].is_monotonic_decreasing and found["patient_id"].is_unique
    best = found.iloc[0]
    assert (best["morphology"], best["distribution"], best["assessment"]) == ("PLEOMORPHIC", "CLUSTERED", 4)
    n, malignant, share = same_words(rows, note)
    same = rows[(rows["morphology"] == "PLEOMORPHIC") & (rows["distribution"] == "CLUSTERED")]
    assert n >= len(same) and share.low < share.value < share.high and share.value == malignant / n
    assert same_words(rows, Note(("ZEBRA",))) == (0, 0, None)


def test_a_saved_model_gives_the_same_probabilities(model: NoteModel, rows: pd.DataFrame, tmp_path: Path) -> None:
    notes = [*build_notes(rows[:300]), build_note(["SKIN"])]
    again = read_model(write_model(model, tmp_path / "model"))
    assert np.array_equal(predict(model, notes), predict(again, notes))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["card.json", "model.json"]
    assert again.card == model.card and again.card.simulated is True and again.card.metrics["official"].n == 326
    assert all(len(again.card.metrics[name].auc) == 3 for name in ("official", "grouped_cv"))


@pytest.mark.parametrize(
    "damage",
    [
        "no_card",
        "no_model",
        "cut_card",
        "old_card",
        "other_model",
        "cut_model",
        "vocabulary",
        "words_for_rows",
        "no_metrics",
        "odd_settings",
    ],
)
def test_a_damaged_model_is_refused(model: NoteModel, tmp_path: Path, damage: str) -> None:
    folder = write_model(model, tmp_path / "model")
    card, weights = folder / "card.json", folder / "model.json"
    written = json.loads(card.read_text())
    if damage == "no_card":
        card.unlink()
    elif damage == "no_model":
        weights.unlink()
    elif damage == "cut_card":
        card.write_text(card.read_text()[:200])
    elif damage == "old_card":
        card.write_text(json.dumps({key: value for key, value in written.items() if key != "calibration"}))
    elif damage == "other_model":
        weights.write_bytes(weights.read_bytes().replace(b"0", b"1", 1))
    elif damage == "cut_model":
        weights.write_bytes(weights.read_bytes()[:500])
        _trust(card, weights, written)
    elif damage == "vocabulary":
        written["vectoriser"]["vocabulary"].append("ZEBRA")
        card.write_text(json.dumps(written))
    else:
        odd = {"words_for_rows": {"rows": "many"}, "no_metrics": {"metrics": None}, "odd_settings": {"settings": {}}}
        card.write_text(json.dumps(written | odd[damage]))
    with pytest.raises(ModelError):
        read_model(folder)


def _trust(card: Path, weights: Path, written: dict) -> None:
    import hashlib

    card.write_text(json.dumps(written | {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}))


def test_only_a_trained_booster_is_saved(rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        write_model(fit_model(rows, settings=QUICK), tmp_path / "without_card")
    with pytest.raises(ModelError):
        shap_values(fit_model(rows, kind="majority"), [Note(("SKIN",))])


@pytest.mark.parametrize("features", FEATURE_SETS)
def test_the_shipped_model_learnt_from_the_published_table_and_reads_notes(features: str) -> None:
    shipped = read_shipped(features)
    assert shipped.card.simulated is False and "published case table" in shipped.card.trained_on
    assert (shipped.card.rows, shipped.card.patients, shipped.card.malignant) == (1546, 602, 544)
    low, high = predict(shipped, [build_note(["VASCULAR"]), build_note(["FINE_LINEAR_BRANCHING"], ["SEGMENTAL"])])
    assert low < 0.1 < 0.5 < high


def test_rows_without_both_outcomes_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError):
        usable_rows(rows[rows["pathology"] == "BENIGN"])
    with pytest.raises(DataError):
        fit_model(rows[rows["pathology"] == "MALIGNANT"])
    with pytest.raises(DataError, match="Unknown model"):
        fit_model(rows, kind="oracle")  # type: ignore[arg-type]


def test_shipped_files_are_nothing_but_json() -> None:
    import lemons_core.notes.store as store

    files = [path for path in store.SHIPPED.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"card.json", "model.json"}
    for path in files:
        json.loads(path.read_text())
    assert sum(path.stat().st_size for path in files) < 2_000_000
