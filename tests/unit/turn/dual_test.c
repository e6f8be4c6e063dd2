// SPDX-License-Identifier: BSD-3-Clause
// Both address families in one allocation (RFC 8656 7.2, 8.2, 18.11, 18.12), and the family of a
// request that names none.
#include "harness.h"

static const struct tp_addr peer4 = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};
static const struct tp_addr peer6 = {
	.family = TP_FAMILY_IPV6, .ip = {0x20, 0x01, 0x48, 0x60, [15] = 8}, .port_be = 0xa00f};

static void request_make(struct client *c, struct msg *m)
{
	client_start(c, m, MSG_ALLOCATE);
	msg_u32(m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_u32(m, ATTR_ADDITIONAL_ADDRESS_FAMILY, (uint32_t)TP_FAMILY_IPV6 << 24);
}

static unsigned allocate_both(struct fixture *f, struct msg *m)
{
	client_challenge(&f->h, &f->c);
	request_make(&f->c, m);
	return client_finish(&f->h, &f->c, m);
}

static unsigned refresh(struct fixture *f, uint8_t family, uint32_t lifetime_s)
{
	struct msg m;

	client_start(&f->c, &m, MSG_REFRESH);
	msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	if (family != TP_FAMILY_NONE)
		msg_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)family << 24);
	return client_finish(&f->h, &f->c, &m);
}

static struct tp_addr relayed(const struct harness *h, unsigned number)
{
	struct tp_addr addr = {.family = TP_FAMILY_NONE};

	(void)reply_xor_addr(h->reply, h->reply_len, ATTR_XOR_RELAYED_ADDRESS, number, &addr);
	return addr;
}

// The answer tells that the other family than `got` was declined with this code; 0: with none.
static void assert_declined(const struct harness *h, uint8_t got, unsigned code)
{
	const uint8_t expected[4] = {got == TP_FAMILY_IPV4 ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4, 0,
		(uint8_t)(code / 100), (uint8_t)(code % 100)};
	const uint8_t *value;
	uint16_t len;

	value = reply_attr(h->reply, h->reply_len, ATTR_ADDRESS_ERROR_CODE, 0, &len);
	assert_int_equal(relayed(h, 0).family, got);
	if (code == 0) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_int_equal(len, sizeof(expected));
	assert_memory_equal(value, expected, sizeof(expected));
	assert_int_equal(relayed(h, 1).family, TP_FAMILY_NONE);
}

// A new server process on the same store where `restart`.
static void repeat(struct fixture *f, const struct msg *m, bool restart)
{
	uint8_t reply[sizeof(f->h.reply)];
	size_t len = f->h.reply_len;

	memcpy(reply, f->h.reply, len);
	if (restart)
		harness_restart(&f->h);
	assert_int_equal(client_send(&f->h, &f->c, m), 0);
	assert_int_equal(f->h.reply_len, len);
	assert_memory_equal(f->h.reply, reply, len);
}

static void both_families_are_allocated(void **state)
{
	const struct fake_allocation *a;
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	assert_int_equal(allocate_both(&f, &m), 0);
	assert_declined(&f.h, TP_FAMILY_IPV4, 0);
	a = client_allocation(&f.h, &f.c);
	for (unsigned i = 0; i < 2; i++) {
		struct tp_addr addr = relayed(&f.h, i);

		assert_int_equal(addr.family, i == 0 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6);
		assert_true(tp_addr_equal(&addr, &a->rec.relay[i].advertised));
	}
	assert_int_equal(f.h.store.live_allocations, 1);
	assert_int_equal(client_permit(&f.h, &f.c, &peer4), 0);
	assert_int_equal(client_permit(&f.h, &f.c, &peer6), 0);
	harness_stop(&f.h);
}

// Clauses: 8489 6.3.1-2
static void repetition_hears_the_same(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	assert_int_equal(allocate_both(&f, &m), 0);
	repeat(&f, &m, false);
	repeat(&f, &m, true);
	harness_stop(&f.h);
}

// RFC 8656 7.2: a relay of one family gives that one, and says so of the other.
// Clauses: 8656 18.12-1, 18.12-2
static void relay_of_one_family_gives_it(void **state)
{
	const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct fixture f;
		struct msg m;

		harness_init(&f.h);
		f.h.relays[0] = f.h.relays[i];
		f.h.conf.n_relays = 1;
		fixture_start(&f);
		assert_int_equal(allocate_both(&f, &m), 0);
		assert_declined(&f.h, families[i], 440);
		repeat(&f, &m, false);
		repeat(&f, &m, true);
		harness_stop(&f.h);
	}
}

