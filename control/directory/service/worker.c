// SPDX-License-Identifier: BSD-3-Clause
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <log/log.h>

#include <proc/clock.h>

#define PATIENCE_NS (TP_LOOKUP_PATIENCE_S * TP_NS_PER_S)
#define AGAIN_NS    (100 * TP_NS_PER_MS) // between two attempts for one question
#define PROBE_NS    (500 * TP_NS_PER_MS) // between two questions to a source that is down
#define TOLD_NS	    (60 * TP_NS_PER_S)	 // between two lines about answers of no use

// ---- answers ----------------------------------------------------------------------------------

void worker_answers_add(struct worker_answers *a, const struct service_answer *answer)
{
	struct service_answer lost = *answer;
	uint64_t one = 1;

	pthread_mutex_lock(&a->lock);
	if (a->n < a->size) {
		a->items[(a->first + a->n) % a->size] = *answer;
		a->n++;
		lost.keys = NULL;
	}
	pthread_mutex_unlock(&a->lock);
	service_answer_end(&lost);
	if (write(a->fd, &one, sizeof(one)) < 0)
		return; // the counter is at its end, so it is readable
}

// `keys` of a realm, or NULL.
static void answer_make(const struct worker_pool *w, const struct worker_job *job,
	const struct source_answer *from, struct tp_lookup_keys *keys, struct service_answer *to)
{
	*to = (struct service_answer){
		.to = job->to,
		.message =
			{
				.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_ANSWER},
				.ticket = job->message.ticket,
				.status = (uint8_t)from->status,
			},
	};
	if (from->status == TP_LOOKUP_FAILED)
		return;
	to->message.life_s = from->has_life		       ? from->life_s
			     : from->status == TP_LOOKUP_FOUND ? w->conf->life_s
							       : w->conf->negative_life_s;
	if (from->status != TP_LOOKUP_FOUND)
		return;
	if (keys != NULL) {
		keys->head =
			(struct tp_lookup_head){TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_KEYS};
		keys->ticket = job->message.ticket;
		keys->life_s = to->message.life_s;
		to->keys = keys;
		return;
	}
	to->message.algorithm = (uint8_t)from->algorithm;
	to->message.key_len = from->key_len;
	memcpy(to->message.key, from->key, sizeof(to->message.key));
}

// ---- the state of the source ------------------------------------------------------------------

static bool is_of_realm(const struct worker_job *job)
{
	return job->message.by == TP_LOOKUP_BY_REALM;
}

static struct worker_state *state_of(struct worker_pool *w, const struct worker_job *job)
{
	return is_of_realm(job) ? &w->keys[job->message.wanted % TP_ARRAY_LEN(w->keys)] : &w->users;
}

static void failed_log(const struct worker_pool *w, const char *problem, const char *now)
{
	log_event(
		LOG_EV_SOURCE_FAILED, LOG_FIELDS(log_str("source", w->conf->name),
					      log_str("type", conf_source_type_name(w->conf->type)),
					      log_str("problem", problem), log_str("state", now)));
}

static void down_log(const struct worker_pool *w, const struct worker_job *job, const char *problem)
{
	failed_log(w, problem,
		is_of_realm(job) ? "the secrets and keys of its realms stay as they were"
				 : "its users that are not cached wait or get 500");
}

static void up_log(const struct worker_pool *w, const struct worker_job *job, uint64_t down_for_ns)
{
	log_event(LOG_EV_SOURCE_RECOVERED,
		LOG_FIELDS(log_str("source", w->conf->name),
			log_str("answers", is_of_realm(job) ? "keys" : "users"),
			log_u64("down_ms", down_for_ns / TP_NS_PER_MS)));
}

// An answer of no use is about one user: the others' are asked for as before.
static void state_note(struct worker_pool *w, const struct worker_job *job,
	const struct source_answer *a, uint64_t now_ns)
{
	struct worker_state *state = state_of(w, job);
	bool failed = a->status == TP_LOOKUP_FAILED && !a->answered;
	uint64_t since;
	bool told;

	pthread_mutex_lock(&w->lock);
	told = a->answered && now_ns >= state->told_ns;
	if (told)
		state->told_ns = now_ns + TOLD_NS;
	since = state->down_ns;
	state->down_ns = failed ? (since != 0 ? since : now_ns) : 0;
	state->probe_ns = now_ns + PROBE_NS;
	pthread_mutex_unlock(&w->lock);
	if (told)
		failed_log(w, a->problem, "this user gets 500, the others have their answers");
	if (failed && since == 0)
		down_log(w, job, a->problem);
	if (!failed && since != 0)
		up_log(w, job, now_ns - since);
}

// A source that has been down for its time-out is asked twice a second: the others need not wait.
static bool is_given_up(struct worker_pool *w, const struct worker_job *job, uint64_t now_ns)
{
	struct worker_state *state = state_of(w, job);
	bool given_up;

	pthread_mutex_lock(&w->lock);
	given_up = state->down_ns != 0 &&
		   now_ns - state->down_ns > w->conf->timeout_ms * TP_NS_PER_MS &&
		   now_ns < state->probe_ns;
	if (!given_up)
		state->probe_ns = now_ns + PROBE_NS;
	pthread_mutex_unlock(&w->lock);
	return given_up;
}

// ---- threads ----------------------------------------------------------------------------------

