// SPDX-License-Identifier: BSD-3-Clause
// Path MTUs and ICMP errors (RFC 8656 11.5) as the packet path reports them.
#include "harness.h"

#define NUMBER 0x4000u

static const struct tp_addr peer = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};

static struct turn_report report(const struct fixture *f, uint32_t mtu)
{
	return (struct turn_report){
		.allocation = f->ref,
		.remote = peer,
		.local_id = RELAY_ID,
		.port = tp_addr_port(&f->c.relayed),
		.mtu = mtu,
		.value = mtu,
		.type = 3,
		.code = 4,
	};
}

static void fixture_talk(struct fixture *f)
{
	fixture_hold(f);
	assert_int_equal(client_permit(&f->h, &f->c, &peer), 0);
	assert_int_equal(client_bind(&f->h, &f->c, NUMBER, &peer), 0);
}

static void tell(struct fixture *f, const struct turn_report *r)
{
	f->h.reply_len = 0;
	turn_report(f->h.s, f->h.now_ns, r);
	harness_drain(&f->h);
}

static uint16_t peer_mtu(const struct fixture *f)
{
	const struct fake_permission *p = fake_store_permission(&f->h.store, f->ref, &peer);
	const struct fake_channel *c = fake_store_channel(&f->h.store, f->ref, NUMBER);

	assert_int_equal(p->path_mtu, c->path_mtu);
	return p->path_mtu;
}

static uint16_t client_mtu(const struct fixture *f)
{
	uint16_t mtu = client_allocation(&f->h, &f->c)->path_mtu;

	assert_int_equal(fake_store_channel(&f->h.store, f->ref, NUMBER)->client_path_mtu, mtu);
	return mtu;
}

// Clauses: 8656 11.5-2, 18.13-1, 18.13-2
static void client_is_told(void **state)
{
	static const uint8_t value[8] = {0, 0, 3, 4, 0, 0, 5, 0x14};
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	r = report(&f, 1300);
	tell(&f, &r);
	assert_int_equal(tp_load_be16(f.h.reply), TP_TURN_DATA_INDICATION);
	assert_int_equal(f.h.reply_len, 20 + 12 + 12);
	assert_int_equal(tp_load_be16(f.h.reply + 20), TP_ATTR_XOR_PEER_ADDRESS);
	assert_int_equal(tp_load_be16(f.h.reply + 26) ^ 0x2112, tp_addr_port(&peer));
	assert_int_equal(tp_load_be32(f.h.reply + 28) ^ 0x2112a442, 0x08080808);
	assert_int_equal(tp_load_be16(f.h.reply + 32), 0x8004);
	assert_int_equal(tp_load_be16(f.h.reply + 34), 8);
	assert_memory_equal(f.h.reply + 36, value, 8);
	assert_true(tp_addr_equal(&f.h.to.remote, &f.c.tuple.remote));
	assert_int_equal(f.h.to.listener_id, LISTENER_ID);
	// No port of the peer is open: nothing is learnt of the way.
	r = (struct turn_report){.allocation = r.allocation,
		.remote = peer,
		.local_id = RELAY_ID,
		.port = r.port,
		.type = 3,
		.code = 3};
	tell(&f, &r);
	assert_int_equal(f.h.reply_len, 44);
	assert_int_equal(f.h.reply[38], 3);
	assert_int_equal(f.h.reply[39], 3);
	assert_int_equal(tp_load_be32(f.h.reply + 40), 0);
	assert_int_equal(peer_mtu(&f), 1300);
	assert_int_equal(turn_get_counters(f.h.s)->icmp_relayed, 2);
	harness_stop(&f.h);
}

static void assert_unheard(struct fixture *f, const struct turn_report *r)
{
	uint64_t before = turn_get_counters(f->h.s)->reports_stale;

	tell(f, r);
	assert_int_equal(f->h.reply_len, 0);
	assert_int_equal(peer_mtu(f), 0);
	assert_int_equal(client_mtu(f), 0);
	assert_int_equal(turn_get_counters(f->h.s)->reports_stale, before + 1);
}

