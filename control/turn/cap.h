// SPDX-License-Identifier: BSD-3-Clause
// Caps of bandwidth and packet rate: which slots of the limits array an allocation has, and what is
// in them. The packet path does the rest (<turnpike/rate.h>).
//
// A slot is taken where a cap is configured: one for all, one for each realm and each account. An
// allocation under any of them has a slot of its own, which knows its share.
#pragma once

#include "state.h"

// The caps of bandwidth of a TCP allocation, as the edge gets them; an id of 0 ends them.
void turn_caps_list(const struct turn_server *s, const struct turn_allocation *a,
	struct tp_session_cap caps[TP_SESSION_CAPS_MAX]);
// The cap of the user: the lower of two bandwidths where the budget is spent.
struct turn_cap turn_account_cap(const struct turn_account *account);
// A new or a restored allocation, counted already.
void turn_caps_open(struct turn_server *s, struct turn_allocation *a);
// One that was `old`'s, has its new account already, and `old` is still there.
void turn_caps_move(struct turn_server *s, struct turn_allocation *a, struct turn_account *old);
// One that ends, before its account may go.
void turn_caps_close(struct turn_server *s, struct turn_allocation *a);
// After it is no longer counted in its realm.
void turn_caps_closed(struct turn_server *s, struct turn_realm *realm);
// The edge is gone, and its use of each cap with it.
void turn_caps_streams_lost(struct turn_server *s);
// After a change of the configuration: at once for all and the realms, and for each allocation.
void turn_caps_change(struct turn_server *s);
void turn_caps_change_of(struct turn_server *s, struct turn_allocation *a);
