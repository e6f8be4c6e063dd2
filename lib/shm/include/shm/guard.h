// SPDX-License-Identifier: BSD-3-Clause
// Survives the truncation of a mapped file: these files cannot be sealed, and a reader that touches
// the missing part gets SIGBUS. The handler lays private zero pages over the guarded range and
// raises its flag; the reader goes on, finds empty tables, and re-attaches when it sees the flag.
//
// SIGBUS from anywhere else ends the process as it would have without the handler.
//
// Threads: add and remove from one thread at a time; the handler runs in any.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_GUARDS_MAX 8u

// Installs the handler; once per process, again does nothing. 0 or -errno.
int shm_guard_install(void);

// Guards [base, base + size), a whole mapping. Its pages read as zero, and can be written without
// effect on any file, once *lost is true. -ENOSPC above SHM_GUARDS_MAX.
int shm_guard_add(void *base, size_t size, atomic_bool *lost);

// To be called before the range is unmapped.
void shm_guard_remove(void *base);
