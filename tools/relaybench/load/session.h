// SPDX-License-Identifier: BSD-3-Clause
// A load as it runs: both sides, the allocations, the flows over them. One thread.
#pragma once

#include <jansson.h>

#include <load/client.h>
#include <load/histogram.h>
#include "link.h"
#include "options.h"
#include <load/sequence.h>

enum load_direction { LOAD_UP, LOAD_DOWN, LOAD_DIRECTIONS }; // client to peer; back

struct load_flow {
	uint32_t number[LOAD_DIRECTIONS]; // of the next packet
	struct load_sequence seen[LOAD_DIRECTIONS];
};

// The counts of one direction during an interval.
struct load_tally {
	uint64_t sent;	  // frames that the kernel took
	uint64_t refused; // frames it did not: lost by the generator
	uint64_t arrived; // counted at the other end
	uint64_t taken;	  // of these, read: all of them, or the sample
	uint64_t unread;  // for which the ring had no room: not lost by the relay
	uint64_t reordered, duplicates;
	uint64_t wrong; // from another sender, on another channel, of another length
	struct load_histogram delay;
};

struct load_session {
	const struct load_options *o;
	struct load_population population; // without the flood's addresses
	struct load_population flooders;
	struct load_link ends[2]; // that send up, that send down
	struct load_client *client;
	struct load_flow *flows;
	uint32_t n_flows, stride, at[LOAD_DIRECTIONS];
	uint16_t payload;
	bool media; // an interval runs: tallies count
	uint64_t flood_answers;
	struct load_tally tally[LOAD_DIRECTIONS];
	double setup_s;
};

int load_session_open(struct load_session *s, const struct load_options *o);
void load_session_close(struct load_session *s);

// All allocations asked for and answered; -ETIMEDOUT after o->setup_limit_s, -EIO when some failed.
int load_session_set_up(struct load_session *s);
void load_session_delete(struct load_session *s);
// Reads received frames and sends due ones.
void load_session_serve(struct load_session *s);

struct load_interval {
	double rate; // packets per second in each direction; 0: as many as go
	double seconds;
	unsigned directions; // bit n: enum load_direction
	enum load_sink sink;
	uint16_t payload;
	double churn;			      // allocations replaced per second
	double flood_binding, flood_allocate; // requests per second
};

// Runs one interval and describes it in *out. 0 or a negative errno.
int load_interval_run(struct load_session *s, const struct load_interval *interval, json_t **out);

json_t *load_setup_describe(const struct load_session *s);

uint64_t load_now_ns(void); // CLOCK_MONOTONIC
