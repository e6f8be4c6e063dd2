// SPDX-License-Identifier: BSD-3-Clause
// The frames of a load: Ethernet, IPv4 or IPv6, UDP, and in media a payload that identifies itself:
// magic, flow, number, time of sending; then filler. Pure functions.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LOAD_ETH_LEN	  14u
#define LOAD_HEADERS_LEN  (LOAD_ETH_LEN + 20u + 8u)
#define LOAD_HEADERS6_LEN (LOAD_ETH_LEN + 40u + 8u)
#define LOAD_CHANNEL_LEN  4u
#define LOAD_STAMP_LEN	  20u // the identifying part of the payload
#define LOAD_PAYLOAD_MIN  LOAD_STAMP_LEN
#define LOAD_PAYLOAD_MAX  1400u
#define LOAD_FRAME_MAX	  1514u
#define LOAD_CHANNEL_BASE 0x4000u

// The prefix before the 32 bits by which the addresses of a side differ: empty in IPv4.
struct load_net {
	bool v6;
	uint8_t prefix[12]; // zero in IPv4
};

// A transport address; `ip`, the last 32 bits of an IPv6 address, and `port` in host order.
struct load_addr {
	uint32_t ip;
	uint16_t port;
	struct load_net net;
};

static inline bool load_net_equal(const struct load_net *a, const struct load_net *b)
{
	return a->v6 == b->v6 && memcmp(a->prefix, b->prefix, sizeof(a->prefix)) == 0;
}

// Where frames go: Ethernet header as it stands on the wire.
struct load_road {
	uint8_t ethernet[LOAD_ETH_LEN];
};

struct load_stamp {
	uint32_t flow;
	uint32_t number;
	uint64_t sent_ns; // CLOCK_REALTIME
};

// A UDP datagram with right checksums around a copy of `payload`; returns the frame's length.
// `frame` holds LOAD_FRAME_MAX bytes; payload_len is at most 1452. Both addresses are of a family.
size_t load_frame_datagram(uint8_t *frame, const struct load_road *road, struct load_addr from,
	struct load_addr to, const void *payload, size_t payload_len);

// One frame of media whose payload_len bytes are stamp and filler; `filler_sum` is
// load_frame_filler's result for this buffer. channel 0: no ChannelData header.
struct load_media {
	struct load_addr from, to;
	uint16_t channel;
	uint16_t payload_len;
	struct load_stamp stamp;
};

// Lays the filler into a buffer of LOAD_FRAME_MAX bytes and returns its part of the checksum. The
// buffer serves frames with (`channel`) or without a ChannelData header, of IPv6 (`v6`) or IPv4.
uint32_t load_frame_filler(uint8_t *frame, bool v6, bool channel, uint16_t payload_len);
// Writes everything before the filler; returns the frame's length.
size_t load_frame_media(uint8_t *frame, const struct load_road *road, const struct load_media *m,
	uint32_t filler_sum);

// A received frame, parsed. Pointers go into the frame.
struct load_seen {
	struct load_addr from, to;
	const uint8_t *payload; // of UDP
	size_t len;
};

// False for anything but a whole UDP datagram without IP options or extension headers; `len` bytes
// are there of a frame which had `wire_len`, and seen->len is the datagram's, which may be larger.
bool load_frame_read(const uint8_t *frame, size_t len, size_t wire_len, struct load_seen *seen);

// The stamp of `len` bytes of payload; false where there is none.
bool load_stamp_read(const uint8_t *payload, size_t len, struct load_stamp *stamp);

uint32_t load_sum(uint32_t sum, const void *octets, size_t len);
uint16_t load_sum_fold(uint32_t sum);
