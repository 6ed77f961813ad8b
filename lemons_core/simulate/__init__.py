"""Simulated mammograms: crops for training and whole views for the demo data, drawn from physical sizes."""

from lemons_core.simulate.crop import SimulatedCrop, simulate_crop

__all__ = ["SimulatedCrop", "simulate_crop"]