// Takes the only port of a family away.
static void port_take(struct fixture *f, uint8_t family)
{
	struct client other;
	struct msg m;

	client_init(&other, 0xc6336402, 6000);
	client_user(&other, "bob", "builder");
	client_challenge(&f->h, &other);
	client_start(&other, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_u32(&m, ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)family << 24);
	assert_int_equal(client_finish(&f->h, &other, &m), 0);
}

static void family_without_ports_is_declined(void **state)
{
	const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct fixture f;
		struct msg m;

		harness_init(&f.h);
		f.h.conf.port_max = f.h.conf.port_min;
		fixture_start(&f);
		port_take(&f, families[1 - i]);
		assert_int_equal(allocate_both(&f, &m), 0);
		assert_declined(&f.h, families[i], 508);
		repeat(&f, &m, false);
		repeat(&f, &m, true);
		harness_stop(&f.h);
	}
}

static void declined_family_does_not_count(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_max = f.h.conf.port_min;
	f.h.realms[0].user_quota = 2;
	fixture_start(&f);
	port_take(&f, TP_FAMILY_IPV6);
	assert_int_equal(allocate_both(&f, &m), 0);
	assert_declined(&f.h, TP_FAMILY_IPV4, 508);
	// Another is within the quota: only there is no port.
	f.c.tuple.remote.port_be ^= 1;
	assert_int_equal(allocate_both(&f, &m), 508);
	harness_stop(&f.h);
}

static void without_any_port_it_is_refused(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_max = f.h.conf.port_min;
	fixture_start(&f);
	port_take(&f, TP_FAMILY_IPV4);
	f.c.tuple.remote.port_be ^= 1;
	assert_int_equal(allocate_both(&f, &m), 0);
	f.c.tuple.remote.port_be ^= 1;
	assert_int_equal(allocate_both(&f, &m), 508);
	assert_int_equal(f.h.store.live_allocations, 2);
	harness_stop(&f.h);
}

// A full table gives both ports back.
static void failure_leaves_nothing(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.conf.port_max = f.h.conf.port_min;
	f.h.realms[0].user_quota = 2;
	fixture_start(&f);
	f.h.store.max_allocations = 0;
	assert_int_equal(allocate_both(&f, &m), 508);
	assert_int_equal(realm_held(&f.h), 0);
	f.h.store.max_allocations = 1;
	assert_int_equal(allocate_both(&f, &m), 0);
	assert_declined(&f.h, TP_FAMILY_IPV4, 0);
	harness_stop(&f.h);
}

static void both_count_in_the_quota(void **state)
{
	struct fixture f;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].user_quota = 3;
	fixture_start(&f);
	assert_int_equal(allocate_both(&f, &m), 0);
	harness_restart(&f.h);
	// The third is the last: of two families the client gets one.
	f.c.tuple.remote.port_be ^= 1;
	assert_int_equal(allocate_both(&f, &m), 0);
	assert_declined(&f.h, TP_FAMILY_IPV4, 508);
	f.c.tuple.remote.port_be ^= 2;
	assert_int_equal(allocate_both(&f, &m), 486);
	// One family less makes room for one allocation.
	f.c.tuple.remote.port_be ^= 3;
	client_challenge(&f.h, &f.c);
	assert_int_equal(refresh(&f, TP_FAMILY_IPV6, 0), 0);
	f.c.tuple.remote.port_be ^= 3;
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	f.c.tuple.remote.port_be ^= 4;
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	harness_stop(&f.h);
}

static void peers_add(struct fixture *f)
{
	assert_int_equal(client_permit(&f->h, &f->c, &peer4), 0);
	assert_int_equal(client_permit(&f->h, &f->c, &peer6), 0);
	assert_int_equal(client_bind(&f->h, &f->c, 0x4004, &peer4), 0);
	assert_int_equal(client_bind(&f->h, &f->c, 0x4006, &peer6), 0);
}

