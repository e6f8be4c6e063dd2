// SPDX-License-Identifier: BSD-3-Clause
// The core to measure on, and the cores of our other threads meanwhile. Concerns the calling
// thread.
#pragma once

// Remembers the cores that the process may use and chooses the one to measure on: `wanted`, or
// (-1) the last. A negative errno, said on stderr, where that one may not be used.
int bench_cores_init(int wanted);

void bench_cores_on(int core);	// on this core alone
void bench_cores_off(int core); // anywhere but there, where there is another
void bench_cores_all(void);	// as at bench_cores_init

// One that is not `core`, if there is one.
int bench_cores_other(int core);

// The last of those that are not among the `n` taken; -1: there is none.
int bench_cores_next(const int *taken, unsigned n);
