// SPDX-License-Identifier: BSD-3-Clause
// Data connections (RFC 6062): a client's connection that asked to be one waits for the answer
// without being read, since bytes for the peer may follow. Orders come from the main thread, to the
// thread of the client's connection.
#include "internal.h"

#include <stdlib.h>
#include <unistd.h>

#include <turnpike/entry.h>

// An order: with `fd` to join, without one to part; with key 0 a connection of another process,
// whose form the data are.
struct mail {
	struct mail *next;
	uint64_t key;
	uint64_t connection;
	int fd; // -1: none
	struct meter *meter;
	size_t len;
	uint8_t data[];
};

void serve_on_joined(struct serve *s, const struct serve_joined *joined)
{
	s->joined = *joined;
}

static struct serve_thread *thread_of(struct serve *s, uint64_t connection)
{
	uint32_t number = tp_egress_thread(tp_connection_egress(connection));

	return tp_connection_valid(connection) && number < s->n_threads ? s->threads[number] : NULL;
}

static bool mail_put(struct serve_thread *t, const struct mail *head, const uint8_t *data)
{
	static const uint64_t one = 1;
	struct mail *m = t != NULL ? malloc(sizeof(*m) + head->len) : NULL;

	if (m == NULL)
		return false;
	*m = *head;
	if (head->len > 0)
		memcpy(m->data, data, head->len);
	pthread_mutex_lock(&t->mail_lock);
	*t->mail_last = m;
	t->mail_last = &m->next;
	pthread_mutex_unlock(&t->mail_lock);
	(void)!write(t->mail_fd, &one, sizeof(one));
	return true;
}

// The order is in vain.
static void join_refuse(struct serve *s, uint64_t key, int fd, struct meter *meter)
{
	close(fd);
	meter_unref(meter);
	s->joined.ended(s->joined.ctx, key, 0, 0);
}

void serve_join(struct serve *s, uint64_t key, uint64_t connection, int fd, struct meter *meter,
	const uint8_t *data, size_t len)
{
	const struct mail m = {
		.key = key, .connection = connection, .fd = fd, .meter = meter, .len = len};

	if (mail_put(thread_of(s, connection), &m, data))
		return;
	join_refuse(s, key, fd, meter);
}

bool join_taken(struct serve_thread *t, const uint8_t *bytes, size_t len, int fd)
{
	const struct mail m = {.fd = fd, .len = len};

	return mail_put(t, &m, bytes);
}

void serve_part(struct serve *s, uint64_t key, uint64_t connection)
{
	const struct mail m = {.key = key, .connection = connection, .fd = -1};

	(void)mail_put(thread_of(s, connection), &m, NULL);
}

// ---- the thread ---------------------------------------------------------------------------------

// The connection that an order is for: one that is joined, or one that waits to be.
static struct conn *conn_find(struct serve_thread *t, uint64_t connection, bool joined)
{
	struct serve_client *client = edge_link_owner_of(t->link, connection);
	struct conn *c;

	if (client == NULL || client->by_datagrams)
		return NULL;
	c = DS_CONTAINER(client, struct conn, client);
	return (joined ? c->state == CONN_PASS : c->binding) ? c : NULL;
}

static void taken_obey(struct serve_thread *t, const struct mail *m)
{
	struct takeover_connection form;

	// A handle can't be taken while others are given out.
	if (takeover_connection_read(&form, m->data, m->len) && form.connection == 0 &&
		form.state != TAKEOVER_PASS)
		hand_take(t, &form, m->fd, -1);
	else
		close(m->fd);
}

static void mail_obey(struct serve_thread *t, const struct mail *m)
{
	struct conn *c;

	if (m->key == 0) {
		taken_obey(t, m);
		return;
	}
	c = conn_find(t, m->connection, m->fd < 0);
	if (m->fd < 0 && c != NULL) {
		conn_close(c, SERVE_CLOSE_data);
	} else if (c != NULL) {
		pass_join(c, m->key, m->fd, m->meter, m->data, m->len);
	} else if (m->fd >= 0) {
		join_refuse(t->serve, m->key, m->fd, m->meter);
	}
}

void join_mail(struct serve_thread *t)
{
	struct mail *m;
	uint64_t count;

	(void)!read(t->mail_fd, &count, sizeof(count));
	pthread_mutex_lock(&t->mail_lock);
	m = t->mail;
	t->mail = NULL;
	t->mail_last = &t->mail;
	pthread_mutex_unlock(&t->mail_lock);
	while (m != NULL) {
		struct mail *next = m->next;

		mail_obey(t, m);
		free(m);
		m = next;
	}
}

// ---- the client's connection --------------------------------------------------------------------

bool join_is_asked(const struct conn *c, const uint8_t *message, size_t len)
{
	return c->ws == NULL && len >= 2 && tp_load_be16(message) == CONNECTION_BIND;
}

bool join_wait(struct conn *c, const uint8_t *bytes, size_t len)
{
	uint8_t *kept = malloc(len < WIRE_PARTIAL_MAX ? WIRE_PARTIAL_MAX : len);

	if (kept == NULL)
		return false;
	if (len > 0)
		memcpy(kept, bytes, len);
	free(c->partial);
	c->partial = kept;
	c->n_partial = (uint32_t)len;
	c->binding = true;
	conn_time(c, &c->thread->binding);
	conn_events_want(c, c->writable_wanted);
	return c->fd >= 0;
}

// It was refused: messages followed.
void join_refused(struct conn *c)
{
	struct serve_thread *t = c->thread;
	size_t kept = c->n_partial;

	c->binding = false;
	conn_time(c, &t->idle);
	conn_events_want(c, c->writable_wanted);
	if (c->fd < 0)
		return;
	// One of another process may have no room for any.
	if (kept > 0)
		memcpy(t->scratch, c->partial, kept);
	if (conn_bytes(c, t->scratch, kept, 0) && !c->binding && stream_holds(c) &&
		ds_list_is_empty(&c->again))
		ds_list_add(&t->again, &c->again);
}
