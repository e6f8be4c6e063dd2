// SPDX-License-Identifier: BSD-3-Clause
// Policies and peers out of texts.
#pragma once

#include <policy/policy.h>

// Prefixes, with ports or without, and own addresses are separated by blanks. Ends the test when
// one is none.
struct policy *support_policy(const char *allow, const char *deny, const char *own);

// As a STUN attribute would give it: IPv6 is not folded here.
struct tp_addr support_peer(const char *text);

// Prints the decision too, and asks with and without *d.
enum policy_verdict support_judge(
	const struct policy *p, const char *peer, struct policy_decision *d);
