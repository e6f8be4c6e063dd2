// SPDX-License-Identifier: BSD-3-Clause
// An operator's desk before a relay in memory: tables, TURN server and settings are real, the data
// plane is its files, filled in by the test. One allocation with a permission and a channel lives.
#pragma once

#include <operator/operator.h>

#include "scratch_place.h"

#define DESK_WORKERS 2u
#define DESK_ENTRIES 64u

struct desk {
	struct shm_place place;
	struct operator_desk op;
	struct link link;
	struct link_edge edge; // of which two words are read; it is up
	struct tables *tables;
	struct turn_server *turn;
	struct settings *settings;
	struct net_mirror *mirror;
	struct tp_state_header *header;
	struct tp_worker_stats *workers;
	struct tp_punt_header punt;
	struct turn_allocation_record record; // the allocation's, as given to the store
	uint32_t ref;
	uint32_t channel;
	char config[SHM_PATH_MAX + 16];
	uint64_t now_ns;
	uint64_t mac_word; // of every neighbour; 0: none answers
	bool on_link;	   // every destination; else behind the gateway
	int socket;	   // the data plane's end
};

// `live`: with the allocation.
struct desk *desk_make(bool live);
// With a configuration of the test's own; a file `secret` stands beside it.
struct desk *desk_make_of(const char *config, bool live);
void desk_free(struct desk *d);

// Another permission of the allocation.
void desk_permit(struct desk *d, uint32_t peer_ip);
// A second passes: the data plane is alive, the counters are read.
void desk_second(struct desk *d);
// The answer of a command; `arguments` may be NULL, the reference passes on.
json_t *desk_ask(struct desk *d, const char *command, json_t *arguments);
// The same, or the error if the command is refused.
json_t *desk_try(struct desk *d, const char *command, json_t *arguments, bool *failed);
