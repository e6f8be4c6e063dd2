// SPDX-License-Identifier: BSD-3-Clause
// The configuration as the TURN server and the packet path get it.
#include <settings/settings.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define REALM48 "realm.of.48.bytes.is.the.longest.for.the.workers"

static char secret[] = "/tmp/settings_make.XXXXXX";

static int secret_make(void **state)
{
	static const char text[] = "0123456789abcdef0123456789abcdef\n";
	int fd = mkstemp(secret);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	return close(fd);
}

static int secret_remove(void **state)
{
	(void)state;
	return unlink(secret);
}

static struct settings *make(const char *realm, const char *rest)
{
	char text[1024];
	const struct conf_request request = {.role = CONF_FOR_CONTROL, .text = text};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	struct settings *s;

	snprintf(text, sizeof(text),
		"realm: %s\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.1, transport: "
		"tcp}]\n"
		"dataplane: {workers: 1, ports: [{interface: lo}]}\n"
		"secrets: [{id: one, secret_file: %s}]\n%s",
		realm, secret, rest);
	if (conf_load(&request, &conf, &errs) < 0)
		fail_msg("%s: %s", errs.items[0].key, errs.items[0].problem);
	conf_errors_fini(&errs);
	s = settings_create(conf);
	assert_non_null(s);
	return s;
}

// Workers answer for the only realm, unless its name is too long for them.
static void realm_of_the_workers(void **state)
{
	struct settings *s = make("lab.turnpike", "");

	(void)state;
	assert_int_equal(s->path.realm_len, 12);
	assert_memory_equal(s->path.realm, "lab.turnpike", 12);
	assert_int_equal(s->path.realm_id, s->realms[0].id);
	// There are secrets, so users are not all known by name.
	assert_int_equal(s->path.realm_flags, TP_REALM_ONLY | TP_REALM_SHA256);
	settings_destroy(s);
	s = make("lab.turnpike", "protocol: {sha256: false}\n");
	assert_int_equal(s->path.realm_flags, TP_REALM_ONLY);
	settings_destroy(s);
	s = make(REALM48, "");
	assert_int_equal(s->path.realm_len, 48);
	settings_destroy(s);
	s = make(REALM48 "s", "");
	assert_int_equal(s->path.realm_len, 0);
	assert_string_equal(s->realms[0].name, REALM48 "s");
	settings_destroy(s);
}

static void rates_of_ports(void **state)
{
	struct settings *s = make("lab.turnpike", "");
	char rest[512];

	(void)state;
	assert_int_equal(s->path.n_port_rates, 1);
	assert_int_equal(s->path.port_rates[0].ports_per_s, 16);
	assert_int_equal(s->path.port_rates[0].realm_id, s->realms[0].id);
	settings_destroy(s);
	snprintf(rest, sizeof(rest),
		"limits: {port_rate: 7}\nrealms:\n"
		"  - {name: one, secrets: [{id: a, secret_file: %s}]}\n"
		"  - {name: two, secrets: [{id: b, secret_file: %s}], port_rate: 0}\n",
		secret, secret);
	s = make("lab.turnpike", rest);
	assert_int_equal(s->path.n_port_rates, 3);
	assert_int_equal(s->path.port_rates[0].ports_per_s, 7);
	assert_int_equal(s->path.port_rates[1].ports_per_s, 16);
	assert_int_equal(s->path.port_rates[2].ports_per_s, 0);
	assert_int_equal(s->path.port_rates[2].realm_id, s->realms[2].id);
	settings_destroy(s);
}

static void limits_of_users(void **state)
{
	struct settings *s = make("lab.turnpike",
		"limits: {user_quota: 1, secret_quota: 2, allocate_rate: 3, allocate_burst: 4}\n");

	(void)state;
	assert_int_equal(s->realms[0].user_quota, 1);
	assert_int_equal(s->realms[0].secret_quota, 2);
	assert_int_equal(s->realms[0].allocate_rate, 3);
	assert_int_equal(s->realms[0].allocate_burst, 4);
	settings_destroy(s);
}

static void caps_become_buckets(void **state)
{
	const struct turn_realm_conf *own, *other;
	struct settings *s;
	char rest[512];

	(void)state;
	snprintf(rest, sizeof(rest),
		"limits: {caps: {allocation: {bandwidth: 4000, packet_rate: 500, burst: 100},\n"
		"  user: {packet_rate: 4}, all: {bandwidth: 4294967295, burst: 10000}}}\n"
		"realms: [{name: other, secrets: [{id: b, secret_file: %s}],\n"
		"  caps: {realm: {bandwidth: 100}}}]\n",
		secret);
	s = make("lab.turnpike", rest);
	own = &s->realms[0];
	other = &s->realms[1];
	assert_int_equal(own->allocation_cap.bits_per_s, 4000000);
	assert_int_equal(own->allocation_cap.burst_bits, 400000);
	assert_int_equal(own->allocation_cap.packets_per_s, 500);
	assert_int_equal(own->allocation_cap.burst_packets, 50);
	assert_int_equal(own->user_cap.bits_per_s, 0);
	assert_int_equal(own->user_cap.packets_per_s, 4);
	assert_int_equal(own->user_cap.burst_packets, 1);
	assert_false(turn_cap_is_set(&own->realm_cap));
	assert_false(turn_cap_is_set(&other->allocation_cap));
	assert_int_equal(other->realm_cap.bits_per_s, 100000);
	assert_int_equal(other->realm_cap.burst_bits, 4000);
	assert_int_equal(s->turn.all_cap.bits_per_s, 4294967295000ull);
	assert_int_equal(s->turn.all_cap.burst_bits, 42949672950000ull);
	settings_destroy(s);
}