// Clauses: 8656 11.5-1
static void false_reports_do_nothing(void **state)
{
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	r = report(&f, 1300);
	r.allocation += 0x100000;
	assert_unheard(&f, &r);
	r = report(&f, 1300);
	r.port++;
	assert_unheard(&f, &r);
	r = report(&f, 1300);
	r.local_id++;
	assert_unheard(&f, &r);
	r = report(&f, 1300);
	r.remote.ip[0]++;
	assert_unheard(&f, &r);
	// The permission has ended, the channel has not.
	harness_sleep(&f.h, 310 * SECOND);
	r = report(&f, 1300);
	tell(&f, &r);
	assert_int_equal(f.h.reply_len, 0);
	harness_stop(&f.h);
}

static void leg_to_the_client(void **state)
{
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	r = report(&f, 1280);
	r.remote = f.c.tuple.remote;
	r.local_id = LISTENER_ID;
	tell(&f, &r);
	assert_int_equal(f.h.reply_len, 0);
	assert_int_equal(client_mtu(&f), 1280);
	assert_int_equal(peer_mtu(&f), 0);
	harness_stop(&f.h);
}

// RFC 8201: smaller values at once, larger ones when the time of the smaller is over.
static void values_age(void **state)
{
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	r = report(&f, 1400);
	tell(&f, &r);
	assert_int_equal(peer_mtu(&f), 1400);
	r = report(&f, 1280);
	tell(&f, &r);
	assert_int_equal(peer_mtu(&f), 1280);
	r = report(&f, 1400);
	tell(&f, &r);
	assert_int_equal(peer_mtu(&f), 1280);
	assert_int_equal(turn_get_counters(f.h.s)->path_mtus_learnt, 2);
	for (unsigned i = 0; i < 599 / 100; i++) {
		harness_sleep(&f.h, 100 * SECOND);
		assert_int_equal(client_bind(&f.h, &f.c, NUMBER, &peer), 0);
	}
	assert_int_equal(peer_mtu(&f), 1280);
	harness_sleep(&f.h, 105 * SECOND);
	assert_int_equal(client_bind(&f.h, &f.c, NUMBER, &peer), 0);
	assert_int_equal(peer_mtu(&f), 0);
	r = report(&f, 1400);
	tell(&f, &r);
	assert_int_equal(peer_mtu(&f), 1400);
	harness_stop(&f.h);
}

// Objects made later have it from the beginning.
static void new_objects_know_it(void **state)
{
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	r = report(&f, 1300);
	tell(&f, &r);
	r.remote = f.c.tuple.remote;
	r.local_id = LISTENER_ID;
	r.mtu = 1400;
	tell(&f, &r);
	assert_int_equal(client_bind(&f.h, &f.c, NUMBER, &peer), 0);
	assert_int_equal(peer_mtu(&f), 1300);
	assert_int_equal(client_mtu(&f), 1400);
	harness_stop(&f.h);
}

// The store is told the least of all, in steps of 64: at once when it falls, after the leg when it
// rises. Packets below it are sent without a look at their leg.
static void the_least_of_all_is_told(void **state)
{
	const struct tp_addr second = tp_addr_ipv4(0x09090909, 4000);
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &second), 0);
	harness_sleep(&f.h, SECOND);
	assert_int_equal(f.h.store.path_mtu_least, UINT16_MAX);
	r = report(&f, 1000);
	tell(&f, &r);
	assert_int_equal(f.h.store.path_mtu_least, 960);
	harness_sleep(&f.h, 200 * SECOND);
	r.remote = second;
	r.mtu = 1280;
	tell(&f, &r);
	assert_int_equal(f.h.store.path_mtu_least, 960);
	harness_sleep(&f.h, 200 * SECOND);
	r = report(&f, 0);
	r.mtu = 1400;
	tell(&f, &r); // no news
	assert_int_equal(f.h.store.path_mtu_least, 960);
	assert_int_equal(client_permit(&f.h, &f.c, &second), 0);
	assert_int_equal(client_bind(&f.h, &f.c, NUMBER, &peer), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	harness_sleep(&f.h, 201 * SECOND);
	assert_int_equal(peer_mtu(&f), 0);
	assert_int_equal(f.h.store.path_mtu_least, 1280);
	harness_sleep(&f.h, 200 * SECOND);
	assert_int_equal(f.h.store.path_mtu_least, UINT16_MAX);
	harness_stop(&f.h);
}

