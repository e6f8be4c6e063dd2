// SPDX-License-Identifier: BSD-3-Clause
// The nft table `inet turnpike-INSTANCE`: the kernel drops what is ours when it sees it, so that it
// never answers port-unreachable while no data plane is attached, nor beside AF_PACKET. It outlives
// a crash. Needs CAP_NET_ADMIN. One thread at a time.
#pragma once

#include <steer/own.h>

// Replaces the instance's table by one that says `own`, in one transaction.
int guard_install(
	const char *instance, const struct steer_own *own, size_t n, struct steer_fault *fault);

// Removes it; 0 also when there is none.
int guard_remove(const char *instance, struct steer_fault *fault);

// The commands guard_install runs; allocated, NULL without memory.
char *guard_text(const char *instance, const struct steer_own *own, size_t n);
