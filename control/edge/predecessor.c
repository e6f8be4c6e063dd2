// SPDX-License-Identifier: BSD-3-Clause
// Hands listening sockets and connections to the next process, and serves those that stay. Until
// it has said that it has taken all, nothing has changed but that the threads were paused.
#include "edge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/clock.h>
#include <proc/start.h>

#define PATIENCE_NS (60 * TP_NS_PER_S) // between finding this process and taking over
#define TELL_MS	    1000u	       // for the last reports

int edge_next_open(struct edge *e)
{
	e->next_listen_fd = takeover_listen(
		e->next_path, e->place.run_directory, e->before.fd >= 0 ? TAKEOVER_LATER : "");
	return e->next_listen_fd < 0 ? e->next_listen_fd : 0;
}

int edge_next_rename(struct edge *e)
{
	char path[TAKEOVER_PATH_SIZE];
	size_t len = strlen(e->next_path) - strlen(TAKEOVER_LATER);

	memcpy(path, e->next_path, len);
	path[len] = 0;
	if (rename(e->next_path, path) < 0)
		return -errno;
	memcpy(e->next_path, path, len + 1);
	return 0;
}

static void next_close(struct edge *e)
{
	if (e->next_fd >= 0)
		close(e->next_fd);
	if (e->next_word_fd >= 0)
		close(e->next_word_fd);
	e->next_fd = e->next_word_fd = -1;
}

void edge_next_close(struct edge *e)
{
	if (e->next_listen_fd >= 0) {
		close(e->next_listen_fd);
		(void)unlink(e->next_path);
	}
	next_close(e);
	e->next_listen_fd = -1;
}

static void refuse(struct edge *e, const char *problem)
{
	log_event(LOG_EV_EDGE_TAKE_OVER_FAILED,
		LOG_FIELDS(log_str("problem", problem),
			log_str("state", "this process goes on as before")));
	if (e->next_fd < 0)
		return;
	// The channel may be full, or stand in the middle of a record.
	if (e->next_word_fd >= 0)
		(void)!write(e->next_word_fd, problem, strlen(problem));
	else
		(void)takeover_send(e->next_fd, TAKEOVER_REFUSED, problem, strlen(problem), -1);
	next_close(e);
}

static const char *problem_of(int rc)
{
	switch (rc) {
	case -EPIPE:
	case -ECONNRESET:
		return "the next process ended";
	case -EPROTONOSUPPORT:
		return "the next process has another version of the take-over; restart the edge "
		       "instead";
	case -EPROTO:
		return "the other side is no turnpike-edge";
	case -EMFILE:
	case -ENFILE:
		return "too few descriptors: each session of TLS or DTLS that stays needs one";
	case -EAGAIN:
		return "the next process is too slow";
	default:
		return "a system call failed";
	}
}

// ---- the greeting -------------------------------------------------------------------------------

static bool socket_send(void *ctx, const struct tp_addr *addr, unsigned thread, int fd)
{
	const struct edge *e = ctx;
	const struct takeover_socket body = {.addr = *addr, .thread = thread};

	return takeover_send(e->next_fd, TAKEOVER_SOCKET, &body, sizeof(body), fd) == 0;
}

