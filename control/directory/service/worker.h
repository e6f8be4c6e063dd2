// SPDX-License-Identifier: BSD-3-Clause
// The threads of one source, and their queue.
#pragma once

#include <pthread.h>

#include <service/service.h>
#include <source/source.h>

#define WORKERS_MAX 16u

struct worker_job {
	struct service_return to;
	uint64_t asked_ns;
	struct tp_lookup_ask message;
};

struct worker_answers;

// How questions of one kind fare: a table of a database may be missing beside others.
struct worker_state {
	uint64_t down_ns;  // since when they fail; 0: they have answers
	uint64_t probe_ns; // when a failing source is asked again
	uint64_t told_ns;  // when an answer of no use may be told again
};

// A source with its threads.
struct worker_pool {
	const struct conf_source *conf;
	struct worker_answers *answers;
	pthread_mutex_t lock; // of all below
	pthread_cond_t wake;
	struct worker_job *jobs; // ring of conf->queue
	uint32_t first;
	uint32_t n;
	uint32_t busy; // threads that ask
	bool stopping;
	struct worker_state users;
	struct worker_state keys[4]; // by which are wanted
	struct service_counters counters;
	pthread_t threads[WORKERS_MAX];
	unsigned n_threads;
};

// Answers of all sources, for the main thread.
struct worker_answers {
	pthread_mutex_t lock;
	struct service_answer *items; // ring
	uint32_t size;
	uint32_t first;
	uint32_t n;
	int fd; // eventfd
};

// `answers` has room for all jobs that all pools hold. 0 or a negative errno.
int worker_pool_start(
	struct worker_pool *w, const struct conf_source *conf, struct worker_answers *answers);
void worker_pool_stop(struct worker_pool *w);
// False: the queue is full.
bool worker_pool_add(struct worker_pool *w, const struct worker_job *job);
bool worker_pool_is_idle(struct worker_pool *w);
void worker_pool_count(struct worker_pool *w, struct service_counters *sum);

void worker_answers_add(struct worker_answers *a, const struct service_answer *answer);
