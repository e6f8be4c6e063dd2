// SPDX-License-Identifier: BSD-3-Clause
#include "supervisor.h"

#include <turnpike/base.h>

#define BACKOFF_MIN_NS (100 * TP_NS_PER_MS)
#define BACKOFF_MAX_NS (30 * TP_NS_PER_S)
// A service that ran for this long is started again at once: calls wait for it, and one that ends
// no more often takes little of the machine.
#define STEADY_NS      (5 * TP_NS_PER_S)
#define EARLY_NS       (20 * TP_NS_PER_S)
#define STOP_NS	       (10 * TP_NS_PER_S)
#define WATCHDOG_NS    (10 * TP_NS_PER_S)

void supervisor_init(struct supervisor *s, const char *const *names, unsigned n, uint64_t now_ns)
{
	*s = (struct supervisor){.n = n};
	for (unsigned i = 0; i < n; i++)
		s->services[i] = (struct supervisor_service){
			.name = names[i],
			.due_ns = now_ns,
		};
}

static bool is_running(const struct supervisor_service *v)
{
	return v->state == SUPERVISOR_STARTING || v->state == SUPERVISOR_READY;
}

static bool all_ended(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->services[i].state != SUPERVISOR_ENDED)
			return false;
	}
	return true;
}

// When this service needs attention; UINT64_MAX: never.
static uint64_t due_ns(const struct supervisor *s, const struct supervisor_service *v)
{
	if (v->state == SUPERVISOR_DOWN)
		return v->due_ns;
	if (!is_running(v) || v->killed)
		return UINT64_MAX;
	if (s->stopping)
		return v->signalled ? s->kill_ns : 0;
	return v->watched_ns == 0 ? UINT64_MAX : v->watched_ns + WATCHDOG_NS;
}

static enum supervisor_action_kind service_act(
	const struct supervisor *s, struct supervisor_service *v, uint64_t now_ns)
{
	if (v->state == SUPERVISOR_DOWN) {
		v->state = SUPERVISOR_STARTING;
		v->started_ns = now_ns;
		v->watched_ns = 0;
		v->signalled = v->killed = false;
		return SUPERVISOR_START;
	}
	if (s->stopping && !v->signalled && now_ns < s->kill_ns) {
		v->signalled = true;
		return SUPERVISOR_TERM;
	}
	v->signalled = v->killed = true;
	return SUPERVISOR_KILL;
}

struct supervisor_action supervisor_next(struct supervisor *s, uint64_t now_ns)
{
	struct supervisor_action a = {.kind = SUPERVISOR_WAIT, .due_ns = UINT64_MAX};

	if (s->stopping && all_ended(s))
		return (struct supervisor_action){.kind = SUPERVISOR_EXIT, .status = s->status};
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t due = due_ns(s, &s->services[i]);

		if (due <= now_ns) {
			a.kind = service_act(s, &s->services[i], now_ns);
			a.service = i;
			return a;
		}
		a.due_ns = due < a.due_ns ? due : a.due_ns;
	}
	return a;
}

void supervisor_is_ready(struct supervisor *s, unsigned service)
{
	struct supervisor_service *v = &s->services[service];

	if (v->state == SUPERVISOR_STARTING)
		v->state = SUPERVISOR_READY;
	v->ever_ready = true;
}

void supervisor_is_alive(struct supervisor *s, unsigned service, uint64_t now_ns)
{
	s->services[service].watched_ns = now_ns;
}

// A service that failed by itself before it was ready, or soon after its start where it can't say
// that it is ready, would fail again.
static bool is_hopeless(const struct supervisor_service *v, int status, int signal, uint64_t now_ns)
{
	if (signal != 0 || status == 0)
		return false;
	return (!v->ever_ready && now_ns - v->started_ns < EARLY_NS) ||
	       status == SUPERVISOR_EXIT_USAGE || status == SUPERVISOR_EXIT_CONFIG ||
	       status == SUPERVISOR_EXIT_IN_USE;
}

static uint64_t backoff_after(uint64_t ns)
{
	if (ns == 0)
		return BACKOFF_MIN_NS;
	return 2 * ns < BACKOFF_MAX_NS ? 2 * ns : BACKOFF_MAX_NS;
}

enum supervisor_verdict supervisor_ended(
	struct supervisor *s, unsigned service, int status, int signal, uint64_t now_ns)
{
	struct supervisor_service *v = &s->services[service];

	if (s->stopping) {
		v->state = SUPERVISOR_ENDED;
		if (s->status == 0 && (signal != 0 || status != 0))
			s->status = signal != 0 ? 1 : status;
		return SUPERVISOR_STOPPED;
	}
	if (is_hopeless(v, status, signal, now_ns)) {
		v->state = SUPERVISOR_ENDED;
		s->status = status;
		supervisor_stop(s, now_ns);
		return SUPERVISOR_GIVES_UP;
	}
	if (now_ns - v->started_ns >= STEADY_NS)
		v->backoff_ns = 0;
	v->state = SUPERVISOR_DOWN;
	v->due_ns = now_ns + v->backoff_ns;
	v->backoff_ns = backoff_after(v->backoff_ns);
	v->restarts++;
	return SUPERVISOR_RESTARTS;
}

void supervisor_stop(struct supervisor *s, uint64_t now_ns)
{
	s->kill_ns = s->stopping ? now_ns : now_ns + STOP_NS;
	s->stopping = true;
	for (unsigned i = 0; i < s->n; i++) {
		if (s->services[i].state == SUPERVISOR_DOWN)
			s->services[i].state = SUPERVISOR_ENDED;
	}
}

bool supervisor_all_ready(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->services[i].state != SUPERVISOR_READY)
			return false;
	}
	return true;
}
