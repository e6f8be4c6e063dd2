// SPDX-License-Identifier: BSD-3-Clause
// Fills in a struct shm_error. Each returns the negative errno it was given, for `return`.
#pragma once

#include <shm/error.h>

int shm_fail(struct shm_error *err, enum shm_cause cause, int negative_errno, const char *format,
	...) __attribute__((format(printf, 4, 5)));

// A failed system call: errno is put into words behind the text.
int shm_fail_errno(struct shm_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void shm_remedy(struct shm_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
