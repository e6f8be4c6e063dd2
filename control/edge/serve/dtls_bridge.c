// SPDX-License-Identifier: BSD-3-Clause
// A session of DTLS can't move to the next process. So it stays in this one, which goes on to
// encrypt and decrypt, and all else of the association moves: the datagrams come by the rings,
// which are the next process's, and it hands them over. Each association has a pair of sockets, so
// that it passes on once more as a descriptor, and its end is the end of the pair. A full pair
// loses packets, as a network does; nobody waits.
#include "association.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BRIDGE_PACKETS	64u // of one association in a turn
#define PARTING_NS	TP_NS_PER_S
#define PARTING_LOOKS	20u // at the end of a thread
#define PARTING_LOOK_NS 10000000

// ---- packets ------------------------------------------------------------------------------------

void bridge_send(
	struct association *a, const struct takeover_packet *head, const uint8_t *bytes, size_t len)
{
	const struct iovec parts[] = {
		{(void *)(uintptr_t)head, sizeof(*head)}, {(void *)(uintptr_t)bytes, len}};
	const struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = 2};

	if (sendmsg(a->pair_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		SERVE_COUNT(a->all->thread, datagrams_full, 1);
}

// The other process has ended it.
static void over(struct association *a, uint32_t reason)
{
	enum serve_close why =
		a->place == ASSOCIATION_SESSION ? SERVE_CLOSE_stopping : SERVE_CLOSE_drained;

	switch (reason) {
	case TAKEOVER_BY_CLIENT:
		why = SERVE_CLOSE_client;
		break;
	case TAKEOVER_BY_HANDSHAKE:
		why = SERVE_CLOSE_handshake;
		break;
	case TAKEOVER_REPLACED:
		why = SERVE_CLOSE_replaced;
		break;
	default:
		break;
	}
	association_close(a, why);
}

// It may be closed then.
static void packet_take(
	struct association *a, const struct takeover_packet *head, const uint8_t *bytes, size_t len)
{
	const struct edge_link_way way = {.next_hop = head->next_hop, .tag = head->tag};
	bool is_client = a->place == ASSOCIATION_CLIENT;

	if (head->kind == TAKEOVER_OVER)
		over(a, head->reason);
	else if (len == 0)
		SERVE_COUNT(a->all->thread, datagrams_stray, 1);
	else if (head->kind == TAKEOVER_DATAGRAM && is_client)
		association_send(a, bytes, len);
	else if (head->kind == TAKEOVER_DATAGRAM)
		association_feed(a, &way, bytes, len);
	else if (head->kind != TAKEOVER_MESSAGE)
		SERVE_COUNT(a->all->thread, datagrams_stray, 1);
	else if (!is_client && dtls_send(a->dtls, bytes, len) < 0)
		SERVE_COUNT(a->all->thread, datagrams_full, 1);
	else if (is_client && !association_deliver(a, &way, bytes, len))
		association_close(a, a->fault);
}

void bridge_event(struct association *a)
{
	struct takeover_packet head;
	uint8_t *bytes = a->all->thread->scratch;

	for (unsigned i = 0; i < BRIDGE_PACKETS && a->pair_fd >= 0; i++) {
		struct iovec parts[] = {{&head, sizeof(head)}, {bytes, SERVE_SCRATCH}};
		struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
		ssize_t n = recvmsg(a->pair_fd, &m, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		// The other one has left packets of ours unread; its own are still there.
		if (n < 0 && errno == ECONNRESET)
			continue;
		if (n < (ssize_t)sizeof(head) && a->parts)
			association_drop(a);
		else if (n < (ssize_t)sizeof(head))
			over(a, TAKEOVER_BY_PROCESS);
		else if (!a->parts)
			packet_take(a, &head, bytes, (size_t)n - sizeof(head));
		else if (head.kind == TAKEOVER_DATAGRAM)
			association_send(a, bytes, (size_t)n - sizeof(head));
	}
}

// ---- the end ------------------------------------------------------------------------------------

static enum takeover_reason reason_of(enum serve_close why)
{
	switch (why) {
	case SERVE_CLOSE_client:
		return TAKEOVER_BY_CLIENT;
	case SERVE_CLOSE_handshake:
		return TAKEOVER_BY_HANDSHAKE;
	case SERVE_CLOSE_replaced:
		return TAKEOVER_REPLACED;
	default:
		return TAKEOVER_BY_PROCESS;
	}
}

bool bridge_end(struct association *a, enum serve_close why)
{
	const struct takeover_packet head = {.kind = TAKEOVER_OVER, .reason = reason_of(why)};
	const struct iovec part = {(void *)(uintptr_t)&head, sizeof(head)};
	const struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)&part, .msg_iovlen = 1};

	if (a->place == ASSOCIATION_WHOLE || a->pair_fd < 0)
		return false;
	// Where the other process has ended it, it has closed its end, or is about to.
	a->parts = sendmsg(a->pair_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 &&
		   a->place == ASSOCIATION_CLIENT;
	return a->parts;
}

void association_drop(struct association *a)
{
	dtls_destroy(a->dtls);
	if (a->pair_fd >= 0)
		thread_close(a->all->thread, a->pair_fd);
	a->pair_fd = -1;
	association_time(a, &a->all->dead);
}

uint64_t bridges_expire(struct associations *all)
{
	while (!ds_list_is_empty(&all->parting)) {
		struct association *a = DS_CONTAINER(all->parting.next, struct association, timed);

		if (a->since_ns + PARTING_NS > all->thread->now_ns)
			return a->since_ns + PARTING_NS;
		association_drop(a);
	}
	return UINT64_MAX;
}

void bridges_end(struct associations *all)
{
	const struct timespec pause = {.tv_nsec = PARTING_LOOK_NS};

	for (unsigned i = 0; i < PARTING_LOOKS && !ds_list_is_empty(&all->parting); i++) {
		struct ds_list *k = all->parting.next;

		while (k != &all->parting) {
			struct association *a = DS_CONTAINER(k, struct association, timed);

			k = k->next;
			bridge_event(a);
		}
		edge_link_flush(all->thread->link);
		if (!ds_list_is_empty(&all->parting))
			(void)nanosleep(&pause, NULL);
	}
	while (!ds_list_is_empty(&all->parting))
		association_drop(DS_CONTAINER(all->parting.next, struct association, timed));
}

// ---- the process before -------------------------------------------------------------------------

static bool each(struct associations *all, bool (*call)(struct association *, void *), void *ctx)
{
	struct ds_list *lists[] = {&all->shaking, &all->idle};

	for (size_t i = 0; i < TP_ARRAY_LEN(lists); i++) {
		struct ds_list *k = lists[i]->next;

		while (k != lists[i]) {
			struct association *a = DS_CONTAINER(k, struct association, timed);

			k = k->next;
			if (!call(a, ctx))
				return false;
		}
	}
	return true;
}

static bool form_send(const struct association *a, int fd, const struct serve_next *to)
{
	struct takeover_association state = {.next_hop = a->way.next_hop, .tag = a->way.tag};
	struct takeover_connection form = {
		.listener = a->local,
		.remote = a->key.remote,
		.connection = a->connection,
		.thread = a->all->thread->number,
		.listener_id = a->key.listener_id,
		.state = a->connection != 0 ? TAKEOVER_OPEN : TAKEOVER_BEGUN,
		.flags = TAKEOVER_DTLS,
		.blobs[TAKEOVER_ASSOCIATION] = {(const uint8_t *)&state, sizeof(state)},
	};
	uint8_t *bytes = malloc(takeover_connection_size(&form));
	bool sent;

	if (bytes == NULL)
		return false;
	memcpy(state.random, a->random, sizeof(state.random));
	takeover_connection_write(&form, bytes);
	sent = to->connection(to->ctx, bytes, takeover_connection_size(&form), fd, -1);
	free(bytes);
	return sent;
}

struct handing {
	const struct serve_next *to;
	unsigned *n;
};

static bool hand_call(struct association *a, void *ctx)
{
	struct handing *h = ctx;
	int fds[2] = {-1, a->pair_fd};

	if (a->place == ASSOCIATION_WHOLE &&
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return false;
	a->moves = form_send(a, fds[1], h->to);
	if (a->place == ASSOCIATION_WHOLE) {
		close(fds[1]);
		a->pair_fd = fds[0];
	}
	if (a->moves)
		(*h->n)++;
	else if (a->place == ASSOCIATION_WHOLE) {
		close(a->pair_fd);
		a->pair_fd = -1;
	}
	return a->moves;
}

bool associations_hand(struct associations *all, const struct serve_next *to, unsigned *n)
{
	struct handing h = {.to = to, .n = n};

	return each(all, hand_call, &h);
}

static bool stay_call(struct association *a, void *ctx)
{
	(void)ctx;
	if (a->moves && a->place == ASSOCIATION_WHOLE) {
		close(a->pair_fd);
		a->pair_fd = -1;
	}
	a->moves = false;
	return true;
}

void associations_stay(struct associations *all)
{
	(void)each(all, stay_call, NULL);
}

static bool watch(struct association *a)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = &a->client};

	return epoll_ctl(a->all->thread->epoll_fd, EPOLL_CTL_ADD, a->pair_fd, &e) == 0;
}

