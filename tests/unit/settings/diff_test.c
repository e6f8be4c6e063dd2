// SPDX-License-Identifier: BSD-3-Clause
// Differences of two configurations: which are named, which need a restart, and that no secret
// shows.
#include <settings/diff.h>
#include <settings/settings.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BASE                                                                                       \
	"realm: a.example\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"                \
	"dataplane: {workers: 1, ports: [{interface: lo}]}\n"                                      \
	"secrets: [{id: one, secret_file: a}]\n"

static char directory[] = "/tmp/settings_diff.XXXXXX";

static void file_write(const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int files_make(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	file_write("a", "0123456789abcdef0123456789abcdef\n");
	file_write("b", "fedcba9876543210fedcba9876543210\n");
	file_write("k", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
	return 0;
}

static int files_remove(void **state)
{
	char path[64];

	(void)state;
	for (char name = 'a'; name <= 'b'; name++) {
		snprintf(path, sizeof(path), "%s/%c", directory, name);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/k", directory);
	unlink(path);
	return rmdir(directory);
}

static struct conf *load(const char *text)
{
	const struct conf_request request = {
		.role = CONF_FOR_CONTROL, .text = text, .directory = directory};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;

	if (conf_load(&request, &conf, &errs) < 0)
		fail_msg("%s: %s", errs.items[0].key, errs.items[0].problem);
	conf_errors_fini(&errs);
	return conf;
}

static const struct settings_change *find(const struct settings_diff *d, const char *key)
{
	for (unsigned i = 0; i < d->n && i < SETTINGS_CHANGES_MAX; i++) {
		if (strcmp(d->changes[i].key, key) == 0)
			return &d->changes[i];
	}
	return NULL;
}

struct row {
	const char *text;
	const char *key; // NULL: no difference
	const char *change;
	bool restart;
};

static const struct row changes[] = {
	{BASE, NULL, NULL, false},
	{BASE "limits: {user_quota: 7}\n", "limits.user_quota", NULL, false},
	{BASE "limits: {secret_quota: 7}\n", "limits.secret_quota", "0 to 7", false},
	{BASE "limits: {user_connections: 7}\n", "limits.user_connections", "1024 to 7", false},
	{BASE "protocol: {tcp_relay: no}\n", "protocol.tcp_relay", "1 to 0", false},
	{BASE "limits: {allocate_rate: 7}\n", "limits.allocate_rate", "0 to 7", false},
	{BASE "limits: {allocate_burst: 7}\n", "limits.allocate_burst", "20 to 7", false},
	{BASE "limits: {caps: {allocation: {bandwidth: 7}}}\n", "limits.caps.allocation.bandwidth",
		"0 to 7", false},
	{BASE "limits: {user_ports: 7}\n", "limits.user_ports", "0 to 7", false},
	{BASE "limits: {realm_allocations: 7}\n", "limits.realm_allocations", "0 to 7", false},
	{BASE "limits: {realm_connections: 7}\n", "limits.realm_connections", "0 to 7", false},
	{BASE "limits: {peer_rate: 7}\n", "limits.peer_rate", "16 to 7", false},
	{BASE "limits: {peer_burst: 7}\n", "limits.peer_burst", "512 to 7", false},
	{BASE "limits: {port_rate: 7}\n", "limits.port_rate", "16 to 7", false},
	{BASE "limits: {budget: {megabytes: 7}}\n", "limits.budget.megabytes", "0 to 7", false},
	{BASE "limits: {budget: {period: day}}\n", "limits.budget.period", "month to day", false},
	{BASE "limits: {budget: {start: 7}}\n", "limits.budget.start", "0 to 7", false},
	{BASE "limits: {budget: {calls: cap}}\n", "limits.budget.calls", "end to cap", false},
	{BASE "limits: {caps: {user: {packet_rate: 7}}}\n", "limits.caps.user.packet_rate",
		"0 to 7", false},
	{BASE "limits: {caps: {realm: {burst: 7}}}\n", "limits.caps.realm.burst", "40 to 7", false},
	{BASE "limits: {caps: {all: {burst: 7}}}\n", "limits.caps.all.burst", "40 to 7", false},
	{BASE "limits: {credential_lifetime: 60}\n", "limits.credential_lifetime", NULL, false},
	{BASE "limits: {allocations: 77}\n", "limits.allocations", NULL, true},
	{BASE "protocol: {credential_separator: '|'}\n", "protocol.credential_separator", ": to |",
		false},
	{BASE "protocol: {end_with_credential: true}\n", "protocol.end_with_credential", "0 to 1",
		false},
	{"realm: a.example\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"
	 "dataplane: {workers: 1, ports: [{interface: lo}]}\n"
	 "secrets: [{id: one, secret_file: a, not_after: 2026-11-29}]\n",
		"secrets", "0 added, 0 removed, 1 changed", false},
	{BASE "relay: {ports: 50000-60000}\n", "relay.ports", NULL, true},
	{BASE "relay: {ttl: reset}\n", "relay.ttl", "decrement to reset", false},
	{BASE "realms: [{name: r, secrets: [{id: x, secret_file: a}]}]\n", "realms", "r added",
		true},
	{BASE "directory: {sources: [{name: d, type: sqlite, path: db}]}\n", "directory.sources",
		"1 added, 0 removed, 0 changed", false},
	{BASE "instance: other\n", "instance", "default to other", true},
	{BASE "peers: {allow: [10.9.0.0/16]}\n", "peers.allow", "0 to 1 prefixes", false},
	{BASE "peers: {deny: ['0.0.0.0/0:25']}\n", "peers.deny", "0 to 1 prefixes", false},
	{BASE "policies: [{name: a, users: [b], deny: ['0.0.0.0/0:25']}]\n", "policies",
		"0 to 1 policies", false},
	{BASE "peers: {deny: [8.8.0.0/16], dry_run: true}\n", "peers.dry_run", "0 to 1", false},
	{BASE "control: {state_directory: /srv}\n", "control.state_directory", NULL, true},
	{BASE "tokens: {server_name: t, keys: [{id: k, key_file: k}]}\n", "tokens.keys",
		"1 added, 0 removed, 0 changed", false},
	{BASE "peers: {local: ['10.0.0.1:20000']}\n", "peers.local", "changed", true},
	{"realm: a.example\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"
	 "dataplane: {workers: 1, ports: [{interface: lo}]}\n"
	 "secrets: [{id: two, secret_file: a}]\n",
		"secrets", "1 added, 1 removed, 0 changed", false},
	{"realm: b.example\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"
	 "dataplane: {workers: 1, ports: [{interface: lo}]}\n"
	 "secrets: [{id: one, secret_file: a}]\n",
		"realm", "a.example to b.example", false},
	{"realm: a.example\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.3}]\n"
	 "dataplane: {workers: 1, ports: [{interface: lo}]}\n"
	 "secrets: [{id: one, secret_file: a}]\n",
		"relay.addresses", "10.0.0.2 removed", false},
	{"realm: a.example\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"
	 "dataplane: {workers: 2, ports: [{interface: lo}]}\n"
	 "secrets: [{id: one, secret_file: b}]\n",
		"dataplane.workers", "1 to 2", true},
	{"realm: a.example\nlisteners: [{address: 10.0.0.1}, {address: 10.0.0.2}]\n"
	 "dataplane: {workers: 1, fragment_memory: 0, ports: [{interface: lo}]}\n"
	 "secrets: [{id: one, secret_file: b}]\n",
		"dataplane.fragment_memory", "4 to 0", true},
};

static void assert_named(const struct conf *base, const struct row *row)
{
	struct conf *other = load(row->text);
	const struct settings_change *c;
	struct settings_diff d;
	char line[1024];

	assert_int_equal(settings_diff(&d, base, other), 0);
	if (row->key == NULL) {
		assert_int_equal(d.n, 0);
		conf_free(other);
		return;
	}
	c = find(&d, row->key);
	if (c == NULL)
		fail_msg("%s is not named", row->key);
	assert_int_equal(c->restart, row->restart);
	assert_int_equal(d.n_restart > 0, row->restart);
	if (row->change != NULL)
		assert_string_equal(c->text, row->change);
	settings_diff_format(&d, false, line, sizeof(line));
	assert_non_null(strstr(line, row->key));
	assert_null(strstr(line, "fedcba"));
	settings_diff_format(&d, true, line, sizeof(line));
	assert_int_equal(strstr(line, row->key) != NULL, row->restart);
	conf_free(other);
}

static void keys_are_named(void **state)
{
	struct conf *base = load(BASE);

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		assert_named(base, &changes[i]);
	conf_free(base);
}

#define REALM(rest)  BASE "realms: [{name: r, secrets: [{id: x, secret_file: a}]" rest "}]\n"
#define SOURCE(rest) BASE "directory: {sources: [{name: d, type: sqlite, path: db" rest "}]}\n"

// One realm's difference is one line, put into force without a restart.
static void realms_and_sources_change_in_force(void **state)
{
	static const struct {
		const char *from, *to, *key, *change;
	} rows[] = {
		{REALM(""), REALM(", user_quota: 4"), "realms", "r: user_quota: 0 to 4"},
		{REALM(""), REALM(", origins: [o], peers: {deny: [10.0.0.0/8]}"), "realms",
			"r: origins: 0 to 1; peers.deny: 0 to 1 prefixes"},
		{REALM(""), REALM(", caps: {realm: {bandwidth: 9}}"), "realms",
			"r: caps.realm.bandwidth: 0 to 9"},
		{REALM(""), REALM(", connections: 9, user_ports: 3"), "realms",
			"r: connections: 0 to 9; user_ports: 0 to 3"},
		{REALM(""), REALM(", port_rate: 9"), "realms", "r: port_rate: 16 to 9"},
		{REALM(""), REALM(", budget: {megabytes: 9}"), "realms",
			"r: budget.megabytes: 0 to 9"},
		{SOURCE(""), SOURCE(", life: 7"), "directory.sources",
			"0 added, 0 removed, 1 changed"},
		{SOURCE(""), SOURCE(", realms: [r]"), "directory.sources",
			"0 added, 0 removed, 1 changed"},
	};
	struct settings_diff d;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf *from = load(rows[i].from), *to = load(rows[i].to);

		assert_int_equal(settings_diff(&d, from, to), 0);
		assert_int_equal(d.n, 1);
		assert_int_equal(d.n_restart, 0);
		assert_string_equal(d.changes[0].key, rows[i].key);
		assert_string_equal(d.changes[0].text, rows[i].change);
		assert_int_equal(settings_diff(&d, to, to), 0);
		assert_int_equal(d.n, 0);
		conf_free(from);
		conf_free(to);
	}
}

// However many other changes there are, one that refuses the reload has its line.
static void restarts_always_have_a_line(void **state)
{
	static char texts[2][16384];
	struct settings_diff d;
	struct conf *confs[2];
	char line[1024];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		size_t len = (size_t)snprintf(texts[i], sizeof(texts[i]),
			BASE "limits: {user_quota: %u, secret_quota: %u}\nrealms:\n", 1 + i, 1 + i);

		for (unsigned k = 0; k < SETTINGS_CHANGES_MAX - 1 + i; k++)
			len += (size_t)snprintf(texts[i] + len, sizeof(texts[i]) - len,
				" - {name: r%u, user_quota: %u, secrets: [{id: x, "
				"secret_file: a}]}\n",
				k, 1 + i);
		assert_true(len < sizeof(texts[i]));
		confs[i] = load(texts[i]);
	}
	assert_int_equal(settings_diff(&d, confs[0], confs[1]), 0);
	assert_int_equal(d.n, SETTINGS_CHANGES_MAX + 2);
	assert_int_equal(d.n_restart, 1);
	settings_diff_format(&d, true, line, sizeof(line));
	assert_string_equal(line, "realms: r63 added");
	conf_free(confs[0]);
	conf_free(confs[1]);
}

// Where slots for caps would be much memory, tables made without a cap have none.
static void caps_may_need_other_tables(void **state)
{
	static const char many[] = BASE "limits: {allocations: 4194304}\n";
	static const char capped[] =
		BASE "limits: {allocations: 4194304, caps: {user: {packet_rate: 7}}}\n";
	struct conf *from = load(many), *to = load(capped);
	struct settings_diff d;

	(void)state;
	assert_int_equal(settings_diff(&d, from, to), 0);
	assert_int_equal(d.n_restart, 0);
	settings_diff_room(&d, from, to, 0);
	assert_non_null(find(&d, "limits.caps"));
	assert_true(find(&d, "limits.caps")->restart);
	assert_int_equal(d.n_restart, 1);
	// The tables in use decide, not those that the configuration would make.
	assert_int_equal(settings_diff(&d, from, to), 0);
	settings_diff_room(&d, from, to, settings_shape(to).n_limits);
	assert_int_equal(d.n_restart, 0);
	settings_diff_room(&d, to, from, 0);
	// Those in force without room are no reason to refuse other changes.
	settings_diff_room(&d, to, to, 0);
	assert_int_equal(d.n_restart, 0);
	conf_free(from);
	conf_free(to);
}

// Without a cap of users there are slots for allocations alone, where slots are much memory.
static void caps_of_users_need_more(void **state)
{
	static const char some[] =
		BASE "limits: {allocations: 250000, caps: {allocation: {bandwidth: 7}}}\n";
	static const char *const more[] = {BASE
		"limits: {allocations: 250000, caps: {allocation: {bandwidth: 7},"
		" user: {bandwidth: 7}}}\n",
		BASE "limits: {allocations: 250000, caps: {allocation: {bandwidth: 7}},"
		     " budget: {megabytes: 7, calls: cap}}\n"};
	struct conf *from = load(some);
	uint32_t n = settings_shape(from).n_limits;

	(void)state;
	assert_in_range(n, 250000, 250500);
	for (unsigned i = 0; i < TP_ARRAY_LEN(more); i++) {
		struct conf *to = load(more[i]);
		struct settings_diff d;

		assert_in_range(settings_shape(to).n_limits, 500000, 500500);
		assert_int_equal(settings_diff(&d, from, to), 0);
		settings_diff_room(&d, from, to, n);
		assert_int_equal(d.n_restart, 1);
		assert_int_equal(settings_diff(&d, to, from), 0);
		settings_diff_room(&d, to, from, n);
		assert_int_equal(d.n_restart, 0);
		conf_free(to);
	}
	conf_free(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_named),
		cmocka_unit_test(realms_and_sources_change_in_force),
		cmocka_unit_test(restarts_always_have_a_line),
		cmocka_unit_test(caps_may_need_other_tables),
		cmocka_unit_test(caps_of_users_need_more),
	};

	return cmocka_run_group_tests_name("settings diff", tests, files_make, files_remove);
}
