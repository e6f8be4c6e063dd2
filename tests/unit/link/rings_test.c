// SPDX-License-Identifier: BSD-3-Clause
#include <link/rings.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_WORKERS 2u
#define NOW_NS	  (1000 * TP_NS_PER_S)

struct fixture {
	struct shm_inject inject;
	struct shm_punt punt;
	struct tp_ring_producer producer[TP_PUNT_CLASSES][N_WORKERS]; // the data plane's ends
	struct tp_ring_consumer consumer[N_WORKERS];
	struct link_rings *r;
	char seen[64]; // first octets of the messages handled
	unsigned n_seen;
	struct link_message last;
	bool more; // a LIVE message comes while a FIRST one is handled
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->inject.n_workers = N_WORKERS;
	f->inject.header = aligned_alloc(64, sizeof(struct tp_inject_header));
	memset(f->inject.header, 0, sizeof(struct tp_inject_header));
	f->inject.slots = calloc(N_WORKERS * TP_RING_SLOTS, sizeof(struct tp_ring_slot));
	f->punt.n_workers = N_WORKERS;
	f->punt.header = aligned_alloc(64, sizeof(struct tp_punt_header));
	memset(f->punt.header, 0, sizeof(struct tp_punt_header));
	f->punt.slots =
		calloc(N_WORKERS * TP_PUNT_CLASSES * TP_RING_SLOTS, sizeof(struct tp_ring_slot));
	for (unsigned w = 0; w < N_WORKERS; w++) {
		for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++)
			f->producer[cls][w] = shm_punt_producer(&f->punt, &f->inject, w, cls);
		f->consumer[w] = shm_inject_consumer(&f->punt, &f->inject, w);
	}
	f->r = calloc(1, sizeof(*f->r));
	link_rings_attach(f->r, &f->inject, &f->punt);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->r);
	free(f->inject.header);
	free(f->inject.slots);
	free(f->punt.header);
	free(f->punt.slots);
	free(f);
	return 0;
}

static struct tp_ring_slot *put(struct fixture *f, unsigned cls, unsigned w, char c)
{
	struct tp_ring_slot *slot = tp_ring_reserve(&f->producer[cls][w]);

	if (slot == NULL)
		abort();
	memset(slot, 0xee, offsetof(struct tp_ring_slot, data));
	slot->len = 20;
	slot->local_id = 3;
	slot->remote = tp_addr_ipv4(0x0a000001, 1234);
	slot->time_ns = NOW_NS;
	memset(slot->data, c, 20);
	tp_ring_publish(&f->producer[cls][w]);
	return slot;
}

static void on_message(void *ctx, const struct link_message *m)
{
	struct fixture *f = ctx;

	f->seen[f->n_seen++] = (char)m->data[0];
	f->last = *m;
	if (f->more) {
		f->more = false;
		put(f, TP_PUNT_LIVE, 1, 'L');
	}
}

static unsigned poll_all(struct fixture *f)
{
	unsigned n = link_rings_poll(f->r, NOW_NS, 1000, on_message, f);

	f->seen[f->n_seen] = '\0';
	f->n_seen = 0;
	return n;
}

// In a round each class has a share, of which the most urgent comes first.
static void test_weighted_shares(void **state)
{
	struct fixture *f = *state;

	put(f, TP_PUNT_FIRST, 0, 'f');
	put(f, TP_PUNT_FIRST, 0, 'f');
	put(f, TP_PUNT_NONCE, 1, 'n');
	put(f, TP_PUNT_LIVE, 1, 'l');
	put(f, TP_PUNT_LIVE, 0, 'l');
	assert_int_equal(poll_all(f), 5);
	assert_string_equal(f->seen, "llnff");
	put(f, TP_PUNT_FIRST, 0, '1');
	put(f, TP_PUNT_FIRST, 0, '2');
	f->more = true;
	assert_int_equal(poll_all(f), 3);
	assert_string_equal(f->seen, "1L2");
	assert_int_equal(f->r->counters.received[TP_PUNT_LIVE], 3);
	assert_int_equal(f->r->counters.received[TP_PUNT_FIRST], 4);
}

// A flood in any class leaves the others their share.
static void test_no_class_starves(void **state)
{
	struct fixture *f = *state;
	unsigned n[3] = {0};

	for (unsigned i = 0; i < 100; i++) {
		put(f, TP_PUNT_LIVE, 0, 'l');
		put(f, TP_PUNT_NONCE, 0, 'n');
		put(f, TP_PUNT_FIRST, 0, 'f');
	}
	assert_int_equal(link_rings_poll(f->r, NOW_NS, 2 * 21, on_message, f), 2 * 21);
	for (unsigned i = 0; i < 2 * 21; i++)
		n[f->seen[i] == 'l' ? 0 : f->seen[i] == 'n' ? 1 : 2]++;
	assert_int_equal(n[TP_PUNT_LIVE], 2 * 16);
	assert_int_equal(n[TP_PUNT_NONCE], 2 * 4);
	assert_int_equal(n[TP_PUNT_FIRST], 2 * 1);
	f->n_seen = 0;
}

