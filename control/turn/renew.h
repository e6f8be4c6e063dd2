// SPDX-License-Identifier: BSD-3-Clause
// Allocations that pass from one token to the next (RFC 7635).
#pragma once

#include "request.h"

// Whether the request is a Refresh with a token, for an allocation that was made with one: the
// token decides about it, not the allocation's own key.
bool turn_token_renews(const struct turn_request *r);
// Gives the allocation of an authenticated Refresh to its token: key, end and share of the quota.
// 0, also where the request is no such one; 486 or 508: nothing has changed.
unsigned turn_token_renew(struct turn_request *r);
