"""What tiles are cut with, and the card of a model before it has learnt anything."""

from lemons_core.vision.network.model import LABELS
from lemons_core.vision.record.card import ModelCard

SIMULATED = "simulated"  # the value of --data that trains on tiles made on the way
SIMULATED_SOURCE = "lemons_core.simulate"  # in a card: the model has seen no row of any collection
HELD_OUT = 2000  # simulated tiles to measure on

REAL_TILE_PX = 192  # real crops are up to several centimetres wide
PATCHES = 3  # of normal tissue from each view: the hard negatives are there

EMPTY_CARD = ModelCard(
    name="",
    architecture="ResNet34 (torchvision), one grey channel, log-mean-exp pooling",
    labels=LABELS,
    spacing_mm=0.1,
    tile_px=128,
    background_mm=1.5,
    contrast_mm=4.0,
    trained_on="",
    simulated=True,
)
RESEARCH = "Research and education only, not a medical device."
NO_MALIGNANCY = "Says nothing about benign or malignant."
SIMULATED_LIMITS = (
    "Trained on simulated calcifications only; its figures on real mammograms are unknown.",
    "Made for film; the scores of places in a whole view are calibrated on simulated views.",
    NO_MALIGNANCY,
    RESEARCH,
)
BACKGROUND_LIMIT = (
    "Trained on simulated calcifications in a few normal mammograms; its figures on real lesions are unknown."
)
REAL_LIMITS = (
    "Trained on digitised film of one collection from the 1990s; digital mammograms look different.",
    "Made for crops around a finding, a few centimetres wide.",
)
MALIGNANCY_LIMIT = "Malignancy was learned from case-enriched data: its probability is no risk of a person."
