"""Evaluation: chance when labels mean nothing, hand-made lesions, and what the shipped model owes to any picture."""

import json
import shutil
from dataclasses import replace
from itertools import cycle, islice

import numpy as np
import pytest
import torch

from lemons_core.base.config import SHIPPED_MODEL
from lemons_core.base.errors import DataError
from lemons_core.base.terms import GROUPS
from lemons_core.cli import main
from lemons_core.simulate.crop import simulate_crop
from lemons_core.vision.detect.classify import predict_crop
from lemons_core.vision.evaluate.evaluate import Examples, evaluate, score_examples, simulated_examples, write_metrics
from lemons_core.vision.network.model import LABELS, build_network
from lemons_core.vision.network.weights import read_model, write_model
from lemons_core.vision.record.card import MALIGNANCY, read_card
from lemons_core.vision.tiles.constants import EMPTY_CARD
from lemons_core.vision.tiles.data import SimulatedTiles, held_out_tiles


@pytest.fixture(scope="module")
def examples() -> Examples:
    """The shipped model on tiles that it never saw."""
    return simulated_examples(read_model(), count=300, seed=11)


def test_a_label_shuffle_gives_chance(examples):
    honest = score_examples(examples, read_model().card)["labels"]["calcification"]["auc"]
    assert honest[1] > 0.5
    chance = {label: 0 for label in LABELS}
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(examples.targets))
        mixed = examples._replace(targets=examples.targets[order], single=examples.single[order])
        found = score_examples(mixed, read_model().card)["labels"]
        for label in chance:
            _, low, high = found[label]["auc"]
            chance[label] += low <= 0.5 <= high
    assert min(chance.values()) >= 15, "of 20 intervals about 19 hold 0.5"


def test_held_out_tiles_are_neither_those_of_training_nor_of_validation():
    held = held_out_tiles(EMPTY_CARD, count=2, seed=0)
    for seed in (0, 1_000_003):  # what a run of seed 0 trains on and chooses by
        other = SimulatedTiles(EMPTY_CARD, count=2, seed=seed)
        assert not any(torch.equal(held[i].inputs, other[i].inputs) for i in range(2))


def test_what_no_eye_can_see_takes_no_part():
    card = replace(EMPTY_CARD, name="x")
    logits = np.tile([[3.0, -2, 3, -2, -2], [-3, -2, -3, -2, -2]], (10, 1))
    targets = np.tile([[1.0, 0, 1, 0, 0], [0, 0, 0, 0, 0]], (10, 1))
    plain = Examples(logits, targets, np.arange(20).astype(str), np.tile([1, -1], 10))
    hidden = Examples(
        np.concatenate([logits, logits]),
        np.concatenate([targets, np.full_like(targets, np.nan)]),
        np.arange(40).astype(str),
        np.concatenate([plain.single, np.full(20, -1)]),
    )
    one, two = score_examples(plain, card), score_examples(hidden, card)
    for figures in (one, two):
        for row in figures["labels"].values():
            row.pop("patients")
        assert figures["labels"]["macro"]["auc"][0] == 1 and figures["labels"]["macro"]["n"] == 20
    assert {k: v["brier"] for k, v in one["labels"].items()} == {k: v["brier"] for k, v in two["labels"].items()}
    assert one["single_label"] == two["single_label"]


def test_the_unsure_are_left_out_of_the_single_label():
    """Six macro crops: two sure and right, one sure and wrong, one unsure of its group, two unsure of any calcium."""
    p = np.array(
        [
            [0.9, 0.1, 0.9, 0.1, 0.1],
            [0.9, 0.1, 0.9, 0.1, 0.1],
            [0.9, 0.1, 0.1, 0.9, 0.1],
            [0.9, 0.1, 0.5, 0.1, 0.1],
            [0.5, 0.1, 0.9, 0.1, 0.1],
            [0.5, 0.9, 0.1, 0.1, 0.1],
        ]
    )
    card = replace(EMPTY_CARD, abstain={"calcification": [0.4, 0.6], "macro": [0.45, 0.55]})
    targets = np.tile([1.0, 0, 1, 0, 0], (6, 1))
    single = np.full(6, GROUPS.index("macro"))
    found = score_examples(Examples(np.log(p / (1 - p)), targets, np.array(list("abcdef")), single), card)
    assert found["single_label"]["accuracy"][0] == pytest.approx(4 / 6)
    assert found["single_label"]["coverage"][0] == pytest.approx(3 / 6)
    assert found["single_label"]["answered_accuracy"][0] == pytest.approx(2 / 3)
    assert found["labels"]["calcification"]["abstain"]["coverage"][0] == pytest.approx(4 / 6)
    assert found["labels"]["macro"]["abstain"]["error"][0] == pytest.approx(2 / 5)


def test_the_temperature_of_the_card_is_used(examples):
    card = read_model().card
    cold, warm = (
        score_examples(examples, replace(card, temperature=dict.fromkeys(LABELS, t)))["labels"]["macro"]
        for t in (0.25, 4.0)
    )
    assert cold["auc"] == pytest.approx(warm["auc"]), "the order stays"
    assert cold["brier"] != pytest.approx(warm["brier"], abs=1e-3)
    assert cold["temperature"] == 0.25