static int welcome_send(struct edge *e)
{
	const struct takeover_welcome body = {.pid = (uint32_t)getpid(),
		.n_threads = e->conf->edge.threads,
		.connections_max = edge_link_connections_max(e->link),
		.n_sockets = (uint32_t)serve_sockets_show(e->serve, NULL, NULL)};
	int word[2], rc;

	if (pipe2(word, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	rc = takeover_send(e->next_fd, TAKEOVER_WELCOME, &body, sizeof(body), word[0]);
	close(word[0]);
	e->next_word_fd = word[1];
	if (rc == 0 && serve_sockets_show(e->serve, socket_send, e) < 0)
		rc = -EPIPE;
	return rc;
}

static const char *hello_judge(const struct takeover_record *r)
{
	struct takeover_hello hello;

	if (r->head.kind != TAKEOVER_HELLO)
		return problem_of(-EPROTO);
	memcpy(&hello, r->body, sizeof(hello));
	return hello.layout_version == TP_LAYOUT_VERSION
		       ? NULL
		       : "the next process has another layout of the segment; restart all "
			 "processes instead";
}

static void greet(struct edge *e)
{
	struct takeover_record r;
	const char *problem;
	uid_t uid;
	int rc;

	e->next_fd = takeover_accept(e->next_listen_fd, &uid);
	if (e->next_fd == -EPERM)
		log_event(LOG_EV_EDGE_TAKE_OVER_FAILED,
			LOG_FIELDS(log_str("problem", "asked by another user"), log_u64("uid", uid),
				log_str("state", "this process goes on as before")));
	if (e->next_fd < 0) {
		e->next_fd = -1;
		return;
	}
	e->next_ns = e->now_ns;
	e->next_is_stale = false;
	rc = takeover_receive(e->next_fd, &r);
	problem = rc < 0 ? problem_of(rc) : hello_judge(&r);
	if (rc == 0)
		takeover_record_free(&r);
	if (problem == NULL) {
		rc = welcome_send(e);
		problem = rc < 0 ? problem_of(rc) : NULL;
	}
	if (problem != NULL)
		refuse(e, problem);
}

// ---- handing over -------------------------------------------------------------------------------

static int descriptor_send(
	struct edge *e, enum takeover_descriptor_kind kind, unsigned index, int fd)
{
	const struct takeover_descriptor body = {.kind = kind, .index = index};

	return fd < 0 ? 0 : takeover_send(e->next_fd, TAKEOVER_DESCRIPTOR, &body, sizeof(body), fd);
}

static int link_send(struct edge *e)
{
	static struct edge_link_parts p;
	static struct {
		struct takeover_link link;
		struct tp_session_listener items[TP_SESSION_LISTENERS_MAX];
	} body;
	int rc;

	if (!edge_link_hand(e->link, &p))
		return -EBUSY;
	body.link = (struct takeover_link){.pair_id = p.pair_id,
		.dataplane = p.dataplane,
		.n_listeners = p.n_listeners,
		.session = p.session_fd >= 0 ? TP_SESSION_MAGIC : 0};
	memcpy(body.items, p.listeners, p.n_listeners * sizeof(p.listeners[0]));
	rc = takeover_send(e->next_fd, TAKEOVER_LINK, &body,
		sizeof(body.link) + p.n_listeners * sizeof(body.items[0]), -1);
	if (rc == 0)
		rc = descriptor_send(e, TAKEOVER_SESSION, 0, p.session_fd);
	if (rc == 0)
		rc = descriptor_send(e, TAKEOVER_WAKING, 0, p.waking_fd);
	if (rc == 0)
		rc = descriptor_send(e, TAKEOVER_WAKE, 0, p.wake_fd);
	for (unsigned i = 0; i < p.n_threads && rc == 0; i++)
		rc = descriptor_send(e, TAKEOVER_TIMER, i, p.timer_fds[i]);
	return rc;
}

static bool relay_send(void *ctx, const struct edge_relay_moved *m, int fd)
{
	struct edge *e = ctx;

	e->next_rc = takeover_send(e->next_fd, TAKEOVER_RELAY, m, sizeof(*m), fd);
	return e->next_rc == 0;
}

static bool connection_send(void *ctx, const uint8_t *bytes, size_t len, int fd, int far)
{
	struct edge *e = ctx;
	int rc = len <= TAKEOVER_BODY_MAX ? 0 : -EMSGSIZE;

	if (rc == 0 && far >= 0)
		rc = takeover_send(e->next_fd, TAKEOVER_FAR, NULL, 0, far);
	if (rc == 0)
		rc = takeover_send(e->next_fd, TAKEOVER_CONNECTION, bytes, len, fd);
	// Threads call it, too, when nobody asks for the reason.
	if (!e->draining)
		e->next_rc = rc;
	return rc == 0;
}

static int taken_await(struct edge *e)
{
	struct takeover_record r;
	int rc = takeover_receive(e->next_fd, &r);

	if (rc < 0)
		return rc;
	rc = r.head.kind == TAKEOVER_TAKEN ? 0 : -EPROTO;
	takeover_record_free(&r);
	return rc;
}

static int all_send(struct edge *e, const struct serve_next *to)
{
	int rc = link_send(e), n;

	e->next_rc = 0;
	if (rc == 0 && !edge_relay_show(e->relay, relay_send, e))
		rc = e->next_rc;
	n = rc == 0 ? serve_hand(e->serve, to) : 0;
	if (n < 0)
		rc = e->next_rc < 0 ? e->next_rc : errno != 0 ? -errno : -ENOMEM;
	for (unsigned i = 0; i < e->before.n_drains && rc == 0; i++)
		rc = descriptor_send(e, TAKEOVER_DRAINS, i, e->before.drains[i]);
	// Last: a successor that can't be told that it is refused has no lock, and ends.
	if (rc == 0)
		rc = descriptor_send(e, TAKEOVER_ROLE, 0, e->role_fd);
	if (rc == 0) {
		struct takeover_end end = {.n_connections = (uint32_t)n};

		serve_cookie_key(e->serve, end.cookie_key);
		rc = takeover_send(e->next_fd, TAKEOVER_END, &end, sizeof(end), -1);
		explicit_bzero(&end, sizeof(end));
	}
	return rc == 0 ? taken_await(e) : rc;
}

static void leave(struct edge *e, const struct serve_next *to)
{
	unsigned n = serve_leave(e->serve, to);

	edge_relay_leave(e->relay);
	// The ends of those that could not stay, which may be more than the socket takes.
	(void)edge_link_tell(e->link, TELL_MS);
	ctl_server_destroy(e->ctl);
	e->ctl = NULL;
	close(e->next_listen_fd);
	(void)unlink(e->next_path);
	e->next_listen_fd = -1;
	edge_link_leave(e->link);
	edge_before_leave(e);
	// The lock is the next process's.
	close(e->role_fd);
	e->role_fd = -1;
	e->draining = true;
	e->drain_ns = proc_now_ns() + e->conf->edge.drain_s * TP_NS_PER_S;
	log_event(LOG_EV_EDGE_TAKEN_OVER,
		LOG_FIELDS(log_str("part", "before"), log_u64("connections", n),
			log_u64("stay", serve_connections(e->serve)),
			log_u64("drain_s", e->conf->edge.drain_s)));
}

static void hand_over(struct edge *e)
{
	const struct serve_next to = {.ctx = e, .connection = connection_send};
	int rc;

	serve_pause(e->serve);
	// This process reports those that have ended until now.
	edge_relay_poll(e->relay, e->now_ns);
	rc = all_send(e, &to);
	if (rc == 0) {
		leave(e, &to);
		rc = takeover_send(e->next_fd, TAKEOVER_YOURS, NULL, 0, -1);
	} else {
		serve_stay(e->serve);
		refuse(e, rc == -EBUSY ? "turnpike-control does not read; try again"
				       : problem_of(rc));
		rc = 0;
	}
	if (serve_resume(e->serve) < 0)
		e->failed = e->stopping = true;
	if (rc < 0)
		edge_next_died(e);
}

void edge_next_died(struct edge *e)
{
	log_event(LOG_EV_EDGE_TAKE_OVER_FAILED,
		LOG_FIELDS(log_str("problem", "the next process ended after it had taken over"),
			log_str("state", "this process ends too, so that another is started")));
	e->failed = e->stopping = true;
}

void edge_next_poll(struct edge *e)
{
	struct takeover_record r;
	int rc;

	if (e->next_listen_fd < 0)
		return;
	if (e->next_fd < 0) {
		greet(e);
		return;
	}
	if (e->now_ns > e->next_ns + PATIENCE_NS) {
		refuse(e, problem_of(-EAGAIN));
		return;
	}
	if (!takeover_has_come(e->next_fd))
		return;
	rc = takeover_receive(e->next_fd, &r);
	if (rc < 0) {
		refuse(e, problem_of(rc));
		return;
	}
	if (r.head.kind != TAKEOVER_GO)
		refuse(e, problem_of(-EPROTO));
	else if (e->next_is_stale)
		refuse(e, "the configuration was read again meanwhile; try again");
	else
		hand_over(e);
	takeover_record_free(&r);
}
