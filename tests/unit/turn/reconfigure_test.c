// SPDX-License-Identifier: BSD-3-Clause
// Another configuration for the running server.
#include "harness.h"

#include <errno.h>

#define BUDGET 4u

static const struct tp_addr peer = {
	.family = TP_FAMILY_IPV4, .ip = {8, 8, 8, 8}, .port_be = 0xa00f};
static const struct tp_addr peer_b = {
	.family = TP_FAMILY_IPV4, .ip = {9, 9, 9, 9}, .port_be = 0xa00f};

static struct policy *policy_denying(const struct harness *h, const char *prefix)
{
	struct text_scope deny = {.port_max = 0};
	struct policy_config config = {
		.deny = &deny, .n_deny = 1, .own = h->own, .n_own = TP_ARRAY_LEN(h->own)};

	assert_int_equal(text_cidr_parse(prefix, &deny.cidr), 0);
	return policy_create(&config);
}

// Goes on with the sweep; every call is bounded.
static unsigned sweep(struct harness *h)
{
	unsigned calls = 0;

	for (; turn_deadline(h->s) == 0; calls++) {
		turn_advance(h->s, h->now_ns, BUDGET);
		harness_drain(h);
	}
	return calls;
}

// A deny list under trial ends and refuses nothing: it counts, and the operator is told.
static void a_trial_denies_nothing(void **state)
{
	struct turn_realm_conf realm;
	struct turn_explanation e;
	struct policy *trial;
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_b), 0);
	realm = f.h.realms[0];
	realm.trial = trial = policy_denying(&f.h, "9.0.0.0/8");
	conf = f.h.conf;
	conf.realms = &realm;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	sweep(&f.h);
	assert_int_equal(f.h.store.live_permissions, 1);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_NOT);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_b), 0);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_TRIAL);
	assert_int_equal(f.h.refusal.why.origin, POLICY_BY_DENY);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4000, &peer_b), 0);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_would_deny, 2);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_denied, 0);
	assert_int_equal(turn_peer_explain(f.h.s, 0, NULL, &peer_b, &e), 0);
	assert_true(e.allowed && e.would_deny);
	harness_stop(&f.h);
	policy_destroy(trial);
}

// A lower limit of channel numbers ends no channel, and holds for new ones.
static void bound_channels_outlive_a_lower_limit(void **state)
{
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	conf = f.h.conf;
	conf.channel_max = TP_CHANNEL_MAX_COMPAT;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x5001, &peer), 0);
	conf.channel_max = TP_CHANNEL_MAX;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	sweep(&f.h);
	assert_int_equal(client_bind(&f.h, &f.c, 0x5001, &peer), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x5001, &peer_b), 400);
	assert_int_equal(client_bind(&f.h, &f.c, 0x5002, &peer_b), 400);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4002, &peer_b), 0);
	harness_stop(&f.h);
}

// The same judgement as a request's.
static void explanations_say_the_same(void **state)
{
	struct turn_explanation e;
	struct tp_addr own;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	own = f.h.relays[0].local;
	assert_int_equal(turn_peer_explain(f.h.s, 77, NULL, &peer, &e), -ENOENT);
	assert_int_equal(turn_peer_explain(f.h.s, 0, NULL, &peer, &e), 0);
	assert_true(e.allowed && e.why.origin == POLICY_BY_PUBLIC);
	own.port_be = tp_htons(50000);
	assert_int_equal(turn_peer_explain(f.h.s, 0, NULL, &own, &e), 0);
	assert_true(e.allowed && e.why.origin == POLICY_BY_OWN);
	own.port_be = tp_htons(22);
	assert_int_equal(turn_peer_explain(f.h.s, 0, NULL, &own, &e), 0);
	assert_true(!e.allowed && e.why.origin == POLICY_BY_OWN);
	own = tp_addr_ipv4(0x0a000001, 0);
	assert_int_equal(turn_peer_explain(f.h.s, 0, NULL, &own, &e), 0);
	assert_true(!e.allowed && e.why.origin == POLICY_BY_BUILTIN);
	harness_stop(&f.h);
}

