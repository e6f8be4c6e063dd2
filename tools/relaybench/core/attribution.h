// SPDX-License-Identifier: BSD-3-Clause
// Time of an unchanged worker, taken apart: the burst functions of its two ports are called through
// ours, which read the cycle counter around them. The time between them is the worker's own. One
// worker, which must rest while this is set or taken away.
//
// The same way packets get their flow: a capture that a driver can hold has too few packets to
// visit a million flows at random, so each received packet is given a random flow's addresses (in
// the mix: becomes another packet), on receive's account.
#pragma once

#include <bench/sample.h>
#include <traffic/traffic.h>

struct bench_attribution {
	bool timed;
	const struct bench_traffic *readdress; // NULL: packets stay as they are
	struct bench_distribution distribution;
	uint32_t skip; // bursts at first that are not timed: everything is cold
	struct bench_sample relay, receive, transmit; // cycles of bursts
	uint64_t mark;				      // end of the last call
	uint64_t relay_cycles;			      // of the burst under way
	unsigned packets;			      // of the burst under way
};

// From here on packets received on `rx_port` and sent on either port pass through `s`, which must
// stay until bench_attribution_remove.
void bench_attribution_install(struct bench_attribution *s, uint16_t rx_port, uint16_t tx_port);
void bench_attribution_remove(void);
