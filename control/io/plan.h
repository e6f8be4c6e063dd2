// SPDX-License-Identifier: BSD-3-Clause
// What a configuration has room for and what it takes, reckoned without starting anything:
// turnpike-control --plan FILE.
#pragma once

#include <stdio.h>

#include <conf/conf.h>
#include <turnpike/limits.h>

// What is known of the machine the plan is made on; zero where it is not.
struct io_plan_host {
	uint64_t huge_free; // free huge pages of 2 MiB
	bool huge_known;
	uint32_t cores;			  // online
	uint32_t link_mbps[TP_PORTS_MAX]; // by port of the configuration
	uint32_t mtu[TP_PORTS_MAX];	  // likewise
	uint32_t rx_queues[TP_PORTS_MAX]; // likewise
	uint32_t worker_packets_per_s;	  // what one worker was measured to relay here
};

enum io_plan_file {
	IO_PLAN_TABLES,
	IO_PLAN_STATE,
	IO_PLAN_PUNT,
	IO_PLAN_INJECT,
	IO_PLAN_PRIVATE,
	IO_PLAN_FILES,
};

// One kind of media, per allocation: a client and its peer send to each other.
struct io_plan_media {
	const char *name;
	const char *text;
	uint32_t packets_per_s;	 // each way
	uint32_t payload;	 // octets of a packet
	uint64_t relayed;	 // packets per second that the relay receives, and sends
	uint64_t bits_per_s;	 // on the wire, into the relay; as much goes out
	uint64_t bits_per_s_all; // of all allocations there is room for
	uint64_t per_worker; // allocations one worker carries; 0: host.worker_packets_per_s unknown
};
#define IO_PLAN_MEDIA 3u

struct io_plan_shortage {
	char what[224];
	char remedy[160];
};
#define IO_PLAN_SHORTAGES_MAX (8u + TP_PORTS_MAX)

struct io_plan {
	const struct conf *conf;
	struct io_plan_host host;

	// Capacity, in allocations.
	uint32_t ports_per_address;
	uint32_t n_addresses4;
	uint32_t n_addresses6;
	uint64_t by_ports;    // each with one relayed address
	uint64_t by_entries;  // each with one permission and one channel
	uint64_t allocations; // the least of all

	// Memory.
	uint64_t octets[IO_PLAN_FILES];
	uint64_t huge_pages[IO_PLAN_FILES];
	uint64_t segment_octets;
	uint64_t used_per_allocation; // of it, with one permission and one channel
	uint64_t octets_per_100k;     // reserved for as many allocations at this configuration's
				      // entries per allocation
	uint64_t huge_per_100k;
	uint32_t buffers;
	uint64_t buffer_octets;
	uint64_t buffer_huge_pages;
	uint64_t huge_total; // segment and buffers

	struct io_plan_media media[IO_PLAN_MEDIA];

	unsigned n_short;
	struct io_plan_shortage shortages[IO_PLAN_SHORTAGES_MAX];
};

// Borrows conf.
void io_plan_make(struct io_plan *p, const struct conf *conf, const struct io_plan_host *host);
// Asks the running kernel.
void io_plan_host_read(struct io_plan_host *h, const struct conf *conf);

void io_plan_print(const struct io_plan *p, FILE *out);
// 0, or -ENOMEM.
int io_plan_print_json(const struct io_plan *p, FILE *out);

// --plan: mistakes of the configuration to standard error, the plan to standard output. The exit
// status.
int io_plan_run(const char *path, const char *instance, uint32_t worker_packets_per_s, bool json);