// A policy of the user's own, for live calls and new requests; others keep the realm's.
static void a_user_has_another_policy(void **state)
{
	static const char *const users[] = {"zoe", USER};
	struct turn_user_policy own = {.name = "staff", .users = users, .n_users = 2};
	struct turn_explanation e;
	struct policy *denying;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_b), 0);
	own.policy = denying = policy_denying(&f.h, "9.0.0.0/8");
	f.h.realms[0].policies = &own;
	f.h.realms[0].n_policies = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	sweep(&f.h);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_revoked, 1);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_b), 403);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	assert_int_equal(turn_peer_explain(f.h.s, 0, USER, &peer_b, &e), 0);
	assert_false(e.allowed);
	assert_string_equal(e.policy, "staff");
	assert_int_equal(turn_peer_explain(f.h.s, 0, "zoe", &peer_b, &e), 0);
	assert_false(e.allowed);
	assert_int_equal(turn_peer_explain(f.h.s, 0, "zo", &peer_b, &e), 0);
	assert_true(e.allowed);
	assert_null(e.policy);
	// It is another user's from now on.
	own.n_users = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(client_permit(&f.h, &f.c, &peer_b), 0);
	harness_stop(&f.h);
	policy_destroy(denying);
}

static void denied_permissions_end_and_nothing_else(void **state)
{
	struct turn_permission_view peers[8];
	struct turn_counters before;
	struct turn_realm_conf realm;
	struct policy *denying;
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4002, &peer_b), 0);
	before = *turn_get_counters(f.h.s);
	conf = f.h.conf;
	realm = f.h.conf.realms[0];
	realm.policy = denying = policy_denying(&f.h, "9.0.0.0/8");
	conf.realms = &realm;
	conf.n_realms = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	// New ones are denied before the old ones are gone.
	assert_int_equal(client_permit(&f.h, &f.c, &peer_b), 403);
	assert_true(sweep(&f.h) > 1);
	assert_int_equal(f.h.n_closed, 0);
	assert_int_equal(turn_permissions_of(f.h.s, f.ref, peers, TP_ARRAY_LEN(peers)), 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(tp_addr_same_ip(&peers[i].peer, &peer));
	assert_int_equal(turn_get_counters(f.h.s)->permissions_revoked, 1);
	assert_true(turn_get_counters(f.h.s)->requests > before.requests);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(turn_get_counters(f.h.s)->allocations_opened, before.allocations_opened);
	harness_stop(&f.h);
	policy_destroy(denying);
}

// The permission stays, for the address has other ports.
static void channels_to_denied_ports_end(void **state)
{
	struct text_scope deny = {.port_min = 25, .port_max = 25};
	struct policy_config config = {.deny = &deny, .n_deny = 1};
	struct tp_addr mail = peer;
	struct policy *denying;
	struct fixture f;

	(void)state;
	assert_int_equal(text_cidr_parse("0.0.0.0/0", &deny.cidr), 0);
	denying = policy_create(&config);
	fixture_hold(&f);
	mail.port_be = tp_htons(25);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4001, &peer), 0);
	assert_int_equal(client_bind(&f.h, &f.c, 0x4002, &mail), 0);
	f.h.realms[0].policy = denying;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	sweep(&f.h);
	assert_int_equal(turn_get_counters(f.h.s)->channels_revoked, 1);
	assert_non_null(fake_store_channel(&f.h.store, f.ref, 0x4001));
	assert_null(fake_store_channel(&f.h.store, f.ref, 0x4002));
	assert_int_equal(client_bind(&f.h, &f.c, 0x4002, &mail), 403);
	harness_stop(&f.h);
	policy_destroy(denying);
}

