// SPDX-License-Identifier: BSD-3-Clause
// Messages of streams that come before the report of their connection.
#include "world.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <turnpike/entry.h>

struct edge {
	struct world w;
	unsigned again;
	int epoll_fd;
	int fd; // the edge's
};

static void on_again(void *ctx)
{
	((struct edge *)ctx)->again++;
}

static void on_lost(void *ctx)
{
	(void)ctx;
}

static struct edge *edge_begin(void)
{
	struct edge *f = calloc(1, sizeof(*f));
	const struct link_edge_handler handler = {.ctx = f, .again = on_again, .lost = on_lost};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct link_edge *e = &f->w.p.streams.edge;

	assert_non_null(f);
	world_init(&f->w, TP_EDGE_SOCKET_NAME);
	world_start(&f->w);
	f->epoll_fd = epoll_create1(0);
	assert_int_equal(link_edge_init(e, f->w.directory, (gid_t)-1, f->epoll_fd, 1, &handler), 0);
	link_edge_listeners(e, 1, NULL, 0);
	f->fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", f->w.path);
	assert_int_equal(connect(f->fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	process_streams_read(&f->w.p);
	assert_true(link_edge_is_up(e));
	return f;
}

static void edge_end(struct edge *f)
{
	close(f->fd);
	process_streams_close(&f->w.p);
	close(f->epoll_fd);
	world_fini(&f->w);
	free(f);
}

// Of connections that the edge has not reported.
static void messages_come(struct edge *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct link_message m = {.connection = tp_connection(0, 1 + i, 1)};
		const struct turn_tuple from = {.remote = tp_addr_ipv4(0x0a000001, 1000),
			.connection = m.connection,
			.listener_id = 4};

		assert_true(process_streams_hold(&f->w.p, TP_NS_PER_S, &from, &m));
	}
}

// Fault: each message looked for its report, and so each could begin a report of all once more.
static void a_turn_begins_one_report_again(void **state)
{
	const struct tp_session_message again = {
		.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_AGAIN};
	struct edge *f = edge_begin();

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(send(f->fd, &again, sizeof(again), 0), sizeof(again));
	messages_come(f, 4);
	assert_int_equal(f->again, 1);
	process_streams_read(&f->w.p);
	messages_come(f, 4);
	assert_int_equal(f->again, 2);
	edge_end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_begins_one_report_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