def test_a_collection_by_crop_and_by_lesion(demo):
    found = evaluate(demo, SHIPPED_MODEL)
    assert found["simulated"] is True and found["split"] == "test" and found["seen"] is False
    assert found["n"] == found["crops"] + found["normal_patches"]
    assert found["single_label"]["n"] == found["crops"]
    lesions = found["lesions"]
    assert lesions["n"] == lesions["single_label"]["n"]
    assert lesions["n"] + lesions["two_views"] == found["crops"], "a lesion has one view or two"
    assert lesions["two_views"] > 0
    assert lesions["labels"]["calcification"]["positives"] == lesions["n"]
    for label in LABELS:
        row = found["labels"][label]
        assert sum(entry["n"] for entry in row["reliability"]) == row["n"]
    assert json.loads(json.dumps(found)) == found


def test_malignancy_is_measured_against_pathology_and_a_lesion_takes_the_worse(demo, tmp_path):
    labels = (*LABELS, MALIGNANCY)
    torch.manual_seed(0)
    write_model(
        tmp_path, build_network(labels), replace(EMPTY_CARD, labels=labels, training={"source": "a collection"})
    )
    found = evaluate(demo, tmp_path)
    row, lesions = found["labels"][MALIGNANCY], found["lesions"]["labels"][MALIGNANCY]
    assert row["n"] == found["crops"], "the pathology of normal tissue is not known"
    assert 0 < row["positives"] < row["n"]
    assert lesions["n"] == found["lesions"]["n"]
    assert row["positives"] / 2 <= lesions["positives"] <= row["positives"]
    assert found["labels"]["micro"]["n"] == found["n"]


def test_a_patient_with_calcifications_on_both_sides_is_refused(demo, tmp_path):
    root = shutil.copytree(demo, tmp_path / "crossing")
    train, test = (root / "csv" / f"calc_case_description_{split}_set.csv" for split in ("train", "test"))
    one, other = (
        next(line for line in path.read_text().splitlines() if line.startswith("P_")) for path in (train, test)
    )
    train.write_text(train.read_text().replace(f"\n{one.split(',')[0]},", f"\n{other.split(',')[0]},"))
    with pytest.raises(DataError, match="two sides of a split"):
        evaluate(root, SHIPPED_MODEL)


def test_figures_go_into_the_card_and_leave_the_weights_alone(tmp_path, capsys):
    torch.manual_seed(0)
    before = write_model(tmp_path, build_network(), replace(EMPTY_CARD, metrics={"validation": {"n": 1}}))
    status = main(["evaluate", "--data", "simulated", "--n", "16", "--model", str(tmp_path), "--write-card", "--json"])
    told = json.loads(capsys.readouterr().out)
    card = read_card(tmp_path)
    assert status == 0
    assert card.sha256 == before.sha256
    assert card.metrics["validation"] == {"n": 1}
    assert card.metrics["held_out"]["n"] == told["n"] == 16
    assert card.metrics["held_out"]["data"] == "simulated tiles"
    assert card.metrics["held_out"]["labels"]["macro"]["auc"] == pytest.approx(told["labels"]["macro"]["auc"], abs=1e-4)
    assert write_metrics(tmp_path, told).metrics == card.metrics


CLEAR = ("PLEOMORPHIC", "COARSE", "ROUND_AND_REGULAR", "LUCENT_CENTERED", "VASCULAR", "AMORPHOUS")


def clear_crops(count, **options):
    """Simulated crops with calcium that can be seen, of six kinds, on which the shipped model did not train."""
    drawn = (
        simulate_crop((kind,), rng=np.random.default_rng([90_001, number]), **options)
        for number, kind in enumerate(cycle(CLEAR))
    )
    return islice((crop for crop in drawn if crop.tokens), count)


def distance(one, other):
    """Mean difference of the five probabilities."""
    pairs = [(one.calcification, other.calcification)] + [
        (one.probabilities[group], other.probabilities[group]) for group in GROUPS
    ]
    return np.mean([abs(a - b) for a, b in pairs])


def coarser(pixels, factor):
    """Averaged over squares of `factor` pixels."""
    h, w = (length // factor * factor for length in pixels.shape)
    return pixels[:h, :w].reshape(h // factor, factor, w // factor, factor).mean((1, 3))


def test_the_same_lesion_at_another_spacing_gives_nearly_the_same_answer():
    far: dict[int, list[float]] = {2: [], 4: []}
    for crop in clear_crops(12, size_px=288, spacing_mm=0.05):
        fine = predict_crop(crop.pixels, spacing_mm=0.05)
        for factor, found in far.items():
            found.append(distance(fine, predict_crop(coarser(crop.pixels, factor), spacing_mm=0.05 * factor)))
    assert np.mean(far[2]) < 0.1
    assert np.mean(far[4]) < 0.15


def test_flips_and_turns_do_not_change_the_group():
    same, far = [], []
    for crop in clear_crops(12, size_px=144):
        plain = predict_crop(crop.pixels, spacing_mm=0.1)
        for quarters in range(4):
            turned = np.rot90(crop.pixels, quarters)
            for picture in (turned, turned[:, ::-1]):
                found = predict_crop(np.ascontiguousarray(picture), spacing_mm=0.1)
                same.append(found.top == plain.top)
                far.append(distance(plain, found))
    assert len(same) == 96
    assert np.mean(same) >= 0.9
    assert np.mean(far) < 0.06
