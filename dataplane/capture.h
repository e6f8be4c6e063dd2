// SPDX-License-Identifier: BSD-3-Clause
// Copies of one allocation's frames, as received and as sent. Workers write them, each to a ring of
// its own, and never wait: what finds no room is counted. Housekeeping arms, disarms and takes
// them. A frame belongs to the allocation when it goes between the client and the listener, or when
// it comes to or from a relayed transport address.
#pragma once

#include <stdatomic.h>

#include <stage/stage.h>
#include <turnpike/capture.h>

#define CAPTURE_RING (1u << 20) // octets per worker; a power of two

struct capture_ring {
	_Atomic uint32_t head TP_ALIGNED(64); // the worker's, octets ever written
	_Atomic uint64_t missed[TP_PORTS_MAX];
	_Atomic uint32_t tail TP_ALIGNED(64); // housekeeping's, octets ever taken
	uint64_t missed_before[TP_PORTS_MAX]; // housekeeping's: `missed` when it was armed
	uint8_t *octets;		      // [CAPTURE_RING]
};

// A request's part that workers read.
struct capture_filter {
	uint32_t snaplen; // not 0
	uint32_t n_relayed;
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed[2];
};
TP_ASSERT_SIZE(struct capture_filter, 88);

struct capture {
	_Atomic uint32_t armed; // number of the capture; 0: none
	_Atomic uint32_t left;	// frames; wraps below 0 when workers meet
	_Atomic uint64_t filter[sizeof(struct capture_filter) / 8];
	uint32_t number; // housekeeping's: of the one that is taken from
	unsigned n_workers;
	struct capture_ring *rings;
};

// What a worker keeps between the two ends of its burst.
struct capture_burst {
	uint32_t number; // 0: nothing is captured
	uint32_t head;	 // of the ring, with what is not told yet
	struct capture_filter filter;
	struct {
		uint8_t pkt;
		uint32_t at; // its record
	} put[STAGE_BURST];
	unsigned n_put;
};

// -ENOMEM.
int capture_init(struct capture *c, unsigned n_workers);
void capture_fini(struct capture *c);

// Whether a request can be served.
bool capture_request_is_right(const struct tp_capture_request *r);
// From now on; none may be armed. The rings' memory is made with the first: -ENOMEM.
int capture_arm(struct capture *c, const struct tp_capture_request *r);
void capture_disarm(struct capture *c);
// Moves whole records into `out`, the oldest first; the octets. 0: there are none.
size_t capture_take(struct capture *c, uint8_t *out, size_t room);
// Frames of this port since it was armed that found no room.
uint64_t capture_missed(const struct capture *c, unsigned port);

static inline bool capture_is_armed(const struct capture *c)
{
	return atomic_load_explicit(&c->armed, memory_order_relaxed) != 0;
}

// By worker `w`, around stage_run. At most STAGE_BURST frames.
void capture_before(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns);
void capture_after(
	struct capture *c, struct capture_burst *b, unsigned w, const struct stage_pkt *pkts);
// Around the port's taking of frames, which is when they leave; of them data, len and tx_port are
// read. Those from `sent` on it refused. At most STAGE_BURST frames.
void capture_leaving(struct capture *c, struct capture_burst *b, unsigned w,
	const struct stage_pkt *pkts, unsigned n, uint64_t now_ns);
void capture_left(struct capture *c, struct capture_burst *b, unsigned w, unsigned sent);
