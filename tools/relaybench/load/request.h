// SPDX-License-Identifier: BSD-3-Clause
// The requests of an allocation's life, by its state. Pure functions.
#pragma once

#include <turnclient/stun.h>

#include <load/client.h>

struct load_request {
	const struct load_population *population;
	const char *user, *realm;
	const uint8_t *key; // 16 bytes
	uint32_t lifetime_s;
	uint32_t id[3]; // the transaction; the first is the allocation's number
};

// STUN method of the request that is out in that state.
uint16_t load_request_method(uint8_t state);

// The request of the slot's state into TC_STUN_MAX bytes; returns its length. The same bytes for
// the same arguments.
size_t load_request_build(const struct load_request *r, const struct load_slot *s, uint8_t *buf);
