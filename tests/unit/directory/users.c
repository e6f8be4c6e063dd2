// SPDX-License-Identifier: BSD-3-Clause
#include "users.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct tp_lookup_ask users_ask(uint64_t ticket, const char *realm, const char *name)
{
	struct tp_lookup_ask m = {
		.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_ASK},
		.ticket = ticket,
		.by = TP_LOOKUP_BY_NAME,
		.realm_len = (uint16_t)strlen(realm),
		.name_len = (uint16_t)strlen(name),
	};

	memcpy(m.text, realm, m.realm_len);
	memcpy(m.text + m.realm_len, name, m.name_len);
	return m;
}

static enum tp_lookup_status bytes_find(struct source *s, const char *realm, const char *name,
	size_t name_len, struct source_answer *a)
{
	const struct source_question q = {
		.realm = realm,
		.realm_len = strlen(realm),
		.name = (const uint8_t *)name,
		.name_len = name_len,
	};

	source_ask(s, &q, a);
	return a->status;
}

enum tp_lookup_status users_find(
	struct source *s, const char *realm, const char *name, struct source_answer *a)
{
	return bytes_find(s, realm, name, strlen(name), a);
}

void users_check(struct source *s)
{
	static const uint8_t first[] = {0x5a, 0x12, 0xa5, 0xb8};
	const struct source_question hash = {.by = TP_LOOKUP_BY_USERHASH,
		.realm = USERS_REALM,
		.realm_len = strlen(USERS_REALM)};
	struct source_answer a;

	assert_int_equal(users_find(s, USERS_REALM, "alice", &a), TP_LOOKUP_FOUND);
	assert_int_equal(a.algorithm, TP_LOOKUP_MD5);
	assert_int_equal(a.key_len, 16);
	assert_memory_equal(a.key, first, sizeof(first));
	assert_int_equal(users_find(s, USERS_REALM, "sha", &a), TP_LOOKUP_FOUND);
	assert_int_equal(a.algorithm, TP_LOOKUP_SHA256);
	assert_int_equal(a.key_len, 32);
	assert_int_equal(a.key[31], 0x1f);
	// No name leaves its quotes.
	assert_int_equal(users_find(s, USERS_REALM, "o'neil", &a), TP_LOOKUP_FOUND);
	assert_int_equal(users_find(s, USERS_REALM, "' OR '1'='1", &a), TP_LOOKUP_UNKNOWN);
	// Nor is it a format.
	assert_int_equal(users_find(s, USERS_REALM, "%s%n%b", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, "%s%n%b", "alice", &a), TP_LOOKUP_UNKNOWN);
	// Nor a pattern.
	assert_int_equal(users_find(s, USERS_REALM, "al%", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, USERS_REALM, "al_ce", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, USERS_REALM, "al*", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, USERS_REALM, "Alice", &a), TP_LOOKUP_UNKNOWN);
	// Nor does it end at a NUL: that would be a second name of the same user.
	assert_int_equal(bytes_find(s, USERS_REALM, "alice", 6, &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(bytes_find(s, USERS_REALM, "alice\0bob", 9, &a), TP_LOOKUP_UNKNOWN);
	// Nor UTF-8: nobody's.
	assert_int_equal(users_find(s, USERS_REALM, "alic\xe9", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, USERS_REALM, "\xff", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, USERS_REALM, "alic", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, USERS_REALM, "alice2", &a), TP_LOOKUP_UNKNOWN);
	assert_int_equal(users_find(s, "another.example", "alice", &a), TP_LOOKUP_UNKNOWN);
	// A key that is none tells its place, not its text.
	assert_int_equal(users_find(s, USERS_REALM, "broken", &a), TP_LOOKUP_FAILED);
	assert_non_null(strstr(a.problem, "hexadecimal"));
	assert_null(strstr(a.problem, "no key"));
	assert_false(a.again);
	assert_true(a.answered);
	source_ask(s, &hash, &a);
	assert_int_equal(a.status, TP_LOOKUP_UNKNOWN);
}

static const struct tp_lookup_key *key_find(
	const struct tp_lookup_keys *keys, uint8_t kind, const char *id, const char *octets)
{
	for (uint16_t i = 0; i < keys->n; i++) {
		const struct tp_lookup_key *k = &keys->items[i];

		if (k->kind == kind && k->id_len == strlen(id) &&
			memcmp(k->id, id, k->id_len) == 0 &&
			memcmp(k->octets, octets, strlen(octets)) == 0)
			return k;
	}
	return NULL;
}

static void keys_ask(
	struct source *s, const char *realm, uint16_t wanted, struct tp_lookup_keys *keys)
{
	const struct source_question q = {.by = TP_LOOKUP_BY_REALM,
		.realm = realm,
		.realm_len = strlen(realm),
		.wanted = wanted};
	struct source_answer a;

	source_keys(s, &q, keys, &a);
	assert_int_equal(a.status, TP_LOOKUP_FOUND);
}

void keys_check(struct source *s)
{
	static struct tp_lookup_keys keys;
	const struct tp_lookup_key *k;

	keys_ask(s, USERS_REALM, TP_LOOKUP_SECRETS, &keys);
	assert_int_equal(keys.n, 2);
	k = key_find(&keys, TP_LOOKUP_SECRET, "", "north o'wind");
	assert_non_null(k);
	assert_int_equal(k->len, 12);
	assert_int_equal(k->not_after_s, 0);
	assert_non_null(key_find(&keys, TP_LOOKUP_SECRET, "", "south"));
	keys_ask(s, USERS_REALM, TP_LOOKUP_TOKEN_KEYS, &keys);
	assert_int_equal(keys.n, 2);
	assert_int_equal(keys.skipped, 2);
	k = key_find(&keys, TP_LOOKUP_A256GCM, "whole", "\x01\x02\x03\x04");
	assert_non_null(k);
	assert_int_equal(k->len, 32);
	assert_int_equal(k->octets[4] | k->octets[31], 0);
	assert_int_equal(k->not_after_s, 0);
	k = key_find(&keys, TP_LOOKUP_A128GCM, "short", "\x05\x06\x07\x08");
	assert_non_null(k);
	assert_int_equal(k->not_after_s, 1000 + 3600 + 5);
	keys_ask(s, USERS_REALM, TP_LOOKUP_SECRETS | TP_LOOKUP_TOKEN_KEYS, &keys);
	assert_int_equal(keys.n, 4);
	keys_ask(s, "nobody.example", TP_LOOKUP_SECRETS, &keys);
	assert_int_equal(keys.n, 0);
	keys_ask(s, KEYS_OTHER, TP_LOOKUP_SECRETS, &keys);
	assert_int_equal(keys.n, 1);
}
