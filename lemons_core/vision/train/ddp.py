"""Several training processes that work as one, started by torchrun; a single process is a group of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

Value = TypeVar("Value")
# The main process cuts the tiles of a whole collection and validates while the others wait.
_TIMEOUT = timedelta(hours=12)


@dataclass(frozen=True)
class ProcessGroup:
    """This process among its like.

    rank : 0 for the main one, which alone writes; size : how many there are; local : its number on this machine
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", self.local) if torch.cuda.is_available() else torch.device("cpu")

    def share(self, value: Value) -> Value:
        """What the main process has, for all; they wait for it."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def wait(self) -> None:
        """Until all have come here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def join_process_group() -> Iterator[ProcessGroup]:
    """The group that torchrun's environment names: over NCCL with GPUs, over Gloo without."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup()
        return
    group = ProcessGroup(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    if group.device.type == "cuda":
        torch.cuda.set_device(group.device)
    distributed.init_process_group("nccl" if group.device.type == "cuda" else "gloo", timeout=_TIMEOUT)
    try:
        yield group
    finally:
        distributed.destroy_process_group()
