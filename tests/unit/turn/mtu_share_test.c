// SPDX-License-Identifier: BSD-3-Clause
// The memory of learnt path MTUs: nobody takes it from others, and each loses his own oldest first.
#include "harness.h"

#include <mtu_share.h>

#define TALKERS 16u // fill the memory
#define FIRST	UINT16_MAX

static const struct tp_addr peer = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};

// A client with a permission for the peer.
struct talker {
	struct client c;
	uint32_t ref;
	uint32_t next; // MTU: each is a little smaller than the one before, so that it is news
};

static void talk(struct harness *h, struct talker *t)
{
	client_challenge(h, &t->c);
	assert_int_equal(client_allocate(h, &t->c, 3600), 0);
	assert_int_equal(client_permit(h, &t->c, &peer), 0);
	t->ref = client_allocation(h, &t->c)->ref;
	t->next = FIRST;
}

static void talker_start(struct harness *h, struct talker *t, uint32_t ip, uint16_t port)
{
	client_init(&t->c, ip, port);
	talk(h, t);
}

static void peer_learns(struct harness *h, const struct talker *t, uint32_t mtu)
{
	const struct turn_report r = {.allocation = t->ref,
		.remote = peer,
		.local_id = RELAY_ID,
		.port = tp_addr_port(&t->c.relayed),
		.mtu = mtu,
		.value = mtu,
		.type = 3,
		.code = 4};

	h->reply_len = 0;
	assert_true(turn_report(h->s, h->now_ns, &r));
	harness_drain(h);
}

static uint16_t peer_mtu(const struct harness *h, const struct talker *t)
{
	return fake_store_permission(&h->store, t->ref, &peer)->path_mtu;
}

// The leg to the client learns `n` smaller and smaller values.
static void flood(struct harness *h, struct talker *t, uint32_t n)
{
	struct turn_report r = {.allocation = t->ref,
		.remote = t->c.tuple.remote,
		.local_id = t->c.tuple.listener_id,
		.type = 3,
		.code = 4};

	for (uint32_t i = 0; i < n; i++) {
		r.mtu = r.value = t->next--;
		assert_true(turn_report(h->s, h->now_ns, &r));
	}
}

static void server_start(struct fixture *f)
{
	harness_init(&f->h);
	f->h.conf.nonce_lifetime_s = 3600;
	fixture_start(f);
}

static void the_own_oldest_gives_way(void **state)
{
	struct talker first, second, other;
	const struct turn_counters *count;
	struct fixture f;

	(void)state;
	server_start(&f);
	talker_start(&f.h, &first, 0xc6336401, 1000);
	talker_start(&f.h, &second, 0xc6336401, 2000);
	talker_start(&f.h, &other, 0xc6336402, 1000);
	count = turn_get_counters(f.h.s);
	peer_learns(&f.h, &other, 1400);
	peer_learns(&f.h, &first, 1400);
	harness_sleep(&f.h, SECOND);
	// All allocations of an address are one's.
	flood(&f.h, &first, TURN_MTU_SHARE / 2);
	flood(&f.h, &second, TURN_MTU_SHARE / 2 - 1);
	assert_int_equal(peer_mtu(&f.h, &first), 1400);
	assert_int_equal(count->path_mtus_share, 0);
	flood(&f.h, &second, 1);
	assert_int_equal(peer_mtu(&f.h, &first), 0);
	assert_int_equal(count->path_mtus_share, 1);
	assert_int_equal(client_allocation(&f.h, &second.c)->path_mtu, second.next + 1);
	// A leg keeps its last value when one of those before gives way.
	flood(&f.h, &second, 100);
	assert_int_equal(client_allocation(&f.h, &first.c)->path_mtu, first.next + 1);
	flood(&f.h, &second, 9900);
	assert_int_equal(client_allocation(&f.h, &first.c)->path_mtu, 0);
	assert_int_equal(count->path_mtus_share, 10001);
	assert_int_equal(count->path_mtus_full, 0);
	assert_int_equal(peer_mtu(&f.h, &other), 1400);
	// The address has its share again when the time of all is over.
	assert_int_equal(client_refresh(&f.h, &other.c, 3600), 0);
	harness_sleep(&f.h, 650 * SECOND);
	assert_int_equal(client_permit(&f.h, &first.c, &peer), 0);
	peer_learns(&f.h, &first, 1300);
	flood(&f.h, &second, 100);
	assert_int_equal(peer_mtu(&f.h, &first), 1300);
	assert_int_equal(count->path_mtus_share, 10001);
	harness_stop(&f.h);
}