// One family's objects are all there are.
static void assert_left(struct fixture *f, uint8_t family)
{
	bool v4 = family == TP_FAMILY_IPV4;
	const struct fake_allocation *a = client_allocation(&f->h, &f->c);

	assert_int_equal(a->rec.relay[0].expires_s != 0, v4);
	assert_int_equal(a->rec.relay[1].expires_s != 0, !v4);
	assert_int_equal(f->h.store.live_permissions, 1);
	assert_int_equal(f->h.store.live_channels, 1);
	assert_non_null(fake_store_permission(&f->h.store, a->ref, v4 ? &peer4 : &peer6));
	assert_int_equal(client_permit(&f->h, &f->c, v4 ? &peer4 : &peer6), 0);
	assert_int_equal(client_permit(&f->h, &f->c, v4 ? &peer6 : &peer4), 443);
	assert_int_equal(client_bind(&f->h, &f->c, 0x4abc, v4 ? &peer6 : &peer4), 443);
	assert_int_equal(refresh(f, v4 ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4, 0), 443);
	assert_int_equal(refresh(f, family, 600), 0);
}

// RFC 8656 8.1: the other family's permissions and channels are not touched.
// Clauses: 8656 8.1-1, 8.2-1
static void one_family_is_deleted(void **state)
{
	(void)state;
	for (uint8_t family = TP_FAMILY_IPV4; family <= TP_FAMILY_IPV6; family++) {
		uint8_t other = family == TP_FAMILY_IPV4 ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4;

		for (unsigned restart = 0; restart < 2; restart++) {
			struct fixture f;
			struct msg m;

			fixture_init(&f);
			assert_int_equal(allocate_both(&f, &m), 0);
			peers_add(&f);
			assert_int_equal(refresh(&f, family, 0), 0);
			assert_int_equal(f.h.n_closed, 0);
			if (restart)
				harness_restart(&f.h);
			assert_left(&f, other);
			assert_int_equal(refresh(&f, other, 0), 0);
			assert_int_equal(f.h.n_closed, 1);
			assert_int_equal(f.h.reason, TURN_CLOSE_REFRESH);
			assert_int_equal(f.h.store.live_permissions, 0);
			harness_stop(&f.h);
		}
	}
}

static void refresh_without_a_family_is_for_both(void **state)
{
	const struct fake_allocation *a;
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	assert_int_equal(allocate_both(&f, &m), 0);
	harness_sleep(&f.h, 100 * SECOND);
	assert_int_equal(refresh(&f, TP_FAMILY_NONE, 1000), 0);
	a = client_allocation(&f.h, &f.c);
	assert_int_equal(a->rec.relay[0].expires_s, 1000 + 100 + 1000 + 1);
	assert_int_equal(a->rec.relay[1].expires_s, a->rec.relay[0].expires_s);
	assert_int_equal(refresh(&f, TP_FAMILY_NONE, 0), 0);
	assert_int_equal(f.h.n_closed, 1);
	assert_null(client_allocation(&f.h, &f.c));
	harness_stop(&f.h);
}

// Each family has a time of its own.
static void one_family_expires(void **state)
{
	(void)state;
	for (uint8_t family = TP_FAMILY_IPV4; family <= TP_FAMILY_IPV6; family++) {
		struct fixture f;
		struct msg m;

		harness_init(&f.h);
		f.h.conf.permission_lifetime_s = 3600;
		f.h.conf.channel_lifetime_s = 3600;
		f.h.conf.nonce_lifetime_s = 3600;
		fixture_start(&f);
		assert_int_equal(allocate_both(&f, &m), 0);
		peers_add(&f);
		assert_int_equal(refresh(&f, family, 900), 0);
		harness_sleep(&f.h, 590 * SECOND);
		assert_int_equal(f.h.store.live_permissions, 2);
		// With the timers not gone through yet, and with them.
		if (family == TP_FAMILY_IPV4)
			f.h.now_ns += 20 * SECOND;
		else
			harness_sleep(&f.h, 20 * SECOND);
		assert_int_equal(
			client_permit(&f.h, &f.c, family == TP_FAMILY_IPV4 ? &peer6 : &peer4), 443);
		assert_left(&f, family);
		assert_int_equal(f.h.n_closed, 0);
		harness_sleep(&f.h, 601 * SECOND);
		assert_int_equal(f.h.n_closed, 1);
		assert_int_equal(f.h.reason, TURN_CLOSE_EXPIRED);
		harness_stop(&f.h);
	}
}

// The port of a family that ended rests like any other.
static void ended_port_rests(void **state)
{
	struct fixture f;
	uint16_t port_be;
	struct msg m;

	(void)state;
	fixture_init(&f);
	assert_int_equal(allocate_both(&f, &m), 0);
	port_be = relayed(&f.h, 1).port_be;
	assert_int_equal(refresh(&f, TP_FAMILY_IPV6, 0), 0);
	assert_int_equal(f.h.store.remains.n_ports, 1);
	assert_int_equal(f.h.store.remains.relay_ids[0], RELAY6_ID);
	assert_int_equal(f.h.store.remains.ports[0], tp_ntohs(port_be));
	harness_stop(&f.h);
}

