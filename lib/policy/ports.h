// SPDX-License-Identifier: BSD-3-Clause
// The ports of an address that a policy leaves open, where its rules name ports. Any thread: a
// policy never changes.
#pragma once

#include <policy/policy.h>

// Fills *set and tells how much of it is there. `ip`: IPv4-mapped addresses folded, its port
// ignored. Costs microseconds.
enum policy_extent ports_set_make(
	const struct policy *p, const struct tp_addr *ip, struct tp_port_set *set);

// Tells the extent alone, without a set, where few rules hold the address; `d`: the decision about
// the ports that no rule names. False: only the set tells.
bool ports_extent_by_rules(const struct policy *p, const struct tp_addr *ip,
	const struct policy_decision *d, enum policy_extent *extent);
