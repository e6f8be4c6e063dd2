// SPDX-License-Identifier: BSD-3-Clause
// Ethernet frames with a UDP datagram, built and judged byte by byte: a second implementation,
// slow and plain, of the fast one in dataplane/core.
#pragma once

#include <turnpike/addr.h>

#define FRAME_MAX   2048u
#define FRAME_FRONT 128u // bytes in front of a frame in struct frame

static const uint8_t frame_mac_relay[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t frame_mac_other[6] = {0x02, 0, 0, 0, 0, 0x02};

// One frame with room around it.
struct frame {
	uint8_t memory[FRAME_FRONT + FRAME_MAX];
	uint16_t len;
};

static inline uint8_t *frame_data(struct frame *f)
{
	return f->memory + FRAME_FRONT;
}

struct frame_spec {
	struct tp_addr src;
	struct tp_addr dst;
	const void *payload;
	uint16_t len;
	uint16_t id;
	uint8_t tos;
	uint8_t ttl; // 0 stands for 64
	bool df;
	bool no_csum; // UDP checksum zero
};

// From frame_mac_other to frame_mac_relay.
void frame_build(struct frame *f, const struct frame_spec *spec);

struct frame_icmp_spec {
	struct tp_addr src; // of the error; the ports count for nothing
	struct tp_addr dst;
	const void *quote;
	uint16_t quote_len;
	uint8_t type;
	uint8_t code;
	uint32_t rest; // the header's last four bytes
};

// An ICMP or ICMPv6 error from frame_mac_other to frame_mac_relay.
void frame_icmp(struct frame *f, const struct frame_icmp_spec *spec);

// Recomputes the IPv4 header's checksum, or the UDP one, after a test changed the frame. They go by
// the header length and the UDP length that stand in the frame.
void frame_fix_ip_csum(struct frame *f);
void frame_fix_udp_csum(struct frame *f);

struct frame_view {
	struct tp_addr src;
	struct tp_addr dst;
	const uint8_t *mac_dst;
	const uint8_t *mac_src;
	const uint8_t *payload;
	uint16_t len;
	uint16_t id;
	uint16_t csum;
	uint32_t flow_label;
	uint8_t tos;
	uint8_t ttl;
	bool df;
	bool udp_csum_right; // zero counts as right for IPv4 only
};

// Returns NULL, or the fault of the frame: every length must fit exactly, the IPv4 checksum must be
// right, nothing may follow the datagram.
const char *frame_read(const uint8_t *data, size_t len, struct frame_view *view);

// Returns the error of a well-formed frame's UDP checksum, modulo 65,535; 0: right.
uint32_t frame_csum_off(const uint8_t *data);

// The same pseudo random numbers for the same seed, on every machine.
struct frame_random {
	uint64_t state;
};
uint32_t frame_random_next(struct frame_random *r);
uint32_t frame_random_below(struct frame_random *r, uint32_t n);
void frame_random_fill(struct frame_random *r, void *p, size_t len);
