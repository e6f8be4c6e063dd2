// SPDX-License-Identifier: BSD-3-Clause
// The command line of relaybench streams.
#pragma once

#include <sys/types.h>

#include <turnclient/stun.h>

#define STREAMS_PIDS_MAX    8u
#define STREAMS_CLIENTS_MAX 60000u

enum streams_transport { STREAMS_TCP, STREAMS_TLS, STREAMS_DTLS, STREAMS_UDP };
enum streams_what { STREAMS_TRAFFIC, STREAMS_HANDSHAKES, STREAMS_IDLE };

struct streams_options {
	union tc_addr server, peer;
	union tc_addr client; // the first of n_addresses that follow one another; family 0: any
	uint32_t n_addresses;
	const char *client_netns, *peer_netns, *client_interface;
	const char *user, *password_file;
	char password[256];
	unsigned transport; // enum streams_transport
	unsigned what;	    // enum streams_what
	unsigned tls;	    // 0: the newest, or 2 and 3 for TLS 1.2 and 1.3
	uint32_t clients, window, burst;
	double rate, seconds, stay_s, setup_limit_s;
	unsigned directions; // bits of enum streams_direction
	uint16_t payload;
	bool resume, allocate, own_target, no_boost, json;
	int core; // -1: any
	pid_t pids[STREAMS_PIDS_MAX];
	unsigned n_pids;
	const char *output;
	int argc;
	char **argv;
};

// As options_read.
int streams_options_read(struct streams_options *o, int argc, char **argv);
