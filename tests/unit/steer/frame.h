// SPDX-License-Identifier: BSD-3-Clause
// Ethernet frames for the steering program, made from a few words. Checksums are left zero: the
// program does not look at them.
#pragma once

#include <turnpike/addr.h>

#define FRAME_MAX 512u

struct frame {
	uint8_t octets[FRAME_MAX];
	size_t len;
};

static inline void frame_put(struct frame *f, const void *data, size_t len)
{
	memcpy(f->octets + f->len, data, len);
	f->len += len;
}

static inline void frame_put_u16(struct frame *f, uint16_t v)
{
	tp_store_be16(f->octets + f->len, v);
	f->len += 2;
}

static inline void frame_ether(struct frame *f, uint16_t type)
{
	memset(f, 0, sizeof(*f));
	f->len = 12;
	frame_put_u16(f, type);
}

// `fragment`: flags and offset as in the header; `options`: bytes of IPv4 options.
static inline void frame_ipv4(struct frame *f, const struct tp_addr *from, const struct tp_addr *to,
	uint8_t protocol, uint16_t fragment, uint16_t id, unsigned options)
{
	uint8_t h[60] = {(uint8_t)(0x45 + options / 4)};

	tp_store_be16(h + 4, id);
	tp_store_be16(h + 6, fragment);
	h[8] = 64;
	h[9] = protocol;
	memcpy(h + 12, from->ip, 4);
	memcpy(h + 16, to->ip, 4);
	frame_put(f, h, 20 + options);
}

static inline void frame_ipv6(
	struct frame *f, const struct tp_addr *from, const struct tp_addr *to, uint8_t next)
{
	uint8_t h[40] = {0x60};

	h[6] = next;
	h[7] = 64;
	memcpy(h + 8, from->ip, 16);
	memcpy(h + 24, to->ip, 16);
	frame_put(f, h, sizeof(h));
}

static inline void frame_udp(struct frame *f, uint16_t source, uint16_t destination)
{
	uint8_t payload[12] = {0};

	frame_put_u16(f, source);
	frame_put_u16(f, destination);
	frame_put_u16(f, 8 + sizeof(payload));
	frame_put_u16(f, 0);
	frame_put(f, payload, sizeof(payload));
}