// Subnets of one site are one's, sites are not.
static void a_site_has_one_share(void **state)
{
	static const char *const texts[] = {"\x20\x01\x0d\xb8\0\1\0\1",
		"\x20\x01\x0d\xb8\0\1\xff\2", "\x20\x01\x0d\xb8\0\2\0\1"};
	struct talker t[3] = {0};
	const struct turn_counters *count;
	struct fixture f;

	(void)state;
	server_start(&f);
	count = turn_get_counters(f.h.s);
	for (unsigned i = 0; i < TP_ARRAY_LEN(t); i++) {
		client_init(&t[i].c, 0, 1000);
		t[i].c.tuple.listener_id = LISTENER6_ID;
		t[i].c.tuple.remote.family = TP_FAMILY_IPV6;
		memset(t[i].c.tuple.remote.ip, 1, 16);
		memcpy(t[i].c.tuple.remote.ip, texts[i], 8);
		talk(&f.h, &t[i]);
	}
	flood(&f.h, &t[0], TURN_MTU_SHARE - 1);
	flood(&f.h, &t[2], TURN_MTU_SHARE);
	assert_int_equal(count->path_mtus_share, 0);
	flood(&f.h, &t[1], 2);
	assert_int_equal(count->path_mtus_share, 1);
	harness_stop(&f.h);
}

// Many with all of their shares leave room for others.
static void who_has_most_gives_way(void **state)
{
	struct talker t[TALKERS], late, last;
	const struct turn_counters *count;
	struct fixture f;

	(void)state;
	server_start(&f);
	count = turn_get_counters(f.h.s);
	for (unsigned i = 0; i < TALKERS; i++) {
		talker_start(&f.h, &t[i], 0xc6336401 + i, 1000);
		peer_learns(&f.h, &t[i], 1400);
	}
	talker_start(&f.h, &late, 0xc6336501, 1000);
	talker_start(&f.h, &last, 0xc6336502, 1000);
	harness_sleep(&f.h, SECOND);
	for (unsigned i = 0; i < TALKERS; i++)
		flood(&f.h, &t[i], TURN_MTU_SHARE - (i == 0 ? 2 : 1));
	peer_learns(&f.h, &late, 1400);
	assert_int_equal(count->path_mtus_full, 0);
	for (unsigned i = 0; i < TALKERS; i++)
		assert_int_equal(peer_mtu(&f.h, &t[i]), 1400);
	peer_learns(&f.h, &last, 1400);
	// Not the first one's, which is the oldest but of an owner with less.
	assert_int_equal(peer_mtu(&f.h, &t[0]), 1400);
	assert_int_equal(peer_mtu(&f.h, &t[1]), 0);
	assert_int_equal(peer_mtu(&f.h, &late), 1400);
	assert_int_equal(peer_mtu(&f.h, &last), 1400);
	flood(&f.h, &last, TALKERS - 2);
	for (unsigned i = 2; i < TALKERS; i++)
		assert_int_equal(peer_mtu(&f.h, &t[i]), 0);
	assert_int_equal(peer_mtu(&f.h, &t[0]), 1400);
	assert_int_equal(peer_mtu(&f.h, &late), 1400);
	assert_int_equal(count->path_mtus_full, TALKERS - 1);
	assert_int_equal(count->path_mtus_share, 0);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_own_oldest_gives_way),
		cmocka_unit_test(a_site_has_one_share),
		cmocka_unit_test(who_has_most_gives_way),
	};

	return cmocka_run_group_tests_name("turn: path MTU shares", tests, NULL, NULL);
}
