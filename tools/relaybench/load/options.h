// SPDX-License-Identifier: BSD-3-Clause
// The command line of relaybench load.
#pragma once

#include <stdio.h>

#include <load/population.h>

struct load_options {
	struct load_population population; // n_client_ips without the flood's
	bool plain;			   // no TURN: datagrams straight to the peer
	const char *client_netns, *client_interface;
	const char *peer_netns, *peer_interface;
	struct load_addr relay_probe; // an address by which the peer's side reaches the relay
	const char *user;
	char password[256];
	const char *password_file;
	uint32_t window;
	uint32_t flood_ips;
	double seconds, rate, churn, flood_binding, flood_allocate;
	double setup_limit_s, limit_s;
	double hold_s;
	unsigned directions; // bits of enum load_direction
	unsigned sink;	     // enum load_sink
	bool interactive;
	bool keep; // leave the allocations to the server at the end
	bool own_target;
	bool no_boost;
	int core, server_core; // -1: any; none
	uint16_t payload;
	uint32_t seed;
	bool json;
	const char *output, *map;
	int argc;
	char **argv;
};

// As options_read.
int load_options_read(struct load_options *o, int argc, char **argv);
