// SPDX-License-Identifier: BSD-3-Clause
#include <serve/serve.h>

#include "association.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

// ---- settings -----------------------------------------------------------------------------------

static struct admit_limits limits_of(const struct conf_edge *e)
{
	return (struct admit_limits){
		.connections = e->connections,
		.connections_prefix = e->connections_per_prefix,
		.handshakes = e->handshake_rate,
		.handshakes_prefix = e->handshake_rate_per_prefix,
	};
}

static void times_take(struct serve *s, const struct conf_edge *e)
{
	s->times.handshake_ns = e->handshake_timeout_s * TP_NS_PER_S;
	s->times.idle_ns = e->idle_timeout_s * TP_NS_PER_S;
	s->times.queue_age_ns = e->queue_age_ms * TP_NS_PER_MS;
	s->times.queue_bytes = e->queue_bytes;
}

// ---- threads -----------------------------------------------------------------------------------

static int watch(struct serve_thread *t, int fd, uint32_t events, void *tag)
{
	struct epoll_event e = {.events = events, .data.ptr = tag};

	return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static struct serve_thread *thread_create(struct serve *s, unsigned number)
{
	struct serve_thread *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->serve = s;
	t->number = number;
	ds_list_init(&t->unnamed);
	ds_list_init(&t->young);
	ds_list_init(&t->idle);
	ds_list_init(&t->binding);
	ds_list_init(&t->joined);
	ds_list_init(&t->dirty);
	ds_list_init(&t->again);
	ds_list_init(&t->paced);
	t->paced_ns = UINT64_MAX;
	t->mail_last = &t->mail;
	for (unsigned i = 0; i < TP_ARRAY_LEN(t->held); i++)
		ds_list_init(&t->held[i]);
	ds_list_init(&t->dead);
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->associations = associations_create(t);
	t->mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	(void)tcp_spare_open(&t->spare);
	pthread_mutex_init(&t->mail_lock, NULL);
	return t;
}

static void thread_destroy(struct serve_thread *t)
{
	if (t == NULL)
		return;
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
	if (t->stop_fd >= 0)
		close(t->stop_fd);
	associations_destroy(t->associations);
	splice_fini(t);
	if (t->mail_fd >= 0)
		close(t->mail_fd);
	tcp_spare_close(&t->spare);
	pthread_mutex_destroy(&t->mail_lock);
	free(t);
}

static int thread_attach(struct serve_thread *t, struct edge_link *link)
{
	struct serve *s = t->serve;
	int rc;

	t->link = edge_link_thread(link, t->number);
	rc = watch(t, t->stop_fd, EPOLLIN, &t->stop_fd);
	if (rc == 0)
		rc = watch(t, t->mail_fd, EPOLLIN, &t->mail_fd);
	if (rc == 0)
		rc = watch(t, edge_link_thread_fd(t->link), EPOLLIN | EPOLLET, &t->link);
	for (size_t i = 0; i < s->n_ports && rc == 0; i++)
		rc = watch(t, s->ports[i].fds[t->number], EPOLLIN, &s->ports[i]);
	return rc;
}

int thread_start(struct serve_thread *t)
{
	sigset_t all, before;
	uint64_t count;
	int rc;

	// It may have been paused.
	(void)!read(t->stop_fd, &count, sizeof(count));

	// Signals are the main thread's, but for that of the system call filter.
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&t->thread, NULL, thread_run, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->running = rc == 0;
	return rc;
}

// ---- the whole ---------------------------------------------------------------------------------

static int fault(struct tls_error *err, const char *problem, const char *remedy)
{
	snprintf(err->problem, sizeof(err->problem), "%s", problem);
	snprintf(err->remedy, sizeof(err->remedy), "%s", remedy);
	return -1;
}

static int parts_make(struct serve *s, const struct conf *conf, struct serve_socket *sockets,
	size_t n_sockets, struct tls_error *err)
{
	const struct admit_limits limits = limits_of(&conf->edge);
	uint8_t key[16];

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return fault(err, "the kernel returned no random numbers", "");
	s->admit = admit_create(&limits, key);
	s->cookies = dtls_cookies_create();
	if (s->admit == NULL || s->cookies == NULL || listen_ports_make(s, conf) < 0 ||
		association_ports_make(s, conf) < 0)
		return fault(err, "no memory", "");
	for (; s->n_threads < conf->edge.threads; s->n_threads++) {
		struct serve_thread *t = thread_create(s, s->n_threads);

		s->threads[s->n_threads] = t;
		if (t == NULL || t->epoll_fd < 0 || t->stop_fd < 0 || t->mail_fd < 0 ||
			t->associations == NULL) {
			s->n_threads++;
			return fault(err, "no event loop", "is the limit of open files reached?");
		}
	}
	times_take(s, &conf->edge);
	return listen_ports_open(s, 0, sockets, n_sockets, err);
}

struct serve *serve_create(
	const struct conf *conf, struct tls_tickets *tickets, struct tls_error *err)
{
	return serve_create_with(conf, tickets, NULL, 0, err);
}

struct serve *serve_create_with(const struct conf *conf, struct tls_tickets *tickets,
	struct serve_socket *sockets, size_t n_sockets, struct tls_error *err)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		fault(err, "no memory", "");
		return NULL;
	}
	pthread_mutex_init(&s->gate, NULL);
	s->conf = conf;
	s->tickets = tickets;
	if (parts_make(s, conf, sockets, n_sockets, err) < 0) {
		serve_destroy(s);
		return NULL;
	}
	return s;
}

