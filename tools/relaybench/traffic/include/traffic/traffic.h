// SPDX-License-Identifier: BSD-3-Clause
// The packets of a direction of the benchmark: one kind, or for the mix all kinds in fixed shares.
// A kind is a direction other than the mix, and each packet is judged as its kind.
#pragma once

#include <traffic/frame.h>
#include <traffic/distribution.h>

struct bench_traffic {
	enum bench_direction direction;
	struct bench_population population;
	struct bench_template kinds[BENCH_MIX]; // of the mix; else only that of the direction
};

struct bench_packet {
	const struct bench_template *kind;
	uint32_t flow;
};

// As bench_template_init. The population fits the direction (bench_direction_fits).
void bench_traffic_init(struct bench_traffic *t, const struct bench_population *p,
	enum bench_direction direction, uint16_t payload_len, uint64_t seed);

// The next packet: its kind by the shares, its flow as `distribution` says; in the mix hairpins
// take the flow's next neighbour that is joined, others the next that is not.
struct bench_packet bench_traffic_next(
	const struct bench_traffic *t, struct bench_distribution *distribution);

// Returns how many of the packets that a worker counted by path are of this direction; each packet
// once, hairpins that are counted at both ends too.
uint64_t bench_traffic_counted(
	enum bench_direction direction, const uint64_t path_packets[TP_PATH_COUNT]);

// NULL, or the name of the mix's kind that is not among the counted in its share.
const char *bench_traffic_verify_shares(const uint64_t path_packets[TP_PATH_COUNT]);
