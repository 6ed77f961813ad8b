"""In which numbers a machine computes best."""

import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware itself multiplies bfloat16; imitated, a training step takes ten times as long on a CPU."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(there for name, there in torch.cpu.get_capabilities().items() if "bf16" in name)
