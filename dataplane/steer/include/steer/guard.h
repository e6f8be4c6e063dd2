// SPDX-License-Identifier: BSD-3-Clause
// The nft table `inet turnpike-INSTANCE`: the kernel drops our packets when it sees them, so that
// it never answers port-unreachable while no data plane is attached, nor beside AF_PACKET. It
// outlives a crash. Needs CAP_NET_ADMIN. One thread at a time.
#pragma once

#include <steer/claim.h>

// Replaces the instance's table by one that says `own`, in one transaction.
int steer_guard_install(
	const char *instance, const struct steer_claim *own, size_t n, struct steer_fault *fault);

// Removes it; 0 also when there is none.
int steer_guard_remove(const char *instance, struct steer_fault *fault);

// The commands steer_guard_install runs; allocated, NULL without memory.
char *steer_guard_text(const char *instance, const struct steer_claim *own, size_t n);

// The kernel's generation of nft rules: it changes with each change of any table. 0: unknown.
uint32_t steer_guard_generation(void);

// The instance's table as the kernel has it, without counts; allocated, NULL when there is none.
// Two are equal as long as nobody changed it.
char *steer_guard_listing(const char *instance);
