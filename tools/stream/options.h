// SPDX-License-Identifier: BSD-3-Clause
// The command line.
#pragma once

#include <turnclient/client.h>

#define SM_STREAMS_MAX 256u
#define SM_PLANS_MAX   64u

// A request to be sent at a given time of the run by the first stream's client.
struct sm_plan {
	uint32_t at_ms;
	enum tc_kind kind;
	bool done;
};

struct sm_options {
	union tc_addr server, bind_to, peer, peer_bind;
	const char *netns, *peer_netns;
	const char *user, *password_file, *secret_file;
	struct tc_credential credential; // made of these
	bool by_indication;		 // Send and Data indications; else a channel
	bool peer_relayed;		 // the peer is a TURN client too
	bool echo_peer;			 // an echo at --peer, outside this process
	bool live;			 // a line of figures a second on stderr
	bool interactive;		 // checks asked for on standard input
	int family;
	uint32_t streams, rate_pps, size_len, drain_ms;
	double seconds;
	struct sm_plan plans[SM_PLANS_MAX];
	unsigned n_plans;
};

// As options_read.
int sm_options_read(struct sm_options *o, int argc, char **argv);