static void test_workers_take_turns(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++) {
		put(f, TP_PUNT_FIRST, 0, 'a');
		put(f, TP_PUNT_FIRST, 1, 'b');
	}
	assert_int_equal(poll_all(f), 6);
	assert_string_equal(f->seen, "ababab");
	assert_int_equal(f->last.worker, 1);
}

static void test_budget(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 10; i++)
		put(f, TP_PUNT_FIRST, 0, 'a');
	assert_int_equal(link_rings_poll(f->r, NOW_NS, 4, on_message, f), 4);
	assert_int_equal(f->n_seen, 4);
}

static void test_hostile_slots(void **state)
{
	struct fixture *f = *state;
	struct tp_addr clean = tp_addr_ipv4(0x0a000001, 1234);
	struct tp_ring_slot *slot;

	put(f, TP_PUNT_LIVE, 0, 'a')->len = TP_RING_DATA_MAX + 1;
	put(f, TP_PUNT_LIVE, 0, 'b')->len = UINT16_MAX;
	put(f, TP_PUNT_LIVE, 0, 'c')->local_id = TP_LOCALS_MAX;
	put(f, TP_PUNT_LIVE, 0, 'd')->remote.family = TP_FAMILY_NONE;
	put(f, TP_PUNT_LIVE, 0, 'e')->remote.family = 3;
	put(f, TP_PUNT_LIVE, 0, 'f')->len = TP_RING_DATA_MAX;
	slot = put(f, TP_PUNT_LIVE, 0, 'g');
	memset(slot->remote.ip + 4, 0xff, 12);
	slot->remote.reserved = 7;
	assert_int_equal(poll_all(f), 7);
	assert_string_equal(f->seen, "fg");
	assert_int_equal(f->r->counters.bad, 5);
	// One address has one form.
	assert_true(tp_addr_equal(&f->last.remote, &clean));
}

static void test_stale_messages(void **state)
{
	struct fixture *f = *state;

	put(f, TP_PUNT_LIVE, 0, 'a')->time_ns = NOW_NS - LINK_STALE_NS - 1;
	put(f, TP_PUNT_LIVE, 0, 'b')->time_ns = NOW_NS - LINK_STALE_NS;
	// Clocks of two cores may differ a little.
	put(f, TP_PUNT_LIVE, 0, 'c')->time_ns = NOW_NS + 1;
	poll_all(f);
	assert_string_equal(f->seen, "bc");
	assert_int_equal(f->r->counters.stale, 1);
}

static void test_impossible_distance(void **state)
{
	struct fixture *f = *state;

	atomic_store(f->producer[TP_PUNT_NONCE][0].head, TP_RING_SLOTS + 1);
	assert_int_equal(poll_all(f), 0);
	assert_int_equal(link_rings_resets(f->r), 1);
	put(f, TP_PUNT_NONCE, 0, 'a');
	assert_int_equal(poll_all(f), 1);
	link_rings_detach(f->r);
	assert_int_equal(link_rings_resets(f->r), 1);
	link_rings_attach(f->r, &f->inject, &f->punt);
	assert_int_equal(link_rings_resets(f->r), 1);
}

static void test_sleep(void **state)
{
	struct fixture *f = *state;

	assert_true(link_rings_sleep(f->r));
	assert_int_equal(atomic_load(&f->inject.header->sleeping), 1);
	link_rings_wake(f->r);
	assert_int_equal(atomic_load(&f->inject.header->sleeping), 0);
	put(f, TP_PUNT_FIRST, 1, 'a');
	assert_false(link_rings_sleep(f->r));
	assert_int_equal(atomic_load(&f->inject.header->sleeping), 0);
}

