// SPDX-License-Identifier: BSD-3-Clause
#include <ctl/server.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <log/log.h>

#include "call.h"
#include "connection.h"
#include "listen.h"

#define EVENTS_MAX	32
#define ACCEPTS_MAX	16u
#define LISTEN_TAG	UINT32_MAX
// Where all places are taken, a connection that has been idle for this long gives way.
#define EVICTABLE_NS	TP_NS_PER_S
// Where the kernel has no descriptor left even for a refusal, the next attempt.
#define ACCEPT_PAUSE_NS TP_NS_PER_S

struct ctl_server {
	struct ctl_server_conf conf;
	char *instance; // in the hello; NULL: none
	struct ctl_server_counters counters;
	struct sockaddr_un address;
	int listen_fd;
	int epoll_fd;
	int spare_fd; // closed to refuse a connection at the descriptor limit; -1: in use
	uint64_t paused_until_ns; // the listening socket is not watched; 0: it is
	unsigned n_clients;
	struct ctl_connection *clients; // conf.max_clients places
};

// ---- life -------------------------------------------------------------------------------------

static void spare_take(struct ctl_server *s)
{
	if (s->spare_fd < 0)
		s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int epoll_add(struct ctl_server *s, int fd, uint32_t tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int handlers_check(const struct ctl_server_conf *conf)
{
	for (size_t i = 0; i < conf->n_handlers; i++) {
		if (ctl_command_find(conf->handlers[i].command) == NULL)
			return -EINVAL;
	}
	return 0;
}

int ctl_server_create(const struct ctl_server_conf *conf, struct ctl_server **out)
{
	struct ctl_server *s;
	int rc = handlers_check(conf);

	if (rc < 0)
		return rc;
	if (strlen(conf->path) >= sizeof(s->address.sun_path))
		return -ENAMETOOLONG;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->conf = *conf;
	s->conf.path = s->conf.group = s->conf.instance = NULL; // the caller's
	s->listen_fd = -1;
	if (conf->instance != NULL && (s->instance = strdup(conf->instance)) == NULL) {
		free(s);
		return -ENOMEM;
	}
	s->address.sun_family = AF_UNIX;
	strcpy(s->address.sun_path, conf->path);
	s->spare_fd = -1;
	spare_take(s);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->clients = calloc(conf->max_clients, sizeof(*s->clients));
	if (s->epoll_fd < 0 || s->clients == NULL) {
		rc = s->epoll_fd < 0 ? -errno : -ENOMEM;
		goto err_server;
	}
	for (unsigned i = 0; i < conf->max_clients; i++)
		s->clients[i].fd = -1;
	rc = ctl_address_clear(&s->address);
	if (rc < 0)
		goto err_server;
	rc = ctl_listen_open(&s->address, conf->group, &s->listen_fd);
	if (rc == 0)
		rc = epoll_add(s, s->listen_fd, LISTEN_TAG);
	if (rc < 0)
		goto err_listen;
	*out = s;
	return 0;

err_listen:
	if (s->listen_fd >= 0)
		close(s->listen_fd);
err_server:
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s->clients);
	free(s->instance);
	free(s);
	return rc;
}

int ctl_server_rename(struct ctl_server *s, const char *path)
{
	if (strlen(path) >= sizeof(s->address.sun_path))
		return -ENAMETOOLONG;
	if (rename(s->address.sun_path, path) < 0)
		return -errno;
	strcpy(s->address.sun_path, path);
	return 0;
}

void ctl_server_destroy(struct ctl_server *s)
{
	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		if (s->clients[i].fd >= 0)
			ctl_connection_close(&s->clients[i]);
	}
	unlink(s->address.sun_path);
	close(s->listen_fd);
	close(s->epoll_fd);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s->clients);
	free(s->instance);
	free(s);
}

// ---- clients ----------------------------------------------------------------------------------

static void client_end(struct ctl_server *s, struct ctl_connection *c)
{
	ctl_connection_close(c);
	s->n_clients--;
}

