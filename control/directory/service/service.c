// SPDX-License-Identifier: BSD-3-Clause
#include <service/service.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker.h"

// Questions that no source takes, between two calls of service_next.
#define REFUSALS_MAX 1024u

struct service {
	const struct conf_directory *conf;
	struct worker_pool *pools; // as conf->sources
	struct worker_answers answers;
};

// Every job may be answered before the main thread takes the first answer.
static uint32_t answers_max(const struct conf_directory *d)
{
	uint32_t n = REFUSALS_MAX;

	for (size_t i = 0; i < d->n_sources; i++)
		n += d->sources[i].queue + d->sources[i].connections;
	return n;
}

void service_answer_end(struct service_answer *a)
{
	if (a->keys != NULL)
		explicit_bzero(a->keys, sizeof(*a->keys));
	free(a->keys);
	explicit_bzero(a, sizeof(*a));
}

int service_create(const struct conf_directory *d, struct service **out)
{
	struct service *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s == NULL)
		return -ENOMEM;
	s->conf = d;
	pthread_mutex_init(&s->answers.lock, NULL);
	s->answers.size = answers_max(d);
	s->answers.items = calloc(s->answers.size, sizeof(*s->answers.items));
	s->answers.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->pools = calloc(d->n_sources + 1, sizeof(*s->pools));
	if (s->answers.items == NULL || s->pools == NULL)
		rc = -ENOMEM;
	else if (s->answers.fd < 0)
		rc = -errno;
	for (size_t i = 0; i < d->n_sources && rc == 0; i++)
		rc = worker_pool_start(&s->pools[i], &d->sources[i], &s->answers);
	if (rc < 0) {
		service_destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

void service_destroy(struct service *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; s->pools != NULL && i < s->conf->n_sources; i++)
		worker_pool_stop(&s->pools[i]);
	free(s->pools);
	for (uint32_t i = 0; s->answers.items != NULL && i < s->answers.size; i++)
		service_answer_end(&s->answers.items[i]);
	free(s->answers.items);
	if (s->answers.fd >= 0)
		close(s->answers.fd);
	pthread_mutex_destroy(&s->answers.lock);
	free(s);
}

bool service_drain(struct service *s)
{
	for (size_t i = 0; i < s->conf->n_sources; i++) {
		if (!worker_pool_is_idle(&s->pools[i]))
			return false;
	}
	return true;
}

int service_fd(const struct service *s)
{
	return s->answers.fd;
}

static void refuse(struct service *s, const struct service_return *to, uint64_t ticket)
{
	const struct service_answer answer = {
		.to = *to,
		.message =
			{
				.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_ANSWER},
				.ticket = ticket,
				.status = TP_LOOKUP_FAILED,
			},
	};

	worker_answers_add(&s->answers, &answer);
}

void service_ask(struct service *s, const struct service_return *to, const struct tp_lookup_ask *m,
	uint64_t now_ns)
{
	struct worker_job job = {.to = *to, .asked_ns = now_ns, .message = *m};
	char realm[TP_LOOKUP_REALM_MAX + 1];
	const struct conf_source *source;

	memcpy(realm, m->text, m->realm_len);
	realm[m->realm_len] = '\0';
	source = conf_source_of(s->conf, realm);
	if (source == NULL || !worker_pool_add(&s->pools[source - s->conf->sources], &job))
		refuse(s, to, m->ticket);
}

bool service_next(struct service *s, struct service_answer *out)
{
	struct worker_answers *a = &s->answers;
	uint64_t count;
	bool taken;

	pthread_mutex_lock(&a->lock);
	taken = a->n > 0;
	if (taken) {
		*out = a->items[a->first];
		explicit_bzero(&a->items[a->first], sizeof(a->items[0]));
		a->first = (a->first + 1) % a->size;
		a->n--;
	} else if (read(a->fd, &count, sizeof(count)) < 0) {
		taken = false; // it was read already
	}
	pthread_mutex_unlock(&a->lock);
	return taken;
}

void service_count(const struct service *s, struct service_counters *out)
{
	*out = (struct service_counters){0};
	for (size_t i = 0; i < s->conf->n_sources; i++)
		worker_pool_count(&s->pools[i], out);
}
