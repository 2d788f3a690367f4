"""When memory is short: tell it, and make room for a smaller batch."""

from __future__ import annotations

import gc
import sys


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short, on any device."""
    told = type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError)
    return told or (isinstance(error, RuntimeError) and "allocate memory" in str(error))


def free_memory() -> None:
    """Give cached memory back, so that a smaller batch finds room; torch only if it is in use."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
