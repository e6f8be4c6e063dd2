// SPDX-License-Identifier: BSD-3-Clause
// One population's tables on the test stand: each source measures every direction and size that
// fits them.
#pragma once

#include "result.h"
#include "scene.h"

struct bench_stand {
	const struct bench_options *options;
	struct bench_result *result;
	struct shm_place place;
	struct bench_scene *scene;
	struct bench_population population;
	struct bench_sample sample;
	double overhead; // cycles that reading the counter twice takes
	char wrong[160]; // why a call failed
};

// Whether this direction wants a population of this kind.
bool bench_stand_fits(const struct bench_stand *s, enum bench_direction d);

// A new cell of the result, told on stderr.
struct bench_cell *bench_stand_cell(
	struct bench_stand *s, unsigned source, enum bench_direction direction, uint16_t payload);

// All cells of a source. -EINTR when a signal came.
int bench_stand_memory(struct bench_stand *s);
int bench_stand_replay(struct bench_stand *s);