// The events to wait for: room in the socket while output is pending or a request has been read
// already, else the next request.
static void client_watch(struct ctl_server *s, struct ctl_connection *c, uint64_t now_ns)
{
	const char *text;
	size_t len;
	bool has_work =
		ctl_connection_has_output(c) || c->busy || ctl_connection_peek(c, &text, &len) != 0;
	uint32_t wanted = has_work ? EPOLLOUT : EPOLLIN;
	struct epoll_event e = {.events = wanted, .data.u32 = (uint32_t)(c - s->clients)};

	if (wanted == EPOLLOUT && c->waiting_since_ns == 0)
		c->waiting_since_ns = now_ns;
	if (wanted == c->events)
		return;
	c->events = wanted;
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

// One step: send; then the next part of an open call; then the next request.
static int client_step(struct ctl_server *s, struct ctl_connection *c, uint64_t now_ns)
{
	const char *text;
	size_t len;
	int rc = ctl_connection_flush(c);

	if (rc < 0 || ctl_connection_has_output(c))
		return rc;
	if (c->closing)
		return -ESHUTDOWN;
	if (!c->busy) {
		rc = ctl_connection_fill(c, now_ns);
		if (rc < 0)
			return rc;
		rc = ctl_connection_peek(c, &text, &len);
		if (rc <= 0)
			return rc;
		rc = ctl_call_open(c, &s->conf, text, len, now_ns);
		ctl_connection_skip(c);
		if (rc < 0)
			return rc;
		s->counters.requests++;
	}
	rc = ctl_call_step(c, s->conf.ctx, now_ns);
	return rc < 0 ? rc : ctl_connection_flush(c);
}

static void client_serve(struct ctl_server *s, struct ctl_connection *c, uint64_t now_ns)
{
	int rc;

	c->idle_since_ns = now_ns;
	// The socket has room again: the client reads.
	if (c->events == EPOLLOUT)
		c->waiting_since_ns = 0;
	rc = client_step(s, c, now_ns);
	if (rc == -EMSGSIZE || rc == -EBADMSG || rc == -ENOMEM)
		s->counters.dropped++;
	if (rc < 0) {
		client_end(s, c);
		return;
	}
	client_watch(s, c, now_ns);
}

static json_t *hello_make(const struct ctl_server *s, bool full)
{
	json_t *hello = json_pack("{s:i, s:s, s:i}", "turnpike", (int)TP_CTL_VERSION, "version",
		s->conf.version, "layout", (int)s->conf.layout_version);

	if (hello != NULL && s->instance != NULL)
		json_object_set_new(hello, "instance", json_string(s->instance));
	if (hello != NULL && full)
		json_object_set_new(hello, "error",
			json_pack("{s:s, s:s, s:s}", "code", "busy", "message",
				"too many operators are connected", "remedy",
				"close another connection and try again"));
	return hello;
}

static void refusal_log(const char *reason, const char *remedy, const struct ctl_connection *c)
{
	log_event(LOG_EV_OPERATOR_REFUSED,
		LOG_FIELDS(log_str("reason", reason), log_str("remedy", remedy),
			log_i64("pid", c != NULL ? c->pid : 0),
			log_i64("uid", c != NULL ? (int64_t)c->uid : -1)));
}

// A connection without a request, an unread answer or a begun frame.
static bool client_is_idle(const struct ctl_connection *c)
{
	return c->fd >= 0 && !c->busy && !c->closing && c->in_len == 0 &&
	       !ctl_connection_has_output(c);
}

// Ends the connection that has been idle for the longest time, and for EVICTABLE_NS at least.
static bool idle_evict(struct ctl_server *s, uint64_t now_ns)
{
	struct ctl_connection *longest = NULL;

	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		struct ctl_connection *c = &s->clients[i];

		if (client_is_idle(c) && now_ns >= c->idle_since_ns + EVICTABLE_NS &&
			(longest == NULL || c->idle_since_ns < longest->idle_since_ns))
			longest = c;
	}
	if (longest == NULL)
		return false;
	s->counters.evicted++;
	client_end(s, longest);
	return true;
}

static struct ctl_connection *place_find(struct ctl_server *s)
{
	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	}
	return NULL;
}

// Whether a client of this user is served. The last place is for the refusal, the one before for
// uid 0.
static bool place_is_for(struct ctl_server *s, uint32_t uid, uint64_t now_ns)
{
	unsigned places = s->conf.max_clients - (uid == 0 ? 1 : 2);

	return s->n_clients < places || (idle_evict(s, now_ns) && s->n_clients < places);
}

