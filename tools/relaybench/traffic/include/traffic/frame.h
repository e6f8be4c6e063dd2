// SPDX-License-Identifier: BSD-3-Clause
// The packets of a benchmark: one template per direction, addressed for any flow in a few stores.
// Every checksum of an addressed frame is right, but for FINGERPRINT of Send indications, which
// holds for flow 0 (the packet path does not verify it, RFC 8656 11.2).
#pragma once

#include <turnpike/stats.h>

#include <traffic/flow.h>

enum bench_direction {
	BENCH_CLIENT_TO_PEER, // ChannelData to datagram
	BENCH_PEER_TO_CLIENT, // datagram to ChannelData
	BENCH_HAIRPIN,	      // ChannelData to another client's ChannelData
	BENCH_SEND,	      // Send indication to datagram
	BENCH_DATA,	      // datagram to Data indication
	BENCH_BINDING,	      // Binding request to its answer; the payload's size is ignored
	BENCH_MIX,	      // all of these: <traffic.h>
	BENCH_DIRECTIONS
};

#define BENCH_FRAME_MAX	  1600u
#define BENCH_PAYLOAD_MAX 1400u

// "client-to-peer", ...
const char *bench_direction_name(enum bench_direction direction);
// Whether such packets can be made of this population.
bool bench_direction_fits(enum bench_direction direction, const struct bench_population *p);
// The path under which the worker counts such a packet; the mix has none.
enum tp_path bench_direction_path(enum bench_direction direction);

struct bench_template {
	struct bench_population population;
	enum bench_direction direction;
	uint16_t payload_len;
	uint16_t len;	    // bytes of a frame
	uint16_t ip_len;    // of the IP header
	uint16_t number_at; // offset of the channel number; 0: none
	uint16_t xor_at;    // offset of XOR-PEER-ADDRESS's value; 0: none
	uint16_t data_at;   // offset of the payload proper
	uint64_t sum_ip;    // over the constant fields, with the varying ones as zero
	uint64_t sum_udp;
	uint8_t octets[BENCH_FRAME_MAX];
};

// The payload's bytes are pseudo random from the seed.
void bench_template_init(struct bench_template *t, const struct bench_population *p,
	enum bench_direction direction, uint16_t payload_len, uint64_t seed);

// Writes flow i's addresses, numbers and checksums into a frame that is a copy of the template or
// a frame of another flow.
void bench_frame_address(const struct bench_template *t, uint8_t *frame, uint32_t i);

// A whole frame of t->len bytes.
void bench_frame_write(const struct bench_template *t, uint8_t *frame, uint32_t i);

// Returns NULL, or the fault of the relay's output for flow i's frame: addresses, lengths,
// checksums, framing and payload are checked.
const char *bench_frame_verify(
	const struct bench_template *t, uint32_t i, const uint8_t *frame, size_t len);
