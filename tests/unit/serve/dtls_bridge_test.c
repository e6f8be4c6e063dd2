// SPDX-License-Identifier: BSD-3-Clause
// Associations of DTLS pass from one process to the next, and their sessions stay.
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <cmocka.h>

#include "association.h"
#include "dtls_client.h"

#define LEGS	  8u // of a message between processes
#define PROCESSES 3u

// Processes that were taken over in turn; the last one has the clients.
struct row {
	struct world worlds[PROCESSES];
	unsigned n;
	bool refuses; // the next process can't be told
	struct dtls_client client;
	uint64_t connection; // handle of the client in all of them; 0: the first one has none
};

static struct world *last(struct row *r)
{
	return &r->worlds[r->n - 1];
}

static bool pass(void *ctx, const uint8_t *bytes, size_t len, int fd, int far)
{
	struct row *r = ctx;

	assert_int_equal(far, -1);
	return !r->refuses &&
	       serve_take(last(r)->serve, bytes, len, fcntl(fd, F_DUPFD_CLOEXEC, 0), -1);
}

// The next process takes over from the last one.
static void hand_over(struct row *r, int expected)
{
	const struct serve_next to = {.ctx = r, .connection = pass};
	struct world *before = last(r);
	uint8_t key[DTLS_COOKIE_KEY_LEN];

	world_next(&r->worlds[r->n++], before);
	assert_int_equal(serve_hand(before->serve, &to), expected);
	assert_int_equal(serve_leave(before->serve, &to), expected);
	serve_cookie_key(before->serve, key);
	serve_cookie_key_set(last(r)->serve, key);
}

static void carry(struct row *r, struct dtls_client *c)
{
	for (unsigned leg = 0; leg < LEGS; leg++) {
		dtls_client_carry(last(r), c);
		for (unsigned i = 0; i + 1 < r->n; i++)
			world_turns(&r->worlds[i], 1);
	}
}

static void shakes(struct row *r, struct dtls_client *c)
{
	for (unsigned i = 0; i < DTLS_ROUNDS && !SSL_is_init_finished(c->ssl); i++) {
		(void)SSL_do_handshake(c->ssl);
		carry(r, c);
	}
	assert_true(SSL_is_init_finished(c->ssl));
}

static void says(struct row *r)
{
	struct dtls_client *c = &r->client;
	unsigned before = c->n_messages;

	assert_int_equal(SSL_write(c->ssl, world_media, sizeof(world_media)), sizeof(world_media));
	carry(r, c);
	assert_int_equal(c->n_messages, before + 1);
	assert_int_equal(c->message.connection, r->connection);
	assert_int_equal(c->message.len, WORLD_MEDIA_LEN);
	assert_memory_equal(c->message.data, world_media, WORLD_MEDIA_LEN);
}

static void client_hears(struct row *r, struct dtls_client *c, uint64_t connection)
{
	uint8_t bytes[64];

	world_put(last(r), connection, world_media, WORLD_MEDIA_LEN);
	carry(r, c);
	assert_int_equal(SSL_read(c->ssl, bytes, sizeof(bytes)), WORLD_MEDIA_LEN);
	assert_memory_equal(bytes, world_media, WORLD_MEDIA_LEN);
	assert_int_equal(c->astray, 0);
}

static void hears(struct row *r)
{
	client_hears(r, &r->client, r->connection);
}

static bool is_told_the_end(struct row *r)
{
	uint8_t bytes[64];
	int n = SSL_read(r->client.ssl, bytes, sizeof(bytes));

	return n <= 0 && SSL_get_error(r->client.ssl, n) == SSL_ERROR_ZERO_RETURN;
}

// One process, and a client that has begun nothing.
static void start(struct row *r)
{
	*r = (struct row){.n = 1};
	world_start(&r->worlds[0], "");
	dtls_client_start(&r->client, 4660);
}

static void start_talking(struct row *r)
{
	start(r);
	dtls_client_shake(&r->worlds[0], &r->client);
	dtls_client_say(&r->worlds[0], &r->client, world_media, sizeof(world_media));
	r->connection = r->client.message.connection;
}

static void start_handed_over(struct row *r)
{
	start_talking(r);
	hand_over(r, 1);
}

