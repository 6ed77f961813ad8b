"""Where tiles come from, and the card of a model before it has learnt anything."""

from lemons_core.vision.network.model import LABELS
from lemons_core.vision.record.card import ModelCard

SIMULATED = "simulated"  # the value of --data that trains on tiles made on the way
SIMULATED_SOURCE = "lemons_core.simulate"  # in a card: the model has seen no row of any collection

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
