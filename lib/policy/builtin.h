// SPDX-License-Identifier: BSD-3-Clause
// The address ranges that are not public unicast.
#pragma once

#include <text/addr.h>

struct builtin_range {
	const char *cidr;
	const char *reason;
};

// End with a cidr of NULL. `never`: no rule of the operator opens them; the specific ones first.
extern const struct builtin_range policy_builtin_never[];
extern const struct builtin_range policy_builtin_denied[];

// Where an IPv6 range holds an IPv4 address.
enum builtin_embedding {
	BUILTIN_LAST,	// in the last 4 octets
	BUILTIN_6TO4,	// in octets 2 to 5 (RFC 3056)
	BUILTIN_TEREDO, // the server in octets 4 to 7, the client inverted in the last 4 (RFC 4380)
	BUILTIN_NAT64,	// by the length of the prefix in use (RFC 6052 2.2)
};

struct builtin_embed {
	const char *cidr;
	enum builtin_embedding embedding;
};
extern const struct builtin_embed policy_builtin_embeds[];
