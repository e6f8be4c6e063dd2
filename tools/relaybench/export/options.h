// SPDX-License-Identifier: BSD-3-Clause
// The command line of relaybench export.
#pragma once

#include <traffic/frame.h>
#include <load/population.h>

enum export_format { EXPORT_PCAP, EXPORT_TREX, EXPORT_PKTGEN, EXPORT_TRAFGEN, EXPORT_FORMATS };

struct export_options {
	enum export_format format;
	struct load_population population; // as `relaybench load --hold` has it
	struct load_road road;
	bool down; // peers to relayed addresses, from `map`
	const char *map;
	// The population of `relaybench core` instead: pcap only.
	bool core;
	enum bench_direction direction;
	uint32_t channels;
	uint16_t payload;
	uint32_t packets; // 0: each flow once
	uint32_t seed;
	double rate;
	const char *output;
};

// As options_read.
int export_options_read(struct export_options *o, int argc, char **argv);
