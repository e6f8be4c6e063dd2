// SPDX-License-Identifier: BSD-3-Clause
// The control process's own code in this process (tables, TURN server, rings, loop) on a real
// segment, and a stand-in for the data plane: it owns the other ends of the rings and lets every
// grace period pass.
//
// One thread runs the control side. The rings' other ends may be used by another one, and so may
// bench_relay_grace.
#pragma once

#include <process/process.h>

#include <bench/host.h>
#include "user.h"

struct bench_relay {
	struct process process;
	struct shm_state state;
	struct shm_punt punt;
	struct shm_inject inject; // the data plane's view of it
	struct tp_ring_producer punts[TP_PUNT_CLASSES];
	struct tp_ring_consumer answers;
	uint16_t listener_id;
	uint32_t n_relays;
	char directory[SHM_PATH_MAX];
	char config[2 * SHM_PATH_MAX];
};

struct bench_relay_shape {
	uint32_t allocations;
	uint32_t users; // 0: a secret of time-limited credentials instead
};

// Octets of the huge pages that it will take.
uint64_t bench_relay_octets(const struct bench_relay_shape *shape);

// 0 or a negative errno with the reason in `wrong`; bench_relay_stop either way.
int bench_relay_start(struct bench_relay *b, struct bench_host *g,
	const struct bench_relay_shape *shape, char *wrong, size_t wrong_size);
// As after a restart of the control process: everything out of the segment. *took_ns: of that.
int bench_relay_restart(struct bench_relay *b, uint64_t *took_ns, char *wrong, size_t wrong_size);
// Writes the configuration anew, with part of the peers denied. *denied: allocations whose peer is.
int bench_relay_deny(
	struct bench_relay *b, const struct bench_relay_shape *shape, uint32_t *denied);
void bench_relay_stop(struct bench_relay *b);

// Every grace period asked for so far has passed: there are no readers.
void bench_relay_grace(struct bench_relay *b);