static void realms_have_their_own(void **state)
{
	struct tp_addr inside = {.family = TP_FAMILY_IPV4, .ip = {10, 30, 0, 1}};
	struct settings *s;
	char rest[512];

	(void)state;
	snprintf(rest, sizeof(rest),
		"realms:\n  - name: business\n    origins: [here]\n    secrets: [{id: two, "
		"secret_file: %s}]\n    peers: {allow: [10.30.0.0/16]}\n    user_quota: 5\n"
		"directory: {sources: [{name: d, type: sqlite, path: db, realms: [business]}]}\n",
		secret);
	s = make("lab.turnpike", rest);
	assert_int_equal(s->turn.n_realms, 2);
	assert_ptr_equal(s->turn.realms, s->realms);
	assert_string_equal(s->realms[1].name, "business");
	assert_int_equal(s->realms[0].id, 0);
	assert_int_not_equal(s->realms[1].id, 0);
	assert_string_equal(s->realms[1].origins[0], "here");
	assert_string_equal(s->realms[1].secrets[0].id, "two");
	assert_string_equal(s->realms[0].secrets[0].id, "one");
	assert_int_equal(s->realms[1].user_quota, 5);
	assert_int_equal(s->realms[0].user_quota, 0);
	assert_false(s->realms[0].directory);
	assert_true(s->realms[1].directory);
	assert_int_equal(s->realms[0].source, 0);
	assert_int_not_equal(s->realms[1].source, 0);
	assert_int_equal(policy_judge(s->realms[0].policy, &inside, NULL), POLICY_DENIED);
	assert_int_equal(policy_judge(s->realms[1].policy, &inside, NULL), POLICY_ALLOWED);
	// No allow rule opens the relay's own addresses, in any realm.
	assert_int_equal(policy_judge(s->realms[1].policy, &s->locals[0].addr, NULL), POLICY_OWN);
	// Workers can't tell the realm of a first request any more.
	assert_int_equal(s->path.realm_len, 0);
	settings_destroy(s);
}

static void transports_of_listeners(void **state)
{
	struct settings *s = make("lab.turnpike", "");

	(void)state;
	assert_int_equal(s->turn.n_listeners, 2);
	assert_int_equal(s->turn.listeners[0].transport, TP_TRANSPORT_UDP);
	assert_int_equal(s->turn.listeners[1].transport, TP_TRANSPORT_TCP);
	assert_int_equal(s->locals[0].transport, TP_TRANSPORT_UDP);
	assert_int_equal(s->locals[1].transport, TP_TRANSPORT_TCP);
	settings_destroy(s);
}

// Tables fit when they have the slots that caps need; without caps, any number fits.
static void tables_fit_with_room_for_caps(void **state)
{
	static const char *const rest[] = {"limits: {allocations: 40000}\n",
		"limits: {allocations: 40000, caps: {user: {packet_rate: 7}}}\n"};

	(void)state;
	for (unsigned capped = 0; capped < 2; capped++) {
		struct settings *s = make("lab.turnpike", rest[capped]);
		struct shm_tables_shape shape = settings_shape(s->conf);
		struct shm_tables have = {.table = {.n_entries = shape.n_entries},
			.n_allocations = shape.n_allocations,
			.n_port_indexes = shape.n_port_indexes};

		// With few workers there are slots without asking, with many none.
		assert_true(shape.n_limits > 80000);
		assert_int_equal(settings_limits_needed(s->conf), capped ? shape.n_limits : 0);
		assert_int_equal(settings_shape_fits(s->conf, &have), !capped);
		have.n_limits = shape.n_limits;
		assert_true(settings_shape_fits(s->conf, &have));
		s->conf->dataplane.workers = 16;
		assert_int_equal(settings_shape(s->conf).n_limits, capped ? have.n_limits : 0);
		settings_destroy(s);
	}
}

// A reload with as many sets as before needs room for both.
static void port_sets_are_there_before_they_are_asked_for(void **state)
{
	const struct conf conf = {.limits = {.allocations = 16, .entries = 128}};

	(void)state;
	assert_in_range(settings_shape(&conf).n_port_sets, 256, TP_PORT_SETS_MAX);
}

// RFC 8489 14.14: fewer than 128 characters; ASCII is UTF-8.
// Clauses: 8489 14.14-1
static void software_is_short_text(void **state)
{
	struct settings *s = make("lab.turnpike", "protocol: {software: true}\n");

	(void)state;
	assert_non_null(s->turn.software);
	assert_in_range(strlen(s->turn.software), 1, 127);
	for (const char *p = s->turn.software; *p != '\0'; p++)
		assert_in_range(*p, ' ', '~');
	settings_destroy(s);
	s = make("lab.turnpike", "");
	assert_null(s->turn.software);
	settings_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_sets_are_there_before_they_are_asked_for),
		cmocka_unit_test(realm_of_the_workers),
		cmocka_unit_test(software_is_short_text),
		cmocka_unit_test(rates_of_ports),
		cmocka_unit_test(limits_of_users),
		cmocka_unit_test(caps_become_buckets),
		cmocka_unit_test(tables_fit_with_room_for_caps),
		cmocka_unit_test(realms_have_their_own),
		cmocka_unit_test(transports_of_listeners),
	};

	return cmocka_run_group_tests(tests, secret_make, secret_remove);
}
