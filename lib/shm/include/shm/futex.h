// SPDX-License-Identifier: BSD-3-Clause
// Sleeping on a word of the segment, across processes. A read-only mapping is enough to wait.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

// Sleeps while *word is `seen`, at most timeout_ns. 0 when woken or when the word differs,
// -ETIMEDOUT, -EINTR, -EFAULT when the file was truncated. Always wait with a timeout: the process
// that should wake may be dead.
int shm_futex_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns);

// Wakes all waiters of the word.
void shm_futex_wake(_Atomic uint32_t *word);
