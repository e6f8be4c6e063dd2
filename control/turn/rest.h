// SPDX-License-Identifier: BSD-3-Clause
// Time-limited credentials of a request ("A REST API For Access To TURN Services",
// draft-uberti-behave-turn-rest).
#pragma once

#include "request.h"

// Whether the request is signed with the password that some secret in force makes of its user name,
// which is good until `expiry_s` (wall clock, seconds). Then the key is the request's, the secret
// is the principal's, and both are remembered. A wrong password costs the same for each name.
bool turn_rest_verifies(struct turn_request *r, uint64_t expiry_s);