// Lets go of an association whose session is in a process before this one: the next one has the
// rest.
static void forget(struct association *a)
{
	association_leave(a);
	association_drop(a);
}

static bool leave_call(struct association *a, void *ctx)
{
	unsigned *n = ctx;

	*n += a->moves;
	a->moves = false;
	if (a->place == ASSOCIATION_CLIENT) {
		forget(a);
		return true;
	}
	a->place = ASSOCIATION_SESSION;
	a->connection = 0;
	if (!watch(a))
		association_close(a, SERVE_CLOSE_memory);
	return true;
}

void associations_leave(struct associations *all, unsigned *n)
{
	(void)each(all, leave_call, n);
	bridges_end(all);
}

// ---- the next process ---------------------------------------------------------------------------

static bool is_served(const struct serve *s, const struct tp_addr *local)
{
	for (size_t i = 0; i < s->n_dtls_served; i++) {
		if (tp_addr_equal(&s->dtls_ports[i].addr, local))
			return !s->dtls_ports[i].is_removed;
	}
	return false;
}

static bool link_take(struct association *a, const struct takeover_connection *f)
{
	if (f->connection == 0)
		return true;
	if (!edge_link_adopt(
		    a->all->thread->link, f->connection, f->listener_id, &f->remote, 0, &a->client))
		return false;
	a->connection = f->connection;
	return true;
}

