"""Let glibc keep the memory that a process frees: a network on a CPU asks for the same large blocks again at every batch.

As it comes, glibc hands large blocks back at once and gets them anew as pages of zeros, one page fault each 4 kB.
"""

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of mallopt(3)
NEVER = -1  # hand back the top of the heap
NONE = 0  # blocks in mappings of their own, which are handed back when they are freed
OF_THE_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")


def keep_freed_memory() -> bool:
    """Tell the allocator of this process to reuse freed memory rather than hand it back; return whether it does.

    A user who has set one of glibc's own variables, or `glibc.malloc` in GLIBC_TUNABLES, has chosen already. Another
    allocator or another C library is left as it is.
    """
    chosen = any(name in os.environ for name in OF_THE_USER) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if chosen or not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(MMAP_MAX, NONE) and library.mallopt(TRIM_THRESHOLD, NEVER))