// Each process before still has the handle, which in truth is the same as that of the next.
static void stop(struct row *r)
{
	dtls_client_stop(&r->client);
	for (unsigned i = r->n; i-- > 0;) {
		if (i + 1 < r->n && r->connection != 0)
			edge_link_close(edge_link_thread(r->worlds[i].link, 0), r->connection);
		if (i > 0)
			world_next_stop(&r->worlds[i]);
		else
			world_stop(&r->worlds[0]);
	}
}

static void messages_go_on(void **state)
{
	struct row r;

	(void)state;
	start_handed_over(&r);
	assert_int_equal(serve_connections(r.worlds[0].serve), 1);
	assert_int_equal(serve_connections(r.worlds[1].serve), 1);
	assert_int_equal(world_counters(&r.worlds[1]).taken, 1);
	says(&r);
	hears(&r);
	// Its way changes.
	r.client.way.next_hop = 50;
	says(&r);
	hears(&r);
	SSL_shutdown(r.client.ssl);
	carry(&r, &r.client);
	assert_int_equal(world_closes(&r.worlds[0], SERVE_CLOSE_client), 1);
	assert_int_equal(world_closes(&r.worlds[1], SERVE_CLOSE_client), 1);
	assert_int_equal(serve_connections(r.worlds[0].serve), 0);
	assert_int_equal(fake_edge_open(r.worlds[1].link), 0);
	stop(&r);
}

// A message for it is under way meanwhile, which the process before does not read any more.
static void the_last_word_is_heard(void **state)
{
	struct row r;

	(void)state;
	start_handed_over(&r);
	SSL_shutdown(r.client.ssl);
	dtls_client_carry(&r.worlds[1], &r.client);
	world_put(&r.worlds[1], r.connection, world_media, WORLD_MEDIA_LEN);
	world_turns(&r.worlds[1], 2);
	carry(&r, &r.client);
	assert_int_equal(world_closes(&r.worlds[1], SERVE_CLOSE_client), 1);
	stop(&r);
}

// The session stays in the first process of three; the second one has nothing of it any more.
static void it_passes_on_twice(void **state)
{
	struct row r;

	(void)state;
	start_handed_over(&r);
	says(&r);
	hand_over(&r, 1);
	assert_int_equal(serve_connections(r.worlds[0].serve), 1);
	assert_int_equal(serve_connections(r.worlds[1].serve), 0);
	assert_int_equal(serve_connections(r.worlds[2].serve), 1);
	says(&r);
	hears(&r);
	stop(&r);
}

// The flights are those of the process before, the first message registers with the next one.
static void a_handshake_goes_on(void **state)
{
	struct row r;

	(void)state;
	start(&r);
	for (unsigned i = 0; i < 2; i++) {
		(void)SSL_do_handshake(r.client.ssl);
		dtls_client_carry(&r.worlds[0], &r.client);
	}
	assert_false(SSL_is_init_finished(r.client.ssl));
	assert_int_equal(serve_connections(r.worlds[0].serve), 1);
	hand_over(&r, 1);
	shakes(&r, &r.client);
	assert_int_equal(world_counters(&r.worlds[0]).handshakes, 1);
	assert_int_equal(
		SSL_write(r.client.ssl, world_media, sizeof(world_media)), sizeof(world_media));
	carry(&r, &r.client);
	assert_int_equal(r.client.n_messages, 1);
	assert_int_equal(fake_edge_open(r.worlds[1].link), 1);
	assert_int_equal(fake_edge_open(r.worlds[0].link), 0);
	client_hears(&r, &r.client, r.client.message.connection);
	stop(&r);
}

// It has a cookie and nothing else: a second one it would take for the first one again.
static void a_cookie_is_good_in_the_next_process(void **state)
{
	struct row r;

	(void)state;
	start(&r);
	(void)SSL_do_handshake(r.client.ssl);
	dtls_client_carry(&r.worlds[0], &r.client);
	assert_int_equal(world_counters(&r.worlds[0]).cookies, 1);
	hand_over(&r, 0);
	shakes(&r, &r.client);
	assert_int_equal(world_counters(&r.worlds[1]).cookies, 0);
	stop(&r);
}

