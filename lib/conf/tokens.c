// SPDX-License-Identifier: BSD-3-Clause
// Keys of tokens from the files that the configuration names, and the checks of a realm's tokens.
// Their contents must never appear in a message.
#include "settle.h"

#include <text/base64.h>

#include <string.h>

#define NAME_MAX_LEN 255u
#define ID_MAX	     128u

static void key_load(
	struct conf_loader *load, const struct draft_token_key *from, struct conf_token_key *to)
{
	const struct spot *where = conf_spot_of_value(load, &from->key_file);
	size_t want = from->algorithm == CONF_TOKEN_A128GCM ? 16 : 32, n;
	struct conf_octets text;

	to->id = from->id;
	to->algorithm = from->algorithm;
	to->not_before_s = from->not_before_s;
	to->not_after_s = from->not_after_s;
	if (where == NULL || !conf_line_load(load, where, from->key_file, &text))
		return;
	n = text_base64_read((const char *)text.data, text.len, to->octets, want);
	if (n == 0)
		conf_complain(load, where, "write base64 of random bytes: openssl rand -base64 32",
			"%s does not hold a key of at most %zu bytes",
			conf_quote(load, from->key_file), want);
	else if (n < want)
		conf_warn(load, where, "make another: openssl rand -base64 32",
			"the key is short: %zu of %zu bytes, the rest is zeros", n, want);
}

void conf_tokens_load(
	struct conf_loader *load, const struct draft_tokens *d, struct conf_tokens *out)
{
	struct conf_token_key *keys = conf_array(load, d->n_keys, sizeof(*keys));

	if (keys == NULL)
		return;
	for (size_t i = 0; i < d->n_keys; i++)
		key_load(load, &d->keys[i], &keys[i]);
	*out = (struct conf_tokens){
		.server_name = d->server_name, .keys = keys, .n_keys = d->n_keys};
}

static int id_compare(const void *a, const void *b)
{
	const struct draft_token_key *x = a, *y = b;

	return strcmp(x->id, y->id);
}

static void tell_same_id(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	conf_complain(load, second, "give each key an id of its own",
		"has the same id as the key in line %u", first->line);
}

void conf_tokens_check(struct conf_loader *load, const struct draft_tokens *d, bool elsewhere)
{
	static const struct spot whole = {.key = "tokens"};

	if (d->n_keys > 0 && d->server_name == NULL)
		conf_complain(load, &whole, "add server_name", "has keys and no server_name");
	if (d->server_name != NULL && d->n_keys == 0 && !elsewhere)
		conf_complain(load, conf_spot_of_value(load, &d->server_name),
			"add keys: [{id: NAME, key_file: FILE}], or token_keys: true to a source",
			"there are no keys of tokens");
	if (d->server_name != NULL && strlen(d->server_name) > NAME_MAX_LEN)
		conf_complain(load, conf_spot_of_value(load, &d->server_name),
			"give a shorter name", "has more than %u bytes", NAME_MAX_LEN);
	for (size_t i = 0; i < d->n_keys; i++) {
		const struct draft_token_key *k = &d->keys[i];
		const struct spot *where = conf_spot_of_value(load, &k->id);

		if (where != NULL && strlen(k->id) > ID_MAX)
			conf_complain(
				load, where, "give a shorter id", "has more than %u bytes", ID_MAX);
		if (k->not_after_s != 0 && k->not_after_s < k->not_before_s)
			conf_complain(load, conf_spot_of_value(load, &k->not_after_s),
				"give a later not_after or an earlier not_before",
				"ends before it begins");
	}
	conf_pairs_find(load, &(struct conf_pairs){d->keys, d->n_keys, sizeof(*d->keys), true,
				      id_compare, tell_same_id});
}
