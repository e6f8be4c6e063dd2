// SPDX-License-Identifier: BSD-3-Clause
// A policy from inside, for the files of this library.
#pragma once

#include <policy/policy.h>

#include "rules.h"

struct policy {
	struct tp_addr *own; // sorted
	size_t n_own;
	struct rule *never; // the built-in ones
	size_t n_never;
	struct rules rules;
};

// The IPv4 addresses inside; at most 2. `prefix_len` is that of the rule that allowed the address.
// Negative: nobody can tell where they stand.
int policy_embedded_find(const struct tp_addr *ip, uint8_t prefix_len, struct tp_addr out[2]);
// Own addresses, and those that can't be opened. False: the rules decide.
bool policy_judge_fixed(
	const struct policy *p, const struct tp_addr *ip, struct policy_decision *d);
