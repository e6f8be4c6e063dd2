// SPDX-License-Identifier: BSD-3-Clause
// The loop of one thread.
#include "association.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define WAIT_MS	   1000

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void on_message(void *ctx, void *owner, uint64_t connection, const uint8_t *data, size_t len)
{
	struct serve_client *client = owner;
	struct conn *c;

	(void)ctx;
	if (client->by_datagrams) {
		association_push(client, connection, data, len);
		return;
	}
	c = DS_CONTAINER(client, struct conn, client);
	if (c->connection == connection)
		conn_push(c, data, len);
}

static void on_datagram(void *ctx, uint16_t listener_id, const struct tp_addr *remote,
	const struct edge_link_way *way, const uint8_t *data, size_t len)
{
	struct serve_thread *t = ctx;

	association_datagram(t->associations, listener_id, remote, way, data, len);
}

void thread_now(struct serve_thread *t)
{
	t->now_ns = now_ns();
}

void thread_mail(struct serve_thread *t)
{
	join_mail(t);
	ports_leave(t);
}

void thread_close(struct serve_thread *t, int fd)
{
	if (t->serve->shown)
		(void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static int wait_ms(const struct serve_thread *t, uint64_t due_ns)
{
	if (due_ns <= t->now_ns)
		return 0;
	if (due_ns - t->now_ns > WAIT_MS * TP_NS_PER_MS)
		return WAIT_MS;
	return (int)((due_ns - t->now_ns) / TP_NS_PER_MS) + 1;
}

static struct serve_port *port_of(struct serve *s, const void *ptr)
{
	const struct serve_port *p = ptr;

	return p >= s->ports && p < s->ports + SERVE_PORTS_MAX ? &s->ports[p - s->ports] : NULL;
}

// Events of the ports, of the link and of the stop name these by their addresses; every other event
// names the struct serve_client of a connection or an association. False: the thread ends.
static bool event_take(struct serve_thread *t, const struct epoll_event *e)
{
	struct serve_port *p = port_of(t->serve, e->data.ptr);

	if (e->data.ptr == &t->stop_fd)
		return false;
	if (e->data.ptr == &t->mail_fd) {
		thread_mail(t);
	} else if (p != NULL) {
		listen_accept(t, p);
	} else if (e->data.ptr != &t->link) {
		struct serve_client *client = e->data.ptr;

		if (client->by_datagrams)
			bridge_event(DS_CONTAINER(client, struct association, client));
		else
			conn_event(DS_CONTAINER(client, struct conn, client), e->events);
	}
	return true;
}

// Serves those in the list; connections that come back to it wait for the next turn.
static void list_take(struct ds_list *now, struct ds_list *list)
{
	ds_list_init(now);
	if (ds_list_is_empty(list))
		return;
	*now = *list;
	now->next->prev = now;
	now->prev->next = now;
	ds_list_init(list);
}

static void messages_take(struct serve_thread *t)
{
	const struct edge_link_receiver receiver = {
		.ctx = t, .message = on_message, .datagram = on_datagram};

	(void)edge_link_poll(t->link, SERVE_MESSAGES, &receiver);
}

// A write costs more than all else of a message. So the rings are emptied between writes, too: a
// worker finds room, and what comes for a connection meanwhile goes out in one write.
static void dirty_flush(struct serve_thread *t)
{
	struct ds_list now;
	unsigned n = 0;

	list_take(&now, &t->dirty);
	while (!ds_list_is_empty(&now)) {
		conn_flush(DS_CONTAINER(now.next, struct conn, dirty));
		if (++n % SERVE_WRITES == 0)
			messages_take(t);
	}
}

// Everything that is there for the thread, once.
static void work(struct serve_thread *t)
{
	struct ds_list now;

	list_take(&now, &t->again);
	while (!ds_list_is_empty(&now))
		conn_read_again(DS_CONTAINER(now.next, struct conn, again));
	pace_serve(t);
	messages_take(t);
	dirty_flush(t);
	edge_link_want(t->link, t->held_workers);
	edge_link_flush(t->link);
	conn_reap(t);
	associations_reap(t->associations);
}

// Lets messages gather where there are many. The workers' rings are short, and are emptied
// meanwhile.
static void rest(struct serve_thread *t)
{
	const struct serve_counters *c = &t->counters;
	struct gather_count count;
	uint64_t ns;

	while ((ns = gather_wait_ns(&t->gather, t->now_ns)) > 0) {
		const struct timespec pause = {
			.tv_nsec = (long)(ns < SERVE_REST_NS ? ns : SERVE_REST_NS)};

		(void)nanosleep(&pause, NULL);
		t->now_ns = now_ns();
		messages_take(t);
	}
	count.calls = c->reads + c->writes;
	count.messages = c->messages_in + c->messages_out;
	count.handshakes = c->handshakes;
	gather_begin(&t->gather, t->now_ns, &count);
}

bool thread_turn(struct serve_thread *t, bool may_wait)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t due_ns, flights_ns;
	bool going = true, sleeps;
	int n;

	t->now_ns = now_ns();
	if (may_wait)
		rest(t);
	due_ns = conn_expire(t);
	flights_ns = associations_expire(t->associations);
	due_ns = flights_ns < due_ns ? flights_ns : due_ns;
	due_ns = t->paced_ns < due_ns ? t->paced_ns : due_ns;
	conn_reap(t);
	// Messages of the expiry do not wait for the next event.
	edge_link_flush(t->link);
	sleeps = may_wait && ds_list_is_empty(&t->again) && ds_list_is_empty(&t->dirty) &&
		 edge_link_sleep(t->link);
	n = epoll_wait(t->epoll_fd, events, EVENTS_MAX, sleeps ? wait_ms(t, due_ns) : 0);
	if (sleeps)
		edge_link_wake(t->link);
	t->now_ns = now_ns();
	hold_serve(t);
	for (int i = 0; i < n; i++)
		going &= event_take(t, &events[i]);
	work(t);
	return going;
}

void thread_end(struct serve_thread *t)
{
	struct ds_list *lists[] = {&t->unnamed, &t->young, &t->idle, &t->binding, &t->joined};

	join_mail(t);

	for (size_t i = 0; i < TP_ARRAY_LEN(lists); i++) {
		while (!ds_list_is_empty(lists[i]))
			conn_close(DS_CONTAINER(lists[i]->next, struct conn, timed),
				SERVE_CLOSE_stopping);
	}
	associations_end(t->associations);
	edge_link_flush(t->link);
	conn_reap(t);
	associations_reap(t->associations);
}

void *thread_run(void *arg)
{
	struct serve_thread *t = arg;
	bool begins;

	pthread_mutex_lock(&t->serve->gate);
	begins = !t->serve->waiting;
	pthread_mutex_unlock(&t->serve->gate);
	if (!begins)
		return NULL;
	while (thread_turn(t, true))
		;
	if (!t->serve->paused)
		thread_end(t);
	return NULL;
}
