// SPDX-License-Identifier: BSD-3-Clause
#include <ctl/server.h>

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "call.h"
#include "client.h"

#define EVENTS_MAX  32
#define ACCEPTS_MAX 16u
#define LISTEN_TAG  UINT32_MAX

struct ctl_server {
	struct ctl_server_conf conf;
	struct ctl_server_counters counters;
	struct sockaddr_un address;
	int listen_fd;
	int epoll_fd;
	unsigned n_clients;
	struct ctl_client *clients; // conf.max_clients places
};

// ---- the socket -------------------------------------------------------------------------------

// A socket file nobody listens on is a left-over.
static int address_clear(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (lstat(address->sun_path, &st) < 0)
		rc = errno == ENOENT ? 0 : -errno;
	else if (!S_ISSOCK(st.st_mode))
		rc = -EEXIST;
	else if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		 errno == EAGAIN)
		rc = -EADDRINUSE;
	else if (unlink(address->sun_path) < 0 && errno != ENOENT)
		rc = -errno;
	close(fd);
	return rc;
}

static int listen_open(struct ctl_server *s)
{
	const struct group *group = s->conf.group == NULL ? NULL : getgrnam(s->conf.group);
	mode_t mask;
	int rc;

	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0)
		return -errno;
	mask = umask(0117);
	rc = bind(s->listen_fd, (const struct sockaddr *)&s->address, sizeof(s->address));
	rc = rc < 0 ? -errno : 0;
	umask(mask);
	if (rc < 0)
		return rc;
	// Without the privilege the group stays that of the process, which may be the one meant.
	if (group != NULL && lchown(s->address.sun_path, (uid_t)-1, group->gr_gid) < 0 &&
		errno != EPERM)
		return -errno;
	if (listen(s->listen_fd, 16) < 0)
		return -errno;
	return 0;
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
	s->listen_fd = -1;
	s->address.sun_family = AF_UNIX;
	strcpy(s->address.sun_path, conf->path);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->clients = calloc(conf->max_clients, sizeof(*s->clients));
	if (s->epoll_fd < 0 || s->clients == NULL) {
		rc = s->epoll_fd < 0 ? -errno : -ENOMEM;
		goto err_server;
	}
	for (unsigned i = 0; i < conf->max_clients; i++)
		s->clients[i].fd = -1;
	rc = address_clear(&s->address);
	if (rc < 0)
		goto err_server;
	rc = listen_open(s);
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
	free(s->clients);
	free(s);
	return rc;
}

void ctl_server_destroy(struct ctl_server *s)
{
	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		if (s->clients[i].fd >= 0)
			ctl_client_close(&s->clients[i]);
	}
	unlink(s->address.sun_path);
	close(s->listen_fd);
	close(s->epoll_fd);
	free(s->clients);
	free(s);
}

// ---- clients ----------------------------------------------------------------------------------

static void client_end(struct ctl_server *s, struct ctl_client *c)
{
	ctl_client_close(c);
	s->n_clients--;
}

// What to wait for: room in the socket while there is something to send or a request that was read
// already, else the next request.
static void client_watch(struct ctl_server *s, struct ctl_client *c, uint64_t now_ns)
{
	const char *text;
	size_t len;
	bool has_work = ctl_client_has_output(c) || c->busy || ctl_client_peek(c, &text, &len) != 0;
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
static int client_step(struct ctl_server *s, struct ctl_client *c, uint64_t now_ns)
{
	const char *text;
	size_t len;
	int rc = ctl_client_flush(c);

	if (rc < 0 || ctl_client_has_output(c))
		return rc;
	if (c->closing)
		return -ESHUTDOWN;
	if (!c->busy) {
		rc = ctl_client_fill(c, now_ns);
		if (rc < 0)
			return rc;
		rc = ctl_client_peek(c, &text, &len);
		if (rc <= 0)
			return rc;
		rc = ctl_call_open(c, &s->conf, text, len, now_ns);
		ctl_client_skip(c);
		if (rc < 0)
			return rc;
		s->counters.requests++;
	}
	rc = ctl_call_step(c, s->conf.ctx, now_ns);
	return rc < 0 ? rc : ctl_client_flush(c);
}

static void client_serve(struct ctl_server *s, struct ctl_client *c, uint64_t now_ns)
{
	int rc;

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

	if (hello != NULL && full)
		json_object_set_new(hello, "error",
			json_pack("{s:s, s:s, s:s}", "code", "busy", "message",
				"too many operators are connected", "remedy",
				"close another connection and try again"));
	return hello;
}

static void client_accept(struct ctl_server *s, int fd, uint64_t now_ns)
{
	bool full = s->n_clients + 1 >= s->conf.max_clients;
	struct ctl_client *c = s->clients;
	json_t *hello;
	int rc;

	// The last place is for telling the next one why not.
	while (c->fd >= 0) {
		if (++c == s->clients + s->conf.max_clients) {
			s->counters.refused++;
			close(fd);
			return;
		}
	}
	if (ctl_client_open(c, fd) < 0)
		return;
	s->n_clients++;
	s->counters.accepted++;
	s->counters.refused += full;
	c->closing = full;
	c->events = EPOLLIN;
	hello = hello_make(s, full);
	rc = hello == NULL ? -ENOMEM : ctl_client_put(c, hello);
	json_decref(hello);
	if (rc == 0)
		rc = epoll_add(s, fd, (uint32_t)(c - s->clients));
	if (rc < 0)
		client_end(s, c);
	else
		client_serve(s, c, now_ns);
}

static void clients_accept(struct ctl_server *s, uint64_t now_ns)
{
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		client_accept(s, fd, now_ns);
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

void ctl_server_advance(struct ctl_server *s, uint64_t now_ns)
{
	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		struct ctl_client *c = &s->clients[i];

		if (c->fd >= 0 && c->waiting_since_ns != 0 &&
			now_ns >= c->waiting_since_ns + s->conf.patience_ns) {
			s->counters.dropped++;
			client_end(s, c);
		}
	}
}

uint64_t ctl_server_deadline(const struct ctl_server *s)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < s->conf.max_clients; i++) {
		const struct ctl_client *c = &s->clients[i];

		if (c->fd >= 0 && c->waiting_since_ns != 0 &&
			c->waiting_since_ns + s->conf.patience_ns < first)
			first = c->waiting_since_ns + s->conf.patience_ns;
	}
	return first;
}

const struct ctl_server_counters *ctl_server_get_counters(const struct ctl_server *s)
{
	return &s->counters;
}
