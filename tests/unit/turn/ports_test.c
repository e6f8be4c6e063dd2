// SPDX-License-Identifier: BSD-3-Clause
// Peer policies with ports: requests with a port are judged by it, permissions carry the ports to
// the store, and a new configuration holds for all of it.
#include "harness.h"

#define BUDGET 4u

static struct policy *policy_make(const struct harness *h, const char *prefix, uint16_t port_min,
	uint16_t port_max, bool allow)
{
	struct text_scope scope = {.port_min = port_min, .port_max = port_max};
	struct policy_config config = {.own = h->own, .n_own = TP_ARRAY_LEN(h->own)};

	assert_int_equal(text_cidr_parse(prefix, &scope.cidr), 0);
	if (allow) {
		config.allow = &scope;
		config.n_allow = 1;
	} else {
		config.deny = &scope;
		config.n_deny = 1;
	}
	return policy_create(&config);
}

// Puts policies in force; the old one is the caller's.
static void policies_set(struct fixture *f, const struct policy *policy, const struct policy *trial)
{
	f->h.realms[0].policy = policy;
	f->h.realms[0].trial = trial;
	assert_int_equal(turn_reconfigure(f->h.s, &f->h.conf), 0);
	while (turn_deadline(f->h.s) == 0) {
		turn_advance(f->h.s, f->h.now_ns, BUDGET);
		harness_drain(&f->h);
	}
}

static struct tp_addr peer_at(uint32_t ip, uint16_t port)
{
	return tp_addr_ipv4(ip, port);
}

#define PRIVATE	      0x0a010101u // 10.1.1.1
#define PUBLIC	      0x08080808u

#define BITS_20_TO_29 0x3ff00000ull

static const struct fake_permission *permission(const struct fixture *f, uint32_t ip)
{
	struct tp_addr peer = peer_at(ip, 0);
	const struct fake_permission *p = fake_store_permission(&f->h.store, f->ref, &peer);

	assert_non_null(p);
	return p;
}

static void requests_are_judged_by_port(void **state)
{
	struct tp_addr in, out, zero;
	struct policy *policy;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	policy = policy_make(&f.h, "10.0.0.0/8", 20, 29, true);
	policies_set(&f, policy, NULL);
	in = peer_at(PRIVATE, 29);
	out = peer_at(PRIVATE, 30);
	zero = peer_at(PRIVATE, 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &out), 403);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_PEER);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &zero), 403);
	assert_int_equal(f.h.store.live_permissions, 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &in), 0);
	assert_true(permission(&f, PRIVATE)->ports == BITS_20_TO_29);
	assert_true(permission(&f, PRIVATE)->expires_s > 0);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_denied, 2);
	harness_stop(&f.h);
	policy_destroy(policy);
}

// CreatePermission ignores the port of its peer.
static void permissions_are_judged_by_address(void **state)
{
	struct tp_addr out = peer_at(PRIVATE, 30), other = peer_at(0x0b000001, 30);
	struct policy *policy;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	policy = policy_make(&f.h, "10.0.0.0/8", 20, 29, true);
	policies_set(&f, policy, NULL);
	assert_int_equal(client_permit(&f.h, &f.c, &out), 0);
	assert_true(permission(&f, PRIVATE)->ports == BITS_20_TO_29);
	assert_int_equal(permission(&f, PRIVATE)->expires_s, 300 + f.h.now_ns / SECOND + 1);
	assert_int_equal(client_permit(&f.h, &f.c, &other), 0);
	assert_true(permission(&f, 0x0b000001)->ports == FAKE_ALL_PORTS);
	// No room for the set: nothing is left.
	f.h.store.no_port_sets = true;
	out.ip[3]++;
	assert_int_equal(client_permit(&f.h, &f.c, &out), 508);
	assert_int_equal(f.h.store.live_permissions, 2);
	f.h.store.no_port_sets = false;
	assert_int_equal(client_permit(&f.h, &f.c, &out), 0);
	harness_stop(&f.h);
	policy_destroy(policy);
}