int serve_listen(struct serve *s, struct tls_error *err)
{
	return listen_ports_begin(s, 0, err) < 0 ? -1 : 0;
}

// All contexts, or none.
static int contexts_load(struct serve *s, const struct conf *conf, struct tls_error *err)
{
	struct tls_context **dtls = association_contexts_load(s, conf, err);

	if (dtls == NULL)
		return -1;
	if (listen_contexts_load(s, conf, err) < 0) {
		association_contexts_free(s, dtls);
		return -1;
	}
	association_contexts_swap(s, conf, dtls);
	return 0;
}

int serve_certificates_load(struct serve *s, struct tls_error *err)
{
	return contexts_load(s, s->conf, err);
}

int serve_attach(struct serve *s, struct edge_link *link)
{
	int rc = 0;

	s->link = link;
	for (unsigned i = 0; i < s->n_threads && rc == 0; i++)
		rc = thread_attach(s->threads[i], link);
	return rc;
}

static int threads_start(struct serve *s)
{
	int rc = 0;

	for (unsigned i = 0; i < s->n_threads && rc == 0; i++)
		rc = s->threads[i]->running ? 0 : thread_start(s->threads[i]);
	return rc;
}

int serve_ready(struct serve *s)
{
	int rc;

	pthread_mutex_lock(&s->gate);
	s->waiting = true;
	rc = threads_start(s);
	if (rc < 0)
		serve_stop(s);
	return rc;
}

int serve_start(struct serve *s, struct edge_link *link)
{
	int rc = s->link == NULL ? serve_attach(s, link) : 0;

	if (rc == 0)
		rc = threads_start(s);
	if (rc < 0) {
		serve_stop(s);
	} else if (s->waiting) {
		s->waiting = false;
		pthread_mutex_unlock(&s->gate);
	}
	return rc;
}

// New ports with sockets and contexts; none if any of them fails.
static int ports_add(struct serve *s, const struct conf *conf, struct serve_changes *changes,
	struct tls_error *err)
{
	size_t first = s->n_ports, dtls_first = s->n_dtls_ports;

	if (listen_ports_make(s, conf) < 0 || association_ports_make(s, conf) < 0)
		fault(err, "no room for more listeners", "restart turnpike-edge");
	else if (listen_ports_open(s, first, NULL, 0, err) == 0 &&
		 listen_ports_begin(s, first, err) == 0 && contexts_load(s, conf, err) == 0) {
		changes->added = (unsigned)(s->n_ports - first + s->n_dtls_ports - dtls_first);
		return ports_show(s, first) < 0 ? fault(err, "no memory", "restart turnpike-edge")
						: 0;
	}
	listen_ports_forget(s, first);
	association_ports_forget(s, dtls_first);
	return -1;
}

