"""The image model. Only the modules in here load torch, and only when they are imported."""