// A relay address that leaves the configuration takes its family along, not the call.
static void relay_address_leaves(void **state)
{
	struct turn_conf conf;
	struct fixture f;
	struct msg m;

	(void)state;
	fixture_init(&f);
	assert_int_equal(allocate_both(&f, &m), 0);
	peers_add(&f);
	conf = f.h.conf;
	conf.n_relays = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	harness_sleep(&f.h, SECOND);
	assert_int_equal(f.h.n_closed, 0);
	assert_left(&f, TP_FAMILY_IPV4);
	harness_stop(&f.h);
}

// Clients of coturn's library: its numbers are those of a draft.
static void numbers_of_the_draft_are_known(void **state)
{
	struct fixture f;
	uint16_t len;
	struct msg m;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].user_quota = 3;
	fixture_start(&f);
	for (unsigned i = 0; i < 2; i++) {
		f.c.tuple.remote.port_be = tp_htons((uint16_t)(7000 + i));
		client_challenge(&f.h, &f.c);
		client_start(&f.c, &m, MSG_ALLOCATE);
		msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
		msg_u32(&m, ATTR_ADDITIONAL_FAMILY_DRAFT, (uint32_t)TP_FAMILY_IPV6 << 24);
		assert_int_equal(client_finish(&f.h, &f.c, &m), 0);
		assert_int_equal(relayed(&f.h, 1).family, i == 0 ? TP_FAMILY_IPV6 : 0);
		assert_false(reply_has(&f.h, ATTR_ADDRESS_ERROR_CODE));
	}
	assert_non_null(reply_attr(f.h.reply, f.h.reply_len, ATTR_ADDRESS_ERROR_DRAFT, 0, &len));
	harness_stop(&f.h);
}

static uint8_t family_given(uint8_t default_family, bool client6, bool relay6)
{
	struct fixture f;
	uint8_t family;

	harness_init(&f.h);
	f.h.conf.default_family = default_family;
	f.h.conf.n_relays = relay6 ? 2 : 1;
	fixture_start(&f);
	if (client6) {
		f.c.tuple.remote = peer6;
		f.c.tuple.listener_id = LISTENER6_ID;
	}
	family = client_allocate(&f.h, &f.c, 0) == 0 ? f.c.relayed.family : TP_FAMILY_NONE;
	harness_stop(&f.h);
	return family;
}

// Clauses: 8656 7.2-4
static void default_family_is_the_options(void **state)
{
	(void)state;
	assert_int_equal(family_given(TP_FAMILY_IPV4, false, true), TP_FAMILY_IPV4);
	assert_int_equal(family_given(TP_FAMILY_IPV4, true, true), TP_FAMILY_IPV4);
	assert_int_equal(family_given(TP_FAMILY_IPV6, false, true), TP_FAMILY_IPV6);
	assert_int_equal(family_given(TP_FAMILY_NONE, false, true), TP_FAMILY_IPV4);
	assert_int_equal(family_given(TP_FAMILY_NONE, true, true), TP_FAMILY_IPV6);
	// Where the relay has not the client's family the RFC's counts.
	assert_int_equal(family_given(TP_FAMILY_NONE, true, false), TP_FAMILY_IPV4);
	assert_int_equal(family_given(TP_FAMILY_IPV6, true, false), TP_FAMILY_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_are_allocated),
		cmocka_unit_test(repetition_hears_the_same),
		cmocka_unit_test(relay_of_one_family_gives_it),
		cmocka_unit_test(family_without_ports_is_declined),
		cmocka_unit_test(declined_family_does_not_count),
		cmocka_unit_test(without_any_port_it_is_refused),
		cmocka_unit_test(failure_leaves_nothing),
		cmocka_unit_test(both_count_in_the_quota),
		cmocka_unit_test(one_family_is_deleted),
		cmocka_unit_test(refresh_without_a_family_is_for_both),
		cmocka_unit_test(one_family_expires),
		cmocka_unit_test(ended_port_rests),
		cmocka_unit_test(relay_address_leaves),
		cmocka_unit_test(numbers_of_the_draft_are_known),
		cmocka_unit_test(default_family_is_the_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