static void client_accept(struct ctl_server *s, int fd, uint64_t now_ns)
{
	struct ctl_connection opened, *c;
	bool served;
	json_t *hello;
	int rc;

	if (ctl_connection_open(&opened, fd) < 0)
		return;
	served = place_is_for(s, opened.uid, now_ns);
	c = place_find(s);
	s->counters.refused += !served;
	if (!served)
		refusal_log(
			"too many operators are connected", "close another connection", &opened);
	if (c == NULL) {
		ctl_connection_close(&opened);
		return;
	}
	*c = opened;
	s->n_clients++;
	s->counters.accepted++;
	c->closing = !served;
	c->events = EPOLLIN;
	c->idle_since_ns = now_ns;
	hello = hello_make(s, !served);
	rc = hello == NULL ? -ENOMEM : ctl_connection_put(c, hello);
	json_decref(hello);
	if (rc == 0)
		rc = epoll_add(s, fd, (uint32_t)(c - s->clients));
	if (rc < 0)
		client_end(s, c);
	else
		client_serve(s, c, now_ns);
}

static void accept_pause(struct ctl_server *s, uint64_t now_ns)
{
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->listen_fd, NULL) == 0)
		s->paused_until_ns = now_ns + ACCEPT_PAUSE_NS;
}

static void accept_resume(struct ctl_server *s, uint64_t now_ns)
{
	if (s->paused_until_ns == 0 || now_ns < s->paused_until_ns)
		return;
	spare_take(s);
	if (epoll_add(s, s->listen_fd, LISTEN_TAG) == 0)
		s->paused_until_ns = 0;
}

// At the descriptor limit the socket stays readable, and the loop would spin: the spare descriptor
// takes the connection and refuses it. Without one the socket is left alone for a while.
static bool accept_refuse(struct ctl_server *s, uint64_t now_ns)
{
	bool empty;
	int fd;

	if (s->spare_fd >= 0)
		close(s->spare_fd);
	s->spare_fd = -1;
	fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	empty = fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	if (fd >= 0)
		close(fd);
	spare_take(s);
	if (empty)
		return false;
	s->counters.refused++;
	refusal_log("no descriptor is free", "raise the limit of open files (LimitNOFILE=)", NULL);
	if (fd >= 0 && s->spare_fd >= 0)
		return true;
	accept_pause(s, now_ns);
	return false;
}

static void clients_accept(struct ctl_server *s, uint64_t now_ns)
{
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		bool scarce =
			errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;

		if (fd >= 0)
			client_accept(s, fd, now_ns);
		else if (!scarce || !accept_refuse(s, now_ns))
			return;
	}
}

int ctl_server_fd(const struct ctl_server *s)
{
	return s->epoll_fd;
}

void ctl_server_poll(struct ctl_server *s, uint64_t now_ns)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
	bool accepting = false;

	for (int i = 0; i < n; i++) {
		if (events[i].data.u32 == LISTEN_TAG)
			accepting = true;
		else
			client_serve(s, &s->clients[events[i].data.u32], now_ns);
	}
	// Last: a place freed above must not be mistaken for its next client's.
	if (accepting)
		clients_accept(s, now_ns);
}

// When the connection exhausts the patience or has been idle for too long.
static uint64_t client_deadline(const struct ctl_server *s, const struct ctl_connection *c)
{
	if (c->fd < 0)
		return UINT64_MAX;
	if (c->waiting_since_ns != 0)
		return c->waiting_since_ns + s->conf.patience_ns;
	if (s->conf.idle_ns != 0 && client_is_idle(c))
		return c->idle_since_ns + s->conf.idle_ns;
	return UINT64_MAX;
}

void ctl_server_advance(struct ctl_server *s, uint64_t now_ns)
{
	accept_resume(s, now_ns);
	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		struct ctl_connection *c = &s->clients[i];

		if (now_ns < client_deadline(s, c))
			continue;
		if (c->waiting_since_ns != 0)
			s->counters.dropped++;
		else
			s->counters.evicted++;
		client_end(s, c);
	}
}

uint64_t ctl_server_deadline(const struct ctl_server *s)
{
	uint64_t first = s->paused_until_ns != 0 ? s->paused_until_ns : UINT64_MAX;

	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		uint64_t next = client_deadline(s, &s->clients[i]);

		first = next < first ? next : first;
	}
	return first;
}

const struct ctl_server_counters *ctl_server_get_counters(const struct ctl_server *s)
{
	return &s->counters;
}