static bool is_stopping(struct worker_pool *w)
{
	bool stopping;

	pthread_mutex_lock(&w->lock);
	stopping = w->stopping;
	pthread_mutex_unlock(&w->lock);
	return stopping;
}

// Asks, and again after a failure, as long as the time-out lets it. For keys it asks once: nobody
// waits for them, and the control process asks again.
static void job_ask(struct worker_pool *w, struct source *source, const struct worker_job *job,
	struct tp_lookup_keys *keys, struct source_answer *a)
{
	const struct timespec pause = {.tv_nsec = AGAIN_NS};
	const struct tp_lookup_ask *m = &job->message;
	const struct source_question q = {
		.by = m->by,
		.realm = (const char *)m->text,
		.realm_len = m->realm_len,
		.name = m->text + m->realm_len,
		.name_len = m->name_len,
		.wanted = m->wanted,
	};
	uint64_t end_ns = job->asked_ns + w->conf->timeout_ms * TP_NS_PER_MS;

	for (;;) {
		if (keys != NULL)
			source_keys(source, &q, keys, a);
		else
			source_ask(source, &q, a);
		state_note(w, job, a, proc_now_ns());
		if (keys != NULL || a->status != TP_LOOKUP_FAILED || !a->again ||
			proc_now_ns() + AGAIN_NS > end_ns || is_stopping(w))
			return;
		nanosleep(&pause, NULL);
	}
}

static void job_count(struct worker_pool *w, enum tp_lookup_status status, bool late)
{
	struct service_counters *c = &w->counters;

	pthread_mutex_lock(&w->lock);
	c->found += status == TP_LOOKUP_FOUND;
	c->unknown += status == TP_LOOKUP_UNKNOWN;
	c->failed += status == TP_LOOKUP_FAILED;
	c->late += late;
	w->busy--;
	pthread_mutex_unlock(&w->lock);
}

static void job_do(struct worker_pool *w, struct source *source, const struct worker_job *job)
{
	uint64_t now_ns = proc_now_ns();
	bool late = now_ns > job->asked_ns + PATIENCE_NS;
	struct source_answer a = {.status = TP_LOOKUP_FAILED};
	struct tp_lookup_keys *keys = NULL;
	bool of_realm = is_of_realm(job);
	struct service_answer answer;

	if (of_realm)
		keys = calloc(1, sizeof(*keys));
	if (!late && (keys != NULL || !of_realm) && !is_given_up(w, job, now_ns))
		job_ask(w, source, job, keys, &a);
	answer_make(w, job, &a, keys, &answer);
	if (keys != NULL && answer.keys == NULL) {
		explicit_bzero(keys, sizeof(*keys));
		free(keys);
	}
	worker_answers_add(w->answers, &answer);
	job_count(w, a.status, late);
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&answer, sizeof(answer));
}

// False: the pool stops.
static bool job_take(struct worker_pool *w, struct worker_job *job)
{
	bool taken = false;

	pthread_mutex_lock(&w->lock);
	while (w->n == 0 && !w->stopping)
		pthread_cond_wait(&w->wake, &w->lock);
	if (!w->stopping) {
		*job = w->jobs[w->first];
		w->first = (w->first + 1) % w->conf->queue;
		w->n--;
		w->busy++;
		taken = true;
	}
	pthread_mutex_unlock(&w->lock);
	return taken;
}

static void *worker_run(void *arg)
{
	struct worker_pool *w = arg;
	struct source *source = source_open(w->conf);
	struct worker_job job;

	while (source != NULL && job_take(w, &job))
		job_do(w, source, &job);
	source_close(source);
	return NULL;
}

// Signals are the main thread's.
static int thread_start(struct worker_pool *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	// A forbidden system call is told by this one.
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->threads[w->n_threads], NULL, worker_run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->n_threads += rc == 0;
	return -rc;
}

int worker_pool_start(
	struct worker_pool *w, const struct conf_source *conf, struct worker_answers *answers)
{
	int rc = 0;

	w->conf = conf;
	w->answers = answers;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->jobs = calloc(conf->queue, sizeof(*w->jobs));
	if (w->jobs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < conf->connections && i < WORKERS_MAX && rc == 0; i++)
		rc = thread_start(w);
	return rc;
}

void worker_pool_stop(struct worker_pool *w)
{
	if (w->conf == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n_threads; i++)
		pthread_join(w->threads[i], NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w->jobs);
}

bool worker_pool_add(struct worker_pool *w, const struct worker_job *job)
{
	bool room;

	pthread_mutex_lock(&w->lock);
	room = w->n < w->conf->queue;
	w->counters.asked++;
	if (room) {
		w->jobs[(w->first + w->n) % w->conf->queue] = *job;
		w->n++;
		pthread_cond_signal(&w->wake);
	} else {
		w->counters.full++;
		w->counters.failed++;
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

bool worker_pool_is_idle(struct worker_pool *w)
{
	bool idle;

	pthread_mutex_lock(&w->lock);
	idle = w->n == 0 && w->busy == 0;
	pthread_mutex_unlock(&w->lock);
	return idle;
}

void worker_pool_count(struct worker_pool *w, struct service_counters *sum)
{
	pthread_mutex_lock(&w->lock);
	sum->asked += w->counters.asked;
	sum->found += w->counters.found;
	sum->unknown += w->counters.unknown;
	sum->failed += w->counters.failed;
	sum->full += w->counters.full;
	sum->late += w->counters.late;
	pthread_mutex_unlock(&w->lock);
}