static void allocation_ends_with_its_relay_address(void **state)
{
	struct turn_relay_address relays[2];
	struct turn_conf conf;
	struct fixture f;
	struct client other;

	(void)state;
	fixture_hold(&f);
	conf = f.h.conf;
	relays[0] = (struct turn_relay_address){
		.local = {.family = TP_FAMILY_IPV4, .ip = {192, 0, 2, 77}},
		.advertised = {.family = TP_FAMILY_IPV4, .ip = {192, 0, 2, 77}},
		.id = 30};
	conf.relays = relays;
	conf.n_relays = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	client_init(&other, 0xc6336409, 9);
	assert_int_equal(client_allocate(&f.h, &other, 0), 0);
	assert_int_equal(other.relayed.ip[3], 77);
	sweep(&f.h);
	assert_int_equal(f.h.n_closed, 1);
	assert_int_equal(f.h.reason, TURN_CLOSE_CONFIG);
	assert_int_equal(f.h.closed_ref, f.ref);
	// The address comes back; ports of both serve.
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	sweep(&f.h);
	assert_int_equal(f.h.n_closed, 2);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

static void users_and_secrets_are_swapped(void **state)
{
	struct turn_realm_conf realm;
	struct turn_conf conf;
	struct fixture f;
	struct client other;

	(void)state;
	fixture_hold(&f);
	conf = f.h.conf;
	realm = f.h.conf.realms[0];
	realm.n_users = 0;
	conf.realms = &realm;
	conf.n_realms = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	sweep(&f.h);
	// The call goes on with the key it was made with, new ones are refused.
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	client_init(&other, 0xc6336409, 9);
	assert_int_equal(client_allocate(&f.h, &other, 0), 401);
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(client_allocate(&f.h, &other, 0), 0);
	harness_stop(&f.h);
}

static void unusable_configuration_changes_nothing(void **state)
{
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	conf = f.h.conf;
	conf.port_max--;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), -EINVAL);
	conf = f.h.conf;
	conf.n_relays = 0;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), -EINVAL);
	assert_true(turn_deadline(f.h.s) > 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	harness_stop(&f.h);
}

// The relay's own addresses are for the packet path to judge, not for the policy.
static void peer_on_this_relay_stays_allowed(void **state)
{
	struct tp_addr own;
	struct fixture f;

	(void)state;
	fixture_hold(&f);
	own = f.h.relays[0].local;
	own.port_be = tp_htons(f.h.conf.port_min);
	assert_int_equal(client_permit(&f.h, &f.c, &own), 0);
	assert_true(turn_peer_is_allowed(f.h.s, f.ref, &own));
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	sweep(&f.h);
	assert_int_equal(turn_get_counters(f.h.s)->permissions_revoked, 0);
	harness_stop(&f.h);
}

static void absent_address_gives_no_port(void **state)
{
	struct fixture f;
	struct client other;

	(void)state;
	fixture_hold(&f);
	turn_relay_set_present(f.h.s, RELAY_ID, false);
	client_init(&other, 0xc6336409, 9);
	assert_int_equal(client_allocate(&f.h, &other, 0), 508);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	turn_relay_set_present(f.h.s, RELAY_ID, true);
	assert_int_equal(client_allocate(&f.h, &other, 0), 0);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_permissions_end_and_nothing_else),
		cmocka_unit_test(a_trial_denies_nothing),
		cmocka_unit_test(bound_channels_outlive_a_lower_limit),
		cmocka_unit_test(a_user_has_another_policy),
		cmocka_unit_test(explanations_say_the_same),
		cmocka_unit_test(channels_to_denied_ports_end),
		cmocka_unit_test(allocation_ends_with_its_relay_address),
		cmocka_unit_test(users_and_secrets_are_swapped),
		cmocka_unit_test(unusable_configuration_changes_nothing),
		cmocka_unit_test(peer_on_this_relay_stays_allowed),
		cmocka_unit_test(absent_address_gives_no_port),
	};

	return cmocka_run_group_tests_name("turn reconfigure", tests, NULL, NULL);
}
