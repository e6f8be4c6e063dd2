// SPDX-License-Identifier: BSD-3-Clause
// The segment of a benchmark, filled through the control process's own table writer: a population
// of flows that live for a day.
//
// One thread; the files are those of the place, which the caller removes.
#pragma once

#include <shm/segment.h>

#include "flow.h"

struct tables;

struct bench_scene {
	struct bench_population population;
	struct tables *tables;
	uint16_t listener_id;
	uint16_t relay_ids[BENCH_RELAYS_MAX];
	int role_fd;		// we are the control process of this place
	uint64_t fill_ns;	// time that filling took
	uint64_t next_hop_word; // of the only neighbour
};

// Octets of the scene's files for one worker, those that the data plane makes included.
uint64_t bench_scene_octets(const struct bench_population *p);

// Packets leave by port `port`. 0 or a negative errno with *err filled in.
int bench_scene_create(struct bench_scene **out, const struct bench_population *p, unsigned port,
	const struct shm_place *place, struct shm_error *err);
void bench_scene_destroy(struct bench_scene *s); // NULL is fine

const struct shm_tables *bench_scene_shm(const struct bench_scene *s);
