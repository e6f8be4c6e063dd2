// SPDX-License-Identifier: BSD-3-Clause
// Two workers as the data plane runs them, each with a receive queue of its own on both ports
// (net_ring: rings that a test fills and empties), over live channels in real tables. One stand at
// a time; a test's thread and nobody else uses it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <plane/attach.h>
#include <io/eal.h>
#include <traffic/frame.h>
#include <traffic/distribution.h>
#include <fixture/fixture.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <worker/fragments.h>
#include <worker/worker.h>

#define WORKERS	    2u
#define PORTS	    2u
#define PORT_IN	    0u
#define PORT_OUT    1u
#define FLOWS	    1000u
#define SEED	    20260730u
#define PAYLOAD	    161u // odd, and padded in a Send indication
#define PATIENCE_NS (60 * TP_NS_PER_S)

// Shared by all stands: EAL runs once per process.
struct ground {
	struct eal_settings eal;
	unsigned cores[WORKERS];
	struct rte_mempool *pool;
	struct rte_ring *rx[PORTS][WORKERS];
	struct rte_ring *tx[PORTS][WORKERS];
	struct io_port ports[PORTS];
	unsigned hold_us; // of the next stand's workers
};

extern struct ground ground;

struct stand {
	struct shm_place place;
	struct bench_fixture *fixture;
	struct shm_inject inject; // the control process's
	struct attach attach;
	struct fragments_exchange *exchange;
	struct worker *workers[WORKERS];
	unsigned launched;
	atomic_bool stop;
	struct bench_distribution dice;
	uint32_t left_by[WORKERS]; // packets that came out, by the worker that sent them
};

// Set-up of cmocka's group.
int ground_make(void **state);
int ground_clear(void **state);

void stand_open(struct stand *s, bool hairpin);

// Waits until all workers have stopped: something has told them to, or will.
void stand_join(struct stand *s);

// Stops the workers that still run. All buffers must be back by then.
void stand_close(struct stand *s);

// A worker, by chance.
unsigned stand_throw(struct stand *s);

const struct tp_worker_stats *stand_stats(const struct stand *s, unsigned worker);

// A frame for flow i, marked with its number where no worker looks.
struct rte_mbuf *frame_make(const struct bench_template *t, uint32_t i);

// Judges and frees everything that has come out of the port; returns how much.
unsigned stand_take(struct stand *s, const struct bench_template *t, unsigned port);

// Fails unless no worker has dropped anything.
void stand_no_drops(const struct stand *s);

// Fails unless each worker's own count equals the packets out of its queues.
void stand_sent_by_each(const struct stand *s);

// CLOCK_BOOTTIME.
uint64_t stand_now_ns(void);