static void a_failure_changes_nothing(void **state)
{
	struct row r;

	(void)state;
	start_talking(&r);
	r.refuses = true;
	assert_int_equal(
		serve_hand(r.worlds[0].serve, &(struct serve_next){.ctx = &r, .connection = pass}),
		-1);
	serve_stay(r.worlds[0].serve);
	says(&r);
	hears(&r);
	r.refuses = false;
	hand_over(&r, 1);
	says(&r);
	stop(&r);
}

// It is the next process's from its ClientHello on, and is not told the end of the one before.
static void a_client_begins_anew(void **state)
{
	struct dtls_client new;
	struct row r;

	(void)state;
	start_handed_over(&r);
	dtls_client_start(&new, 4660);
	shakes(&r, &new);
	assert_int_equal(world_closes(&r.worlds[0], SERVE_CLOSE_replaced), 1);
	assert_int_equal(world_closes(&r.worlds[1], SERVE_CLOSE_replaced), 1);
	assert_int_equal(serve_connections(r.worlds[0].serve), 0);
	assert_int_equal(SSL_write(new.ssl, world_media, sizeof(world_media)), sizeof(world_media));
	carry(&r, &new);
	assert_int_equal(new.n_messages, 1);
	assert_true(new.message.connection != r.connection);
	client_hears(&r, &new, new.message.connection);
	dtls_client_stop(&new);
	stop(&r);
}

// After edge.drain.
static void the_end_of_the_process_before_is_told(void **state)
{
	struct row r;

	(void)state;
	start_handed_over(&r);
	thread_end(r.worlds[0].serve->threads[0]);
	carry(&r, &r.client);
	assert_true(is_told_the_end(&r));
	assert_int_equal(world_closes(&r.worlds[1], SERVE_CLOSE_drained), 1);
	assert_int_equal(serve_connections(r.worlds[1].serve), 0);
	assert_int_equal(fake_edge_open(r.worlds[1].link), 0);
	stop(&r);
}

// Killed: nobody can tell the client.
static void the_death_of_the_process_before_is_seen(void **state)
{
	struct association *a;
	struct row r;

	(void)state;
	start_handed_over(&r);
	a = DS_CONTAINER(
		r.worlds[0].serve->threads[0]->associations->idle.next, struct association, timed);
	close(a->pair_fd);
	a->pair_fd = -1;
	carry(&r, &r.client);
	assert_false(is_told_the_end(&r));
	assert_int_equal(world_closes(&r.worlds[1], SERVE_CLOSE_drained), 1);
	assert_int_equal(fake_edge_open(r.worlds[1].link), 0);
	stop(&r);
}

// The next process ends it by its own time, and the process before says so to the client.
static void time_ends_it_in_the_next_process(void **state)
{
	struct serve_thread *t;
	struct row r;

	(void)state;
	start_handed_over(&r);
	t = r.worlds[0].serve->threads[0];
	t->now_ns += r.worlds[0].serve->times.idle_ns + TP_NS_PER_S;
	assert_int_equal(associations_expire(t->associations), UINT64_MAX);
	says(&r);
	t = r.worlds[1].serve->threads[0];
	t->now_ns += r.worlds[1].serve->times.idle_ns + TP_NS_PER_S;
	(void)associations_expire(t->associations);
	assert_int_equal(world_closes(&r.worlds[1], SERVE_CLOSE_idle_timeout), 1);
	assert_int_equal(fake_edge_open(r.worlds[1].link), 0);
	carry(&r, &r.client);
	assert_true(is_told_the_end(&r));
	assert_int_equal(serve_connections(r.worlds[0].serve), 0);
	assert_true(ds_list_is_empty(&t->associations->parting));
	stop(&r);
}

// A process before that is stopped holds nothing up: what finds no room is lost and counted.
static void a_full_pair_loses(void **state)
{
	struct row r;

	(void)state;
	start_handed_over(&r);
	for (unsigned i = 0; i < 4000; i++) {
		world_put(&r.worlds[1], r.connection, world_media, WORLD_MEDIA_LEN);
		world_turns(&r.worlds[1], 1);
	}
	assert_true(world_counters(&r.worlds[1]).datagrams_full > 0);
	for (unsigned i = 0; i < 100; i++)
		world_turns(&r.worlds[0], 1);
	carry(&r, &r.client);
	says(&r);
	stop(&r);
}