static void test_send(void **state)
{
	struct fixture *f = *state;
	struct tp_addr to = tp_addr_ipv4(0x0a000002, 99);
	const struct tp_ring_slot *slot;
	uint8_t data[TP_RING_DATA_MAX + 1] = "answer";
	const struct link_origin live = {.worker = 1}, gone = {.worker = 64};

	assert_int_equal(link_rings_send(f->r, NOW_NS, &live, 5, &to, 77, data, 6), 0);
	assert_null(tp_ring_peek(&f->consumer[0]));
	slot = tp_ring_peek(&f->consumer[1]);
	assert_non_null(slot);
	assert_int_equal(slot->len, 6);
	assert_int_equal(slot->local_id, 5);
	assert_int_equal(slot->egress, 77);
	assert_int_equal(slot->time_ns, NOW_NS);
	assert_true(tp_addr_equal(&slot->remote, &to));
	assert_memory_equal(slot->data, "answer", 6);
	tp_ring_release(&f->consumer[1]);

	assert_int_equal(
		link_rings_send(f->r, NOW_NS, &live, 5, &to, 77, data, sizeof(data)), -EMSGSIZE);
	for (unsigned i = 0; i < TP_RING_SLOTS; i++)
		assert_int_equal(link_rings_send(f->r, NOW_NS, &live, 5, &to, 77, data, 6), 0);
	assert_int_equal(link_rings_send(f->r, NOW_NS, &live, 5, &to, 77, data, 6), -ENOBUFS);
	assert_int_equal(f->r->counters.full, 1);
	// A worker that does not exist (any more) stands for another.
	assert_int_equal(link_rings_send(f->r, NOW_NS, &gone, 5, &to, 77, data, 6), 0);
	assert_non_null(tp_ring_peek(&f->consumer[0]));
}

// Answers to first contacts leave half of the ring free, those to clients with our nonce a quarter.
static void test_room_for_live_clients(void **state)
{
	struct fixture *f = *state;
	struct tp_addr to = tp_addr_ipv4(0x0a000002, 99);
	unsigned sent = 0;

	for (unsigned i = 0; i < TP_PUNT_CLASSES; i++) {
		const struct link_origin origin = {.worker = 1, .cls = TP_PUNT_CLASSES - 1 - i};

		while (link_rings_send(f->r, NOW_NS, &origin, 5, &to, 77, "x", 1) == 0)
			sent++;
		assert_int_equal(sent, TP_RING_SLOTS * (2 + i) / 4);
	}
	assert_int_equal(f->r->counters.full, TP_PUNT_CLASSES);
}

static void test_without_data_plane(void **state)
{
	struct fixture *f = *state;
	const struct link_origin live = {0};
	struct tp_addr to = tp_addr_ipv4(0x0a000002, 99);

	put(f, TP_PUNT_LIVE, 0, 'a');
	link_rings_detach(f->r);
	assert_int_equal(poll_all(f), 0);
	assert_true(link_rings_sleep(f->r));
	assert_int_equal(link_rings_send(f->r, NOW_NS, &live, 5, &to, 77, "x", 1), -ENOTCONN);
	// The files' numbers of workers may differ.
	f->punt.n_workers = 1;
	link_rings_attach(f->r, &f->inject, &f->punt);
	assert_int_equal(poll_all(f), 1);
	assert_int_equal(f->r->n_workers, 1);
}

// The data plane was started again with more workers: all are served, and those without a ring for
// answers have theirs sent by others.
static void test_more_workers_than_inject_rings(void **state)
{
	struct fixture *f = *state;
	struct tp_addr to = tp_addr_ipv4(0x0a000002, 99);
	const struct link_origin other = {.worker = 1, .cls = TP_PUNT_LIVE};

	f->inject.n_workers = 1;
	link_rings_attach(f->r, &f->inject, &f->punt);
	put(f, TP_PUNT_LIVE, 0, 'a');
	put(f, TP_PUNT_LIVE, 1, 'b');
	assert_false(link_rings_sleep(f->r));
	assert_int_equal(poll_all(f), 2);
	assert_string_equal(f->seen, "ab");
	assert_int_equal(f->last.worker, 1);
	assert_int_equal(link_rings_send(f->r, NOW_NS, &other, 5, &to, 77, "answer", 6), 0);
	assert_non_null(tp_ring_peek(&f->consumer[0]));
	assert_null(tp_ring_peek(&f->consumer[1]));
	assert_int_equal(link_rings_resets(f->r), 0);
}

int main(void)
{
#define RINGS_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		RINGS_TEST(test_weighted_shares),
		RINGS_TEST(test_no_class_starves),
		RINGS_TEST(test_workers_take_turns),
		RINGS_TEST(test_budget),
		RINGS_TEST(test_hostile_slots),
		RINGS_TEST(test_stale_messages),
		RINGS_TEST(test_impossible_distance),
		RINGS_TEST(test_sleep),
		RINGS_TEST(test_send),
		RINGS_TEST(test_room_for_live_clients),
		RINGS_TEST(test_without_data_plane),
		RINGS_TEST(test_more_workers_than_inject_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
