// SPDX-License-Identifier: BSD-3-Clause
// One population's tables on the rig: each source measures every direction and size that
// fits them.
#pragma once

#include "result.h"
#include <fixture/fixture.h>

struct bench_rig {
	const struct bench_options *options;
	struct bench_result *result;
	struct shm_place place;
	struct bench_fixture *fixture;
	struct bench_population population;
	struct bench_sample sample;
	double overhead; // cycles that reading the counter twice takes
	char wrong[160]; // why a call failed
};

// Whether this direction wants a population of this kind.
bool bench_rig_fits(const struct bench_rig *s, enum bench_direction d);

// A new cell of the result, told on stderr.
struct bench_cell *bench_rig_cell(
	struct bench_rig *s, unsigned source, enum bench_direction direction, uint16_t payload);

// All cells of a source. -EINTR when a signal came.
int bench_rig_memory(struct bench_rig *s);
int bench_rig_replay(struct bench_rig *s);