// Packets of another process that no edge of this version sends.
static void strange_packets_end_nothing(void **state)
{
	static const struct takeover_packet strange[] = {
		{.kind = 0}, {.kind = 77}, {.kind = TAKEOVER_DATAGRAM}, {.kind = TAKEOVER_MESSAGE}};
	struct association *a;
	struct row r;

	(void)state;
	start_handed_over(&r);
	for (unsigned side = 0; side < 2; side++) {
		a = DS_CONTAINER(r.worlds[side].serve->threads[0]->associations->idle.next,
			struct association, timed);
		for (size_t i = 0; i < TP_ARRAY_LEN(strange); i++)
			assert_int_equal(send(a->pair_fd, &strange[i], sizeof(strange[i]), 0),
				sizeof(strange[i]));
		for (size_t i = 0; i < 2; i++) {
			struct takeover_packet with[2] = {strange[i], strange[i]};

			assert_int_equal(send(a->pair_fd, with, sizeof(with), 0), sizeof(with));
		}
	}
	carry(&r, &r.client);
	assert_true(world_counters(&r.worlds[0]).datagrams_stray >= 6);
	assert_true(world_counters(&r.worlds[1]).datagrams_stray >= 6);
	says(&r);
	hears(&r);
	stop(&r);
}

// The configuration of the next process has no such listener.
static void a_removed_listener_ends_it(void **state)
{
	struct row r;

	(void)state;
	start_talking(&r);
	world_next(&r.worlds[r.n++], &r.worlds[0]);
	r.worlds[1].serve->dtls_ports[0].is_removed = true;
	{
		const struct serve_next to = {.ctx = &r, .connection = pass};

		assert_int_equal(serve_hand(r.worlds[0].serve, &to), 1);
		assert_int_equal(serve_leave(r.worlds[0].serve, &to), 1);
	}
	carry(&r, &r.client);
	assert_true(is_told_the_end(&r));
	assert_int_equal(world_closes(&r.worlds[1], SERVE_CLOSE_removed), 1);
	assert_int_equal(fake_edge_open(r.worlds[1].link), 0);
	stop(&r);
}

// The last process keeps a client whose session is in the one before it.
static void a_process_that_is_refused_ends_nothing(void **state)
{
	struct epoll_event event;
	struct serve_next to;
	struct row r;

	(void)state;
	start_handed_over(&r);
	to = (struct serve_next){.ctx = &r, .connection = pass};
	world_next(&r.worlds[r.n++], &r.worlds[1]);
	r.worlds[2].serve->dtls_ports[0].is_removed = true;
	assert_int_equal(serve_hand(r.worlds[1].serve, &to), 1);
	serve_stay(r.worlds[1].serve);
	r.n--;
	says(&r);
	hears(&r);
	assert_int_equal(serve_connections(r.worlds[0].serve), 1);
	// It has the descriptor still, but no events of it come here after the end.
	SSL_shutdown(r.client.ssl);
	carry(&r, &r.client);
	assert_int_equal(serve_connections(r.worlds[1].serve), 0);
	assert_int_equal(epoll_wait(r.worlds[1].serve->threads[0]->epoll_fd, &event, 1, 0), 0);
	r.n++;
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_go_on),
		cmocka_unit_test(the_last_word_is_heard),
		cmocka_unit_test(it_passes_on_twice),
		cmocka_unit_test(a_handshake_goes_on),
		cmocka_unit_test(a_cookie_is_good_in_the_next_process),
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(a_client_begins_anew),
		cmocka_unit_test(the_end_of_the_process_before_is_told),
		cmocka_unit_test(the_death_of_the_process_before_is_seen),
		cmocka_unit_test(time_ends_it_in_the_next_process),
		cmocka_unit_test(a_full_pair_loses),
		cmocka_unit_test(strange_packets_end_nothing),
		cmocka_unit_test(a_removed_listener_ends_it),
		cmocka_unit_test(a_process_that_is_refused_ends_nothing),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
