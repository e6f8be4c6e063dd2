// SPDX-License-Identifier: BSD-3-Clause
// What the command line asks for.
#pragma once

#include "client.h"

#define SM_STREAMS_MAX 256u
#define SM_PLANS_MAX   64u

// A request to be sent at a given time of the run by the first stream's client.
struct sm_plan {
	uint32_t at_ms;
	enum sm_kind kind;
	bool done;
};

struct sm_options {
	union sm_addr server, bind_to, peer, peer_bind;
	const char *netns, *peer_netns;
	struct sm_credential credential;
	bool by_indication; // Send and Data indications; else a channel
	bool peer_relayed;  // the peer is a TURN client too
	bool echo_peer;	    // an echo at --peer, outside this process
	bool live;	    // a line of figures a second on stderr
	int family;
	uint32_t streams, rate_pps, size_len, drain_ms;
	double seconds;
	struct sm_plan plans[SM_PLANS_MAX];
	unsigned n_plans;
};

// 0, or -EINVAL after a message on stderr.
int sm_options_parse(struct sm_options *o, int argc, char **argv);
