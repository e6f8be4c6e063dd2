// SPDX-License-Identifier: BSD-3-Clause
// User names, realms and passwords as the OpaqueString profile has them (RFC 8489 9.2.2, 14.3,
// 14.9; RFC 8265 4.2).
#pragma once

#include "loader.h"

struct conf_fault {
	const char *problem; // behind the name of the text; NULL: there is no memory
	const char *remedy;
};

// The prepared text: `in` itself where it is plain ASCII, else a copy in the configuration's
// memory, with a NUL behind it. False with the fault; of a secret no character is named.
bool conf_prepare(struct conf_loader *load, struct conf_octets in, bool secret,
	struct conf_octets *out, struct conf_fault *f);