// It rises at no time while the legs come back.
static void the_least_of_all_outlives_a_restart(void **state)
{
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	harness_sleep(&f.h, SECOND);
	r = report(&f, 1300);
	tell(&f, &r);
	assert_int_equal(f.h.store.path_mtu_least, 1280);
	harness_restart(&f.h);
	assert_int_equal(f.h.store.path_mtu_least, 1280);
	turn_restore_path_mtu(f.h.s, f.h.now_ns, f.ref, NULL, 1400);
	assert_int_equal(f.h.store.path_mtu_least, 1280);
	turn_restore_path_mtu(f.h.s, f.h.now_ns, f.ref, &peer, 1300);
	harness_sleep(&f.h, SECOND);
	assert_int_equal(f.h.store.path_mtu_least, 1280);
	harness_stop(&f.h);
}

static void a_black_hole_is_no_icmp_error(void **state)
{
	struct turn_permission_view view;
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	r = report(&f, 1280);
	r.type = TP_REPORT_BLACK_HOLE;
	r.code = 0;
	tell(&f, &r);
	assert_int_equal(f.h.reply_len, 0);
	assert_int_equal(peer_mtu(&f), 1280);
	assert_int_equal(turn_permissions_of(f.h.s, f.ref, &view, 1), 2);
	assert_int_equal(view.mtu_source, TURN_MTU_BLACK_HOLE);
	harness_stop(&f.h);
}

// It tells nothing of the way, also where the client is its own peer.
static void a_scan_is_no_icmp_error(void **state)
{
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	r = report(&f, 1280);
	r.type = TP_REPORT_SCAN;
	assert_true(turn_report(f.h.s, f.h.now_ns, &r));
	assert_int_equal(peer_mtu(&f), 0);
	r.remote.ip[0]++;
	assert_false(turn_report(f.h.s, f.h.now_ns, &r));
	r.remote = f.c.tuple.remote;
	r.local_id = LISTENER_ID;
	assert_false(turn_report(f.h.s, f.h.now_ns, &r));
	assert_int_equal(client_mtu(&f), 0);
	harness_stop(&f.h);
}

static void a_view_shows_it(void **state)
{
	struct turn_permission_view views[2];
	struct turn_allocation_view view;
	struct turn_report r;
	struct fixture f;

	(void)state;
	fixture_talk(&f);
	r = report(&f, 1300);
	tell(&f, &r);
	assert_int_equal(turn_allocation_find(f.h.s, f.ref, &view), 0);
	assert_int_equal(view.path_mtu, 0);
	assert_int_equal(view.mtu_source, TURN_MTU_UNKNOWN);
	assert_int_equal(turn_permissions_of(f.h.s, f.ref, views, 2), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(views[i].path_mtu, 1300);
		assert_int_equal(views[i].mtu_source, TURN_MTU_ICMP);
	}
	turn_restore_path_mtu(f.h.s, f.h.now_ns, f.ref, NULL, 1400);
	assert_int_equal(turn_allocation_find(f.h.s, f.ref, &view), 0);
	assert_int_equal(view.path_mtu, 1400);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_is_told),
		cmocka_unit_test(false_reports_do_nothing),
		cmocka_unit_test(leg_to_the_client),
		cmocka_unit_test(values_age),
		cmocka_unit_test(new_objects_know_it),
		cmocka_unit_test(the_least_of_all_is_told),
		cmocka_unit_test(the_least_of_all_outlives_a_restart),
		cmocka_unit_test(a_scan_is_no_icmp_error),
		cmocka_unit_test(a_black_hole_is_no_icmp_error),
		cmocka_unit_test(a_view_shows_it),
	};

	return cmocka_run_group_tests_name("turn: path MTU", tests, NULL, NULL);
}
