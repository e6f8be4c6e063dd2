// SPDX-License-Identifier: BSD-3-Clause
// Binding (RFC 8489 12): requests that the packet path does not answer itself.
#include "request.h"

unsigned turn_handle_binding(struct turn_request *r, struct stun_writer *w)
{
	stun_put_xor_address(w, TP_ATTR_XOR_MAPPED_ADDRESS, &r->from->remote);
	return 0;
}
