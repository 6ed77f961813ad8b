"""Simulated mammograms: crops for training and whole views for the demo data, drawn from physical sizes."""