static void a_reload_holds_for_live_calls(void **state)
{
	struct tp_addr a = peer_at(PUBLIC, 20), b = peer_at(PUBLIC, 50);
	struct policy *policy;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &a), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &b), 0);
	assert_true(permission(&f, PUBLIC)->ports == FAKE_ALL_PORTS);
	policy = policy_make(&f.h, "8.0.0.0/8", 20, 29, false);
	policies_set(&f, policy, NULL);
	assert_int_equal(f.h.store.live_channels, 1);
	assert_int_equal(turn_get_counters(f.h.s)->channels_revoked, 1);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_revoked, 0);
	assert_true(permission(&f, PUBLIC)->ports == (~BITS_20_TO_29 & ~1ull));
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &a), 403);
	// And back.
	policies_set(&f, f.h.policy, NULL);
	assert_true(permission(&f, PUBLIC)->ports == FAKE_ALL_PORTS);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &a), 0);
	// A policy that the store has no room for ends the permission.
	f.h.store.no_port_sets = true;
	policies_set(&f, policy, NULL);
	assert_int_equal(f.h.store.live_permissions, 0);
	assert_int_equal(f.h.store.live_channels, 0);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_revoked, 1);
	harness_stop(&f.h);
	policy_destroy(policy);
}

// The last channel of a permission that is over takes it along.
static void channels_without_permission_end(void **state)
{
	struct tp_addr a = peer_at(PUBLIC, 20), b = peer_at(PUBLIC, 21);
	struct policy *policy;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &a), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &b), 0);
	harness_sleep(&f.h, 400 * SECOND);
	assert_int_equal(f.h.store.live_permissions, 0);
	assert_int_equal(f.h.store.live_channels, 2);
	policy = policy_make(&f.h, "8.0.0.0/8", 20, 29, false);
	policies_set(&f, policy, NULL);
	assert_int_equal(f.h.store.live_channels, 0);
	assert_int_equal(turn_get_counters(f.h.s)->channels_revoked, 2);
	harness_stop(&f.h);
	policy_destroy(policy);
}

static void a_trial_gives_its_ports(void **state)
{
	struct tp_addr a = peer_at(PUBLIC, 20), b = peer_at(PUBLIC, 50);
	struct policy *trial;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	trial = policy_make(&f.h, "8.0.0.0/8", 20, 29, false);
	policies_set(&f, f.h.policy, trial);
	assert_int_equal(client_permit(&f.h, &f.c, &a), 0);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_would_deny, 0);
	assert_true(permission(&f, PUBLIC)->ports == FAKE_ALL_PORTS);
	assert_true(permission(&f, PUBLIC)->trial == (~BITS_20_TO_29 & ~1ull));
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &b), 0);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_would_deny, 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &a), 0);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_TRIAL);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_would_deny, 1);
	harness_stop(&f.h);
	policy_destroy(trial);
}

// A restarted server tells the store the ports of its own configuration.
static void a_restart_tells_the_ports(void **state)
{
	struct tp_addr a = peer_at(PRIVATE, 20);
	struct policy *policy;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	policy = policy_make(&f.h, "10.0.0.0/8", 20, 29, true);
	policies_set(&f, policy, NULL);
	assert_int_equal(client_permit(&f.h, &f.c, &a), 0);
	a.ip[0] = 8;
	assert_int_equal(client_permit(&f.h, &f.c, &a), 0);
	harness_restart(&f.h); // with the harness's own policy
	assert_true(permission(&f, PRIVATE)->ports == FAKE_ALL_PORTS);
	policies_set(&f, policy, NULL);
	assert_true(permission(&f, PRIVATE)->ports == BITS_20_TO_29);
	harness_stop(&f.h);
	policy_destroy(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_judged_by_port),
		cmocka_unit_test(permissions_are_judged_by_address),
		cmocka_unit_test(a_reload_holds_for_live_calls),
		cmocka_unit_test(channels_without_permission_end),
		cmocka_unit_test(a_trial_gives_its_ports),
		cmocka_unit_test(a_restart_tells_the_ports),
	};

	return cmocka_run_group_tests_name("turn ports", tests, NULL, NULL);
}