void association_take(struct serve_thread *t, const struct takeover_connection *f, int fd)
{
	const struct association_key key = {.remote = f->remote, .listener_id = f->listener_id};
	struct associations *all = t->associations;
	struct association *a = association_find(all, &key) != NULL
					? NULL
					: association_create(all, &key, &f->listener,
						  f->connection != 0 ? &all->idle : &all->shaking);
	struct takeover_association state;
	bool right, served;

	if (a == NULL) {
		close(fd);
		return;
	}
	memcpy(&state, f->blobs[TAKEOVER_ASSOCIATION].bytes, sizeof(state));
	memcpy(a->random, state.random, sizeof(a->random));
	a->way = (struct edge_link_way){.next_hop = state.next_hop, .tag = state.tag};
	a->place = ASSOCIATION_CLIENT;
	a->pair_fd = fd;
	pthread_mutex_lock(&t->serve->lock);
	a->admitted = admit_restore(t->serve->admit, &a->key.remote);
	pthread_mutex_unlock(&t->serve->lock);
	right = link_take(a, f) && watch(a);
	served = is_served(t->serve, &f->listener);
	SERVE_COUNT(t, taken, 1);
	if (right && served)
		return;
	// Not yet: where the session is in a process before the last one it would end at once, and
	// the last one serves the client on if this process is refused.
	a->fault = served ? SERVE_CLOSE_memory : SERVE_CLOSE_removed;
	association_time(a, &all->refused);
}
