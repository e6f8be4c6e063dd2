// SPDX-License-Identifier: BSD-3-Clause
// Capacity and cost of a configuration, computed without starting anything: turnpike-control --plan
// FILE.
#pragma once

#include <stdio.h>

#include <conf/conf.h>
#include <turnpike/limits.h>

// The machine that the plan is made on; zero for unknown.
struct plan_host {
	uint64_t huge_free; // free huge pages of 2 MiB
	bool huge_known;
	uint64_t memory_max;		  // of this control group; UINT64_MAX: no limit
	uint32_t cores;			  // online
	uint32_t link_mbps[TP_PORTS_MAX]; // by port of the configuration
	uint32_t mtu[TP_PORTS_MAX];	  // likewise
	uint32_t rx_queues[TP_PORTS_MAX]; // likewise
	int node[TP_PORTS_MAX];		  // NUMA node; -1: unknown, counted as the first
	uint32_t worker_packets_per_s;	  // the measured rate of one worker here
};

enum plan_file {
	PLAN_TABLES,
	PLAN_STATE,
	PLAN_PUNT,
	PLAN_INJECT,
	PLAN_EDGE, // 0 octets without listeners of streams, and the next one
	PLAN_STREAM,
	PLAN_PRIVATE,
	PLAN_FILES,
};

// One kind of media, per allocation: a client and its peer send to each other.
struct plan_media {
	const char *name;
	const char *text;
	uint32_t packets_per_s;	 // each way
	uint32_t payload;	 // octets of a packet
	uint64_t relayed;	 // packets per second that the relay receives, and sends
	uint64_t bits_per_s;	 // on the wire, into the relay; as much goes out
	uint64_t bits_per_s_all; // of all allocations there is room for
	uint64_t per_worker; // allocations one worker carries; 0: host.worker_packets_per_s unknown
};
#define PLAN_MEDIA 3u

struct plan_shortage {
	char what[224];
	char remedy[160];
};
#define PLAN_SHORTAGES_MAX (9u + TP_PORTS_MAX)

struct plan {
	const struct conf *conf;
	struct plan_host host;

	// Capacity, in allocations.
	uint32_t ports_per_address;
	uint32_t n_addresses4;
	uint32_t n_addresses6;
	uint64_t by_ports;    // each with one relayed address
	uint64_t by_entries;  // each with one permission and one channel
	uint64_t allocations; // the least of all

	// Memory.
	uint64_t octets[PLAN_FILES];
	uint64_t huge_pages[PLAN_FILES];
	uint64_t segment_octets;
	// The state file grows as entries are used; of it, and of all, at the start.
	uint64_t state_first;
	uint64_t state_first_huge; // pages
	uint64_t segment_first;
	uint64_t control_octets;      // of the control process, with the files that it makes
	uint64_t dataplane_octets;    // of the data plane, without huge pages
	uint64_t used_per_allocation; // of it, with one permission and one channel
	uint64_t octets_per_100k;     // reserved for as many allocations at this configuration's
				      // entries per allocation
	uint64_t huge_per_100k;
	uint32_t buffers;      // on all NUMA nodes together
	uint32_t buffer_nodes; // nodes that have any
	uint64_t buffer_octets;
	uint64_t buffer_huge_pages;
	uint64_t huge_total;	  // segment and buffers
	uint64_t fragment_octets; // of all workers, on ordinary pages

	struct plan_media media[PLAN_MEDIA];

	unsigned n_short;
	struct plan_shortage shortages[PLAN_SHORTAGES_MAX];
};

// Borrows conf.
void plan_make(struct plan *p, const struct conf *conf, const struct plan_host *host);
// Asks the running kernel.
void plan_host_read(struct plan_host *h, const struct conf *conf);

void plan_print(const struct plan *p, FILE *out);
// 0, or -ENOMEM.
int plan_print_json(const struct plan *p, FILE *out);

// --plan: mistakes of the configuration to standard error, the plan to standard output. The exit
// status.
int plan_run(const char *path, const char *instance, uint32_t worker_packets_per_s, bool json);
