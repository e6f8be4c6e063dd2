// SPDX-License-Identifier: BSD-3-Clause
// The packet path without receive and transmit: stage_run, timed per burst, on frames that lie
// ready in memory. One thread, on the core it is pinned to.
#pragma once

#include <traffic/traffic.h>
#include <bench/sample.h>
#include <fixture/fixture.h>

struct bench_memory;

// Workers of the fixture. -ENOMEM, or an error of the segment with *err filled in.
int bench_memory_create(struct bench_memory **out, const struct bench_fixture *fixture,
	const struct shm_place *place, struct shm_error *err);
void bench_memory_destroy(struct bench_memory *m); // NULL is fine

// Every picked flow's frame goes through once and is judged. -EPROTO with *wrong filled in.
int bench_memory_verify(struct bench_memory *m, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint32_t n_packets, char *wrong,
	size_t wrong_size);

// `n_packets` in whole bursts, without a look at the time. -EPROTO when one was not forwarded.
int bench_memory_count(struct bench_memory *m, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint32_t n_packets, char *wrong,
	size_t wrong_size);

// Bursts for `ns`; the sample holds each one's cycles. -EPROTO when a packet was not forwarded.
int bench_memory_run(struct bench_memory *m, const struct bench_traffic *t,
	struct bench_distribution *distribution, uint64_t ns, struct bench_sample *sample,
	char *wrong, size_t wrong_size);
