// SPDX-License-Identifier: BSD-3-Clause
// docs/turnpike.yaml is right as it stands, with every commented option taken in, and complete.
#include "support.h"

#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char example[64 * 1024];
static char uncommented[64 * 1024];

// Activates the lines that are commented out: "#" without a blank behind it.
static void uncomment(const char *from, char *to)
{
	while (*from != '\0') {
		const char *end = strchr(from, '\n');
		size_t blanks = strspn(from, " ");

		assert_non_null(end);
		end++;
		if (from[blanks] == '#' && strchr(" #\n", from[blanks + 1]) == NULL) {
			memcpy(to, from, blanks);
			to += blanks;
			from += blanks + 1;
		}
		memcpy(to, from, (size_t)(end - from));
		to += end - from;
		from = end;
	}
	*to = '\0';
}

static void file_read_whole(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t len;

	assert_non_null(f);
	len = fread(buf, 1, size - 1, f);
	assert_true(len < size - 1);
	buf[len] = '\0';
	fclose(f);
}

static void as_it_stands(void **state)
{
	struct conf *c = support_load_good(CONF_FOR_CONTROL, example);

	(void)state;
	assert_int_equal(c->n_secrets, 1);
	assert_int_equal(c->n_listeners, 2);
	conf_free(c);
	conf_free(support_load_good(CONF_FOR_DATAPLANE, example));
}

// The defaults are as documented.
static void defaults_are_told_right(void **state)
{
	struct conf *a = support_load_good(CONF_FOR_CONTROL, example);
	struct conf *b = support_load_good(CONF_FOR_CONTROL, uncommented);

	(void)state;
	assert_string_equal(a->instance, b->instance);
	assert_string_equal(a->runtime_directory, b->runtime_directory);
	assert_int_equal(a->dataplane.workers, b->dataplane.workers);
	assert_int_equal(a->dataplane.poll, b->dataplane.poll);
	assert_int_equal(a->dataplane.hugepages, b->dataplane.hugepages);
	assert_int_equal(a->n_listeners, 2);
	assert_int_equal(b->n_listeners, 9);
	assert_memory_equal(&a->listeners[0].addr, &b->listeners[0].addr, sizeof(struct tp_addr));
	assert_int_equal(a->relay.n_addresses, b->relay.n_addresses);
	assert_int_equal(a->relay.port_min, b->relay.port_min);
	assert_int_equal(a->relay.port_max, b->relay.port_max);
	assert_memory_equal(&a->limits, &b->limits, sizeof(a->limits));
	assert_int_equal(a->edge.threads, b->edge.threads);
	assert_int_equal(b->edge.n_certificates, 1);
	assert_int_equal(a->edge.connections, b->edge.connections);
	assert_int_equal(a->edge.connections_per_prefix, b->edge.connections_per_prefix);
	assert_int_equal(a->edge.handshake_rate, b->edge.handshake_rate);
	assert_int_equal(a->edge.handshake_rate_per_prefix, b->edge.handshake_rate_per_prefix);
	assert_int_equal(a->edge.handshake_timeout_s, b->edge.handshake_timeout_s);
	assert_int_equal(a->edge.idle_timeout_s, b->edge.idle_timeout_s);
	assert_int_equal(a->edge.drain_s, b->edge.drain_s);
	assert_int_equal(a->edge.queue_age_ms, b->edge.queue_age_ms);
	assert_int_equal(a->edge.queue_bytes, b->edge.queue_bytes);
	assert_int_equal(a->protocol.channel_max, b->protocol.channel_max);
	assert_int_equal(a->protocol.default_family, b->protocol.default_family);
	assert_int_equal(
		a->protocol.permission_follows_channel, b->protocol.permission_follows_channel);
	assert_int_equal(a->protocol.heal_black_holes, b->protocol.heal_black_holes);
	assert_int_equal(a->protocol.software, b->protocol.software);
	assert_int_equal(a->protocol.secure_stun, b->protocol.secure_stun);
	assert_int_equal(a->protocol.tcp_relay, b->protocol.tcp_relay);
	assert_int_equal(a->limits.user_connections, b->limits.user_connections);
	assert_int_equal(a->protocol.draining, b->protocol.draining);
	assert_int_equal(b->protocol.n_alternate_servers, 1);
	assert_int_equal(b->protocol.n_tls_alternate_servers, 1);
	assert_int_equal(a->protocol.nat_discovery, b->protocol.nat_discovery);
	assert_int_equal(a->protocol.mobility, b->protocol.mobility);
	assert_int_equal(a->protocol.sha256, b->protocol.sha256);
	assert_int_equal(a->protocol.userhash, b->protocol.userhash);
	assert_int_equal(a->log.format, b->log.format);
	assert_int_equal(a->log.level, b->log.level);
	assert_string_equal(a->control.socket, b->control.socket);
	assert_string_equal(a->control.group, b->control.group);
	assert_string_equal(a->segment.group, b->segment.group);
	assert_int_equal(b->n_users, 3);
	assert_int_equal(b->relay.n_external, 1);
	conf_free(a);
	conf_free(b);
}

static void assert_keys_are_there(const struct section *section)
{
	for (const struct rule *rule = section->rules; rule->key != NULL; rule++) {
		char key[64];

		snprintf(key, sizeof(key), "%s:", rule->key);
		if (strstr(example, key) == NULL)
			fail_msg("docs/turnpike.yaml does not show %s", rule->key);
		if (rule->section != NULL)
			assert_keys_are_there(rule->section);
	}
}

static void every_option_is_shown(void **state)
{
	(void)state;
	assert_keys_are_there(&conf_schema_top);
}

// A machine without the secret is told about the secret, and nothing else.
static void secret_is_all_that_is_missing(void **state)
{
	struct conf_request req = {.role = CONF_FOR_CONTROL, .path = EXAMPLE_PATH};
	struct conf_errors errs = {0};
	struct conf *c;

	(void)state;
	assert_true(conf_load(&req, &c, &errs) < 0);
	assert_int_equal(errs.len, 1);
	assert_string_equal(errs.items[0].key, "secrets[0].secret_file");
	conf_errors_fini(&errs);
}

static int setup(void **state)
{
	(void)state;
	file_read_whole(EXAMPLE_PATH, example, sizeof(example));
	uncomment(example, uncommented);
	support_write("rest.secret", "0123456789abcdef\n", 0640);
	support_write("alice.password", "correct horse\n", 0640);
	support_write("bob.key", "0123456789abcdef0123456789abcdef\n", 0640);
	support_write("users", "carol:0123456789abcdef0123456789abcdef\n", 0640);
	support_write("token.key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", 0640);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_stands),
		cmocka_unit_test(defaults_are_told_right),
		cmocka_unit_test(every_option_is_shown),
		cmocka_unit_test(secret_is_all_that_is_missing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
