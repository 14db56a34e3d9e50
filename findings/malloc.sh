#!/bin/sh
# glibc (2.36 and others): the first large block that is freed teaches malloc to keep blocks of that size (the mmap
# threshold grows up to 32 MiB), so that later ones come from the heap, and one small block behind them keeps them all in
# the process. With MALLOC_MMAP_THRESHOLD_ set, to whatever value, it learns nothing: each large block goes back at once.
# Why it matters: 300 clients with replies of 4 MiB left a process of ours large for good; node/supervisor.py sets it.
# Succeeds while both hold, fails once they have changed. Linux with glibc; nothing is installed.
set -eu
cat > "${program:=$(mktemp)}" <<'PY'
import ctypes

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
BLOCK, BLOCKS = 4 << 20, 40


def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 >> 20


libc.free(libc.malloc(16 << 20))  # what it learns from
before = resident_mib()
blocks = [libc.malloc(BLOCK) for _ in range(BLOCKS)]
for block in blocks:
    ctypes.memset(block, 1, BLOCK)
kept = libc.malloc(64 << 10)
ctypes.memset(kept, 1, 64 << 10)
for block in blocks:
    libc.free(block)
print(resident_mib() - before)
PY
trap 'rm -f "$program"' EXIT
getconf GNU_LIBC_VERSION
usual=$(env -u MALLOC_MMAP_THRESHOLD_ -u MALLOC_TRIM_THRESHOLD_ python3 "$program")
fixed=$(MALLOC_MMAP_THRESHOLD_=1048576 python3 "$program")
echo "MiB that 160 MiB of freed blocks left behind: usual $usual, with a fixed threshold $fixed"
test "$usual" -ge 120
test "$fixed" -le 10
