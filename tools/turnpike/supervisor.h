// SPDX-License-Identifier: BSD-3-Clause
// Decides which process to start, signal or give up. No clock, signal or process here: main.c asks
// for the next action, carries it out, and reports the result.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SUPERVISOR_SERVICES_MAX 8u

// Exit statuses of the processes that another attempt would only repeat.
#define SUPERVISOR_EXIT_USAGE	2
#define SUPERVISOR_EXIT_CONFIG	3
#define SUPERVISOR_EXIT_IN_USE	4

enum supervisor_state {
	SUPERVISOR_DOWN,     // to be started at due_ns
	SUPERVISOR_STARTING, // runs, has not said that it is ready
	SUPERVISOR_READY,
	SUPERVISOR_ENDED, // is not started again
};

struct supervisor_service {
	const char *name;
	enum supervisor_state state;
	uint64_t due_ns;     // DOWN: when to start it
	uint64_t started_ns; // of the last start
	uint64_t watched_ns; // last sign of life; 0: it has given none yet
	uint64_t backoff_ns; // before the next restart
	bool ever_ready;
	bool signalled; // its part in a stop was done
	bool killed;
	unsigned restarts;
};

struct supervisor {
	struct supervisor_service services[SUPERVISOR_SERVICES_MAX];
	unsigned n;
	bool stopping;
	uint64_t kill_ns; // when a stop no longer waits
	int status;	  // with which to exit
};

enum supervisor_action_kind {
	SUPERVISOR_WAIT,  // until due_ns or an event
	SUPERVISOR_START, // `service`
	SUPERVISOR_TERM,
	SUPERVISOR_KILL,
	SUPERVISOR_EXIT, // with `status`
};

struct supervisor_action {
	enum supervisor_action_kind kind;
	unsigned service;
	uint64_t due_ns; // UINT64_MAX: never
	int status;
};

enum supervisor_verdict {
	SUPERVISOR_STOPPED,  // as asked
	SUPERVISOR_RESTARTS, // after a while
	SUPERVISOR_GIVES_UP, // everything stops
};

// `names` are borrowed, in the order of start and stop.
void supervisor_init(struct supervisor *s, const char *const *names, unsigned n, uint64_t now_ns);

// The next thing to do. START, TERM and KILL are asked for once.
struct supervisor_action supervisor_next(struct supervisor *s, uint64_t now_ns);

void supervisor_is_ready(struct supervisor *s, unsigned service);
// A sign of life; from the first one on, a service that gives none for ten seconds is killed.
void supervisor_is_alive(struct supervisor *s, unsigned service, uint64_t now_ns);
// The process ended, or could not be started (status 127). `signal` 0: it exited with `status`.
enum supervisor_verdict supervisor_ended(
	struct supervisor *s, unsigned service, int status, int signal, uint64_t now_ns);

// Ends all services; asked a second time, at once.
void supervisor_stop(struct supervisor *s, uint64_t now_ns);

// All services are ready.
bool supervisor_all_ready(const struct supervisor *s);
