"""Simulated mammograms: crops for training and whole views for the demo data, drawn from physical sizes."""

from lemons_core.simulate.crop import SimulatedCrop, simulate_crop
from lemons_core.simulate.view import Lesion, SimulatedView, simulate_view

__all__ = ["Lesion", "SimulatedCrop", "SimulatedView", "simulate_crop", "simulate_view"]