int serve_reload(struct serve *s, const struct conf *conf, struct serve_changes *changes,
	struct tls_error *err)
{
	const struct admit_limits limits = limits_of(&conf->edge);

	*changes = (struct serve_changes){.others = !serve_listeners_same(s, conf)};
	if (ports_add(s, conf, changes, err) < 0)
		return -1;
	changes->removed = ports_remove(s, conf);
	times_take(s, &conf->edge);
	pthread_mutex_lock(&s->lock);
	admit_limits_set(s->admit, &limits);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

void serve_stop(struct serve *s)
{
	static const uint64_t one = 1;

	// Those that have not begun end as they are.
	if (s->waiting)
		pthread_mutex_unlock(&s->gate);
	for (unsigned i = 0; i < s->n_threads; i++) {
		struct serve_thread *t = s->threads[i];

		if (t->running && write(t->stop_fd, &one, sizeof(one)) == sizeof(one))
			pthread_join(t->thread, NULL);
		t->running = false;
	}
	s->waiting = false;
}

void serve_destroy(struct serve *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->n_threads; i++)
		thread_destroy(s->threads[i]);
	listen_ports_close(s);
	association_ports_free(s);
	dtls_cookies_destroy(s->cookies);
	admit_destroy(s->admit);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->gate);
	free(s);
}

// ---- counters ----------------------------------------------------------------------------------

void serve_counters_read(struct serve *s, struct serve_counters *out)
{
	uint64_t *sum = (uint64_t *)out;

	_Static_assert(sizeof(*out) % sizeof(uint64_t) == 0, "counters are words");
	*out = (struct serve_counters){0};
	for (unsigned i = 0; i < s->n_threads; i++) {
		uint64_t *from = (uint64_t *)&s->threads[i]->counters;

		for (size_t k = 0; k < sizeof(*out) / sizeof(*sum); k++)
			sum[k] += __atomic_load_n(&from[k], __ATOMIC_RELAXED);
	}
}

uint32_t serve_connections(struct serve *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < s->n_threads; i++)
		n += atomic_load_explicit(&s->threads[i]->n_connections, memory_order_relaxed);
	return n;
}

struct expiry {
	uint64_t first_s;
	uint64_t last_s;
	char file[256]; // of the first
};

static void expiry_note(struct expiry *e, const struct tls_context *c)
{
	const char *file = NULL;
	uint64_t first_s = c == NULL ? 0 : tls_context_expires_s(c, &file);

	if (first_s == 0)
		return;
	if (e->last_s < tls_context_last_expires_s(c))
		e->last_s = tls_context_last_expires_s(c);
	if (e->first_s != 0 && e->first_s <= first_s)
		return;
	e->first_s = first_s;
	snprintf(e->file, sizeof(e->file), "%s", file);
}

static struct expiry expiry_of(struct serve *s)
{
	struct expiry e = {.first_s = 0};

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_ports; i++) {
		if (!s->ports[i].is_removed && !s->ports[i].tls_left)
			expiry_note(&e, s->ports[i].context);
	}
	for (size_t i = 0; i < s->n_dtls_ports; i++) {
		if (!s->dtls_ports[i].is_removed)
			expiry_note(&e, s->dtls_ports[i].context);
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

uint64_t serve_expires_s(struct serve *s, char *file, size_t size)
{
	struct expiry e = expiry_of(s);

	if (e.first_s != 0)
		snprintf(file, size, "%s", e.file);
	return e.first_s;
}

uint64_t serve_last_expires_s(struct serve *s)
{
	return expiry_of(s).last_s;
}

const char *serve_close_name(enum serve_close c)
{
	static const char *const names[SERVE_CLOSE_COUNT] = {[SERVE_OPEN] = "open",
#define SERVE_CLOSE_NAME(name, text) [SERVE_CLOSE_##name] = #name,
		SERVE_CLOSES(SERVE_CLOSE_NAME)
#undef SERVE_CLOSE_NAME
	};

	return names[c];
}
