// SPDX-License-Identifier: BSD-3-Clause
#include <service/service.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_MAX 64u // of one connection at a time

static int watch(const struct service_socket *k, int fd, uint32_t tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int service_socket_init(struct service_socket *k, int listen_fd, int epoll_fd, uid_t control)
{
	*k = (struct service_socket){
		.listen_fd = listen_fd, .epoll_fd = epoll_fd, .control = control};
	for (unsigned i = 0; i < SERVICE_CONNECTIONS_MAX; i++)
		k->connections[i].fd = -1;
	return watch(k, listen_fd, SERVICE_TAG_LISTEN);
}

static void connection_end(struct service_connection *c)
{
	close(c->fd);
	c->fd = -1;
}

void service_socket_fini(struct service_socket *k)
{
	for (unsigned i = 0; i < SERVICE_CONNECTIONS_MAX; i++) {
		if (k->connections[i].fd >= 0)
			connection_end(&k->connections[i]);
	}
	close(k->listen_fd);
}

// The control process's user, root, or our own: never the data plane's.
static bool peer_may_ask(const struct service_socket *k, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	return peer.uid == k->control || peer.uid == 0 || peer.uid == geteuid();
}

// The oldest connection gives way where all are taken.
static struct service_connection *connection_room(struct service_socket *k)
{
	struct service_connection *oldest = &k->connections[0];

	for (unsigned i = 0; i < SERVICE_CONNECTIONS_MAX; i++) {
		struct service_connection *c = &k->connections[i];

		if (c->fd < 0)
			return c;
		if (k->generation - c->generation > k->generation - oldest->generation)
			oldest = c;
	}
	connection_end(oldest);
	return oldest;
}

static void connection_accept(struct service_socket *k)
{
	int fd = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct service_connection *c;

	if (fd < 0)
		return;
	if (!peer_may_ask(k, fd)) {
		k->refused++;
		close(fd);
		return;
	}
	c = connection_room(k);
	c->fd = fd;
	c->generation = ++k->generation;
	if (watch(k, fd, SERVICE_TAG_LISTEN + 1 + (uint32_t)(c - k->connections)) < 0)
		connection_end(c);
}

static void connection_serve(
	struct service_socket *k, uint32_t index, struct service *s, uint64_t now_ns)
{
	struct service_connection *c = &k->connections[index];
	const struct service_return to = {.connection = index, .generation = c->generation};
	struct tp_lookup_ask m;

	for (unsigned i = 0; i < MESSAGES_MAX && c->fd >= 0; i++) {
		ssize_t n = recv(c->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0 && tp_lookup_ask_is_whole(&m, (size_t)n)) {
			service_ask(s, &to, &m, now_ns);
			continue;
		}
		k->bad += n > 0;
		connection_end(c);
	}
}

void service_socket_serve(
	struct service_socket *k, uint32_t tag, struct service *s, uint64_t now_ns)
{
	uint32_t index = tag - SERVICE_TAG_LISTEN - 1;

	if (tag == SERVICE_TAG_LISTEN)
		connection_accept(k);
	else if (index < SERVICE_CONNECTIONS_MAX && k->connections[index].fd >= 0)
		connection_serve(k, index, s, now_ns);
}

static bool answer_send(const struct service_connection *c, const struct service_answer *a)
{
	const void *message = a->keys != NULL ? (const void *)a->keys : &a->message;
	size_t size = a->keys != NULL ? tp_lookup_keys_size(a->keys) : sizeof(a->message);

	return send(c->fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

void service_socket_answer(struct service_socket *k, struct service *s)
{
	struct service_answer answer;

	while (service_next(s, &answer)) {
		const struct service_connection *c = &k->connections[answer.to.connection];

		if (c->fd < 0 || c->generation != answer.to.generation || !answer_send(c, &answer))
			k->lost++;
		service_answer_end(&answer);
	}
}
