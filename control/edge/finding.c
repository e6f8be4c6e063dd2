// SPDX-License-Identifier: BSD-3-Clause
// How a process that takes over finds the one before, and the words for a failure.
#include "edge.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/start.h>

#define LOCK_TRIES    50u
#define LOCK_PAUSE_US 20000u

// ---- failures -----------------------------------------------------------------------------------

struct reason {
	int rc;
	const char *problem;
	const char *remedy;
};

static const struct reason reasons[] = {
	{-ECANCELED, "the process before refused",
		"see its reason, or restart it instead: its clients connect again"},
	{-EPROTONOSUPPORT, "the process before is of a version with another form of a take-over",
		"restart it instead: its clients connect again"},
	{-EPROTOTYPE, "the process before speaks another version to turnpike-control",
		"restart turnpike-control with the new program, and upgrade within 10 s"},
	{-EPROTO, "the other side is no turnpike-edge",
		"set runtime_directory to a directory of its own"},
	{-EPERM, "the socket of the process before is another user's",
		"start this one as the same user"},
	{-EAGAIN, "the process before does not answer",
		"try again, or restart it instead: its clients connect again"},
};

int edge_before_failed(struct edge *e, int rc)
{
	struct reason other = {rc, strerror(-rc), "restart it instead: its clients connect again"};
	const struct reason *r = &other;
	char problem[sizeof(e->before.refusal) + 64];

	for (size_t i = 0; i < TP_ARRAY_LEN(reasons); i++) {
		if (reasons[i].rc == rc)
			r = &reasons[i];
	}
	edge_before_close(e);
	snprintf(problem, sizeof(problem), "%s%s%s", r->problem, rc == -ECANCELED ? ": " : "",
		rc == -ECANCELED ? e->before.refusal : "");
	log_event(LOG_EV_EDGE_TAKE_OVER_FAILED,
		LOG_FIELDS(log_str("problem", problem), log_str("remedy", r->remedy)));
	return PROC_EXIT_FAILED;
}

int edge_role_lock(struct edge *e)
{
	struct shm_error err;

	// One that has died gives the lock up soon after the channel.
	for (unsigned i = 0; i < (e->before.died ? LOCK_TRIES : 1); i++) {
		e->role_fd = shm_role_lock(&e->place, SHM_ROLE_EDGE, &err);
		if (e->role_fd != -EBUSY)
			break;
		if (e->before.died)
			(void)usleep(LOCK_PAUSE_US);
	}
	return e->role_fd < 0 ? proc_shm_failed(&err) : 0;
}

void edge_before_channel_close(struct edge_before *b)
{
	int *fds[] = {&b->fd, &b->word_fd, &b->far_fd};

	for (size_t i = 0; i < TP_ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

// ---- finding it ---------------------------------------------------------------------------------

static uid_t user_of(const struct edge *e)
{
	const struct passwd *pw = e->options.user != NULL ? getpwnam(e->options.user) : NULL;

	return pw != NULL ? pw->pw_uid : geteuid();
}

static void refusal_keep(struct edge_before *b, const uint8_t *text, size_t len)
{
	if (len >= sizeof(b->refusal))
		len = sizeof(b->refusal) - 1;
	for (size_t i = 0; i < len; i++)
		b->refusal[i] = (char)(text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?');
	b->refusal[len] = 0;
}

int edge_before_expect(struct edge *e, enum takeover_kind kind, struct takeover_record *r)
{
	int rc = takeover_receive(e->before.fd, r);

	if (rc == 0 && r->head.kind != kind) {
		rc = r->head.kind == TAKEOVER_REFUSED ? -ECANCELED : -EPROTO;
		if (rc == -ECANCELED)
			refusal_keep(&e->before, r->body, r->head.len);
		takeover_record_free(r);
	}
	return rc;
}

bool edge_before_refused(struct edge *e)
{
	struct edge_before *b = &e->before;
	uint8_t text[sizeof(b->refusal)];
	ssize_t n = b->word_fd >= 0 ? read(b->word_fd, text, sizeof(text)) : 0;

	if (n > 0)
		refusal_keep(b, text, (size_t)n);
	return n > 0;
}

bool edge_before_has_died(int rc)
{
	return rc == -EPIPE || rc == -ECONNRESET;
}

static int welcome_receive(struct edge *e)
{
	const struct takeover_hello hello = {
		.layout_version = TP_LAYOUT_VERSION, .pid = (uint32_t)getpid()};
	struct edge_before *b = &e->before;
	struct takeover_record r;
	int rc = takeover_send(b->fd, TAKEOVER_HELLO, &hello, sizeof(hello), -1);

	if (rc == 0)
		rc = edge_before_expect(e, TAKEOVER_WELCOME, &r);
	if (rc < 0)
		return rc;
	memcpy(&b->welcome, r.body, sizeof(b->welcome));
	b->word_fd = r.fd;
	r.fd = -1;
	takeover_record_free(&r);
	if (b->word_fd < 0 || b->welcome.n_threads == 0 ||
		b->welcome.n_threads > TP_EDGE_THREADS_MAX || b->welcome.n_sockets > (1u << 17))
		return -EPROTO;
	b->sockets = calloc(b->welcome.n_sockets + 1, sizeof(*b->sockets));
	return b->sockets == NULL ? -ENOMEM : 0;
}

static int sockets_receive(struct edge *e)
{
	struct edge_before *b = &e->before;
	int rc = 0;

	for (uint32_t i = 0; i < b->welcome.n_sockets && rc == 0; i++) {
		struct takeover_socket socket;
		struct takeover_record r;

		rc = edge_before_expect(e, TAKEOVER_SOCKET, &r);
		if (rc < 0)
			break;
		memcpy(&socket, r.body, sizeof(socket));
		b->sockets[b->n_sockets++] = (struct serve_socket){
			.addr = socket.addr, .thread = socket.thread, .fd = r.fd};
		r.fd = -1;
		takeover_record_free(&r);
	}
	return rc;
}

int edge_before_find(struct edge *e)
{
	struct edge_before *b = &e->before;
	int rc;

	if (!e->options.take_over)
		return 0;
	b->fd = takeover_connect(e->place.run_directory, user_of(e));
	if (b->fd == -ENOENT || b->fd == -ECONNREFUSED) {
		b->fd = -1;
		return 0;
	}
	if (b->fd < 0) {
		rc = b->fd;
		b->fd = -1;
		return edge_before_failed(e, rc);
	}
	rc = welcome_receive(e);
	if (rc == 0)
		rc = sockets_receive(e);
	if (rc < 0 && edge_before_refused(e))
		rc = -ECANCELED;
	b->died = edge_before_has_died(rc);
	if (rc < 0 && !b->died)
		return edge_before_failed(e, rc);
	if (b->died)
		edge_before_channel_close(b);
	if (b->welcome.n_threads == 0)
		return 0;
	if (e->conf->edge.threads != b->welcome.n_threads)
		log_event(LOG_EV_CONFIG_WARNING,
			LOG_FIELDS(log_str("key", "edge.threads"),
				log_str("problem", "a process that takes over keeps their number"),
				log_u64("threads", b->welcome.n_threads),
				log_str("remedy", "restart turnpike-edge")));
	e->conf->edge.threads = b->welcome.n_threads;
	return 0;
}
