// SPDX-License-Identifier: BSD-3-Clause
// Sets of ports: those of a peer that a permission is for, where the peer policy names ports.
#pragma once

#include <turnpike/base.h>

#define TP_PORT_WORDS 2048u

// Port n, host order, is bit n % 32 of word n / 32. Port 0 is in no set.
struct tp_port_set {
	uint32_t bits[TP_PORT_WORDS];
};
TP_ASSERT_SIZE(struct tp_port_set, 8192);

static inline bool tp_port_set_has(const struct tp_port_set *s, uint16_t port)
{
	return (s->bits[port / 32] >> port % 32 & 1) != 0;
}
