// SPDX-License-Identifier: BSD-3-Clause
// The table of the ports sent to most recently: <sent.c>.
#pragma once

#include <stdint.h>

#include <stage/stage.h>

// The slot of a port of PERMISSION `index`'s peer.
static inline uint32_t sent_slot(uint32_t index, uint32_t port_be)
{
	return (index + port_be) & ((1u << STAGE_SENT_RECENT_BITS) - 1);
}

// Never 0: no PERMISSION has the index 0.
static inline uint64_t sent_word(uint32_t index, uint32_t port_be)
{
	return (uint64_t)index << 32 | port_be;
}
