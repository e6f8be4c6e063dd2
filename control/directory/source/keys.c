// SPDX-License-Identifier: BSD-3-Clause
// Rows of coturn's tables turn_secret and oauth_key as keys of a realm.
#include <source/source.h>

#include <text/base64.h>

#define SKEW_S 5u // that coturn gives a key beyond its lifetime

static struct tp_lookup_key *room(struct tp_lookup_keys *keys)
{
	if (keys->n == TP_LOOKUP_KEYS_MAX) {
		keys->skipped++;
		return NULL;
	}
	return &keys->items[keys->n];
}

void source_secret_add(struct tp_lookup_keys *keys, struct source_text value)
{
	struct tp_lookup_key *k;

	if (value.len == 0 || value.len > sizeof(k->octets)) {
		keys->skipped++;
		return;
	}
	k = room(keys);
	if (k == NULL)
		return;
	*k = (struct tp_lookup_key){.kind = TP_LOOKUP_SECRET, .len = (uint16_t)value.len};
	memcpy(k->octets, value.s, value.len);
	keys->n++;
}

// Digits alone; an empty column is 0, as the schema has it.
static bool number_read(struct source_text text, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] < '0' || text.s[i] > '9' || i == 18)
			return false;
		v = v * 10 + (uint64_t)(text.s[i] - '0');
	}
	*out = v;
	return true;
}

static bool text_is(struct source_text text, const char *want)
{
	return text.len == strlen(want) && memcmp(text.s, want, text.len) == 0;
}

static bool algorithm_read(struct source_text text, uint8_t *kind, size_t *len)
{
	bool short_key = text_is(text, "A128GCM");

	*kind = short_key ? TP_LOOKUP_A128GCM : TP_LOOKUP_A256GCM;
	*len = short_key ? 16 : 32;
	return short_key || text.len == 0 || text_is(text, "A256GCM");
}

void source_token_key_add(struct tp_lookup_keys *keys, const struct source_token_row *row)
{
	struct tp_lookup_key *k = room(keys);
	uint64_t from_s, lifetime_s;
	uint8_t kind;
	size_t len;

	if (k == NULL)
		return;
	*k = (struct tp_lookup_key){0};
	// SCAN of Redis may name a key twice.
	for (uint16_t i = 0; i < keys->n; i++) {
		if (keys->items[i].kind != TP_LOOKUP_SECRET &&
			keys->items[i].id_len == row->id.len &&
			memcmp(keys->items[i].id, row->id.s, row->id.len) == 0)
			return;
	}
	if (row->id.len == 0 || row->id.len > sizeof(k->id) ||
		memchr(row->id.s, '\0', row->id.len) != NULL ||
		!algorithm_read(row->algorithm, &kind, &len) ||
		!number_read(row->timestamp, &from_s) || !number_read(row->lifetime, &lifetime_s) ||
		text_base64_read(row->key.s, row->key.len, k->octets, len) == 0) {
		explicit_bzero(k, sizeof(*k));
		keys->skipped++;
		return;
	}
	k->kind = kind;
	k->len = 32;
	k->not_after_s = lifetime_s != 0 ? from_s + lifetime_s + SKEW_S : 0;
	k->id_len = (uint8_t)row->id.len;
	memcpy(k->id, row->id.s, row->id.len);
	keys->n++;
}
