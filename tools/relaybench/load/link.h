// SPDX-License-Identifier: BSD-3-Clause
// One side of a load: an interface in a namespace, frames in and out past the kernel's stack by a
// packet socket. Frames go out in batches of sendmmsg; they come in by a ring shared with the
// kernel, which stamps them. Nobody is woken by them. One thread.
#pragma once

#include <load/frame.h>
#include <load/netns.h>

#define LOAD_BATCH 64u

enum load_sink {
	LOAD_SINK_FULL,	 // the ring takes every packet
	LOAD_SINK_COUNT, // nft counts them; the ring takes STUN and one of 64 others
};

struct load_link {
	struct load_netns netns;
	struct load_road road;
	struct load_addr own; // that the kernel would send from
	bool v6;
	int fd;
	uint8_t *ring;
	uint32_t ring_at;
	uint64_t ring_lost; // packets for which the ring had no room, since the start
	// A batch: frames that are written but not sent.
	unsigned n_batch;
	uint64_t sent, refused; // frames the kernel took, and did not take
	uint32_t filler_sum;	// of each batch buffer
	uint16_t lens[LOAD_BATCH];
	uint8_t frames[LOAD_BATCH][LOAD_FRAME_MAX + 6]; // a round number of bytes
};

// Opens the socket and learns the road to `towards` from the kernel, by a datagram it sends there.
// `netns` is named already. Without `learn` there is no road: nothing can be sent. Prints the
// failure on stderr.
int load_link_open(struct load_link *l, struct load_addr towards, bool learn, uint16_t port_low,
	uint16_t port_high);
void load_link_close(struct load_link *l); // the namespace too

int load_link_sink(struct load_link *l, enum load_sink sink);

// The next frame's buffer of the batch. After writing it, load_link_commit; a full batch is sent.
static inline uint8_t *load_link_buffer(struct load_link *l)
{
	return l->frames[l->n_batch];
}
void load_link_commit(struct load_link *l, size_t len);
void load_link_flush(struct load_link *l);

// Calls `take` for each frame that came; at most `max`. Returns how many there were.
struct load_arrived {
	const uint8_t *frame;
	size_t len, wire_len;
	uint64_t at_ns; // CLOCK_REALTIME of the kernel's receipt
};
unsigned load_link_poll(struct load_link *l, unsigned max,
	void (*take)(void *ctx, const struct load_arrived *a), void *ctx);

// Brings ring_lost up to date.
void load_link_ask_lost(struct load_link *l);
