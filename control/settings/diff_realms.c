// SPDX-License-Identifier: BSD-3-Clause
// Users, secrets and peers of each realm in the difference of two configurations.
#include "parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---- users, secrets, policy -------------------------------------------------------------------

static int by_name(const void *a, const void *b)
{
	const struct conf_user *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static const struct conf_user **users_sort(const struct conf_realm *c)
{
	const struct conf_user **list = calloc(c->n_users + 1, sizeof(*list));

	for (size_t i = 0; list != NULL && i < c->n_users; i++)
		list[i] = &c->users[i];
	if (list != NULL)
		qsort(list, c->n_users, sizeof(*list), by_name);
	return list;
}

static bool octets_equal(const struct conf_octets *a, const struct conf_octets *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool users_equal(const struct conf_user *a, const struct conf_user *b)
{
	if (a->has_key != b->has_key)
		return false;
	return a->has_key ? memcmp(a->key, b->key, sizeof(a->key)) == 0
			  : octets_equal(&a->password, &b->password);
}

void settings_diff_counts(
	struct settings_diff *d, const char *key, size_t added, size_t removed, size_t changed)
{
	if (added + removed + changed > 0)
		settings_diff_add(d, key, false, "%zu added, %zu removed, %zu changed", added,
			removed, changed);
}

static int users_compare(
	struct settings_diff *d, const struct conf_realm *from, const struct conf_realm *to)
{
	const struct conf_user **a = users_sort(from), **b = users_sort(to);
	size_t added = 0, removed = 0, changed = 0, i = 0, k = 0;
	int rc = a == NULL || b == NULL ? -ENOMEM : 0;

	while (rc == 0 && (i < from->n_users || k < to->n_users)) {
		int order = i == from->n_users ? 1
			    : k == to->n_users ? -1
					       : strcmp(a[i]->name, b[k]->name);

		added += order > 0;
		removed += order < 0;
		changed += order == 0 && !users_equal(a[i], b[k]);
		i += order <= 0;
		k += order >= 0;
	}
	free(a);
	free(b);
	settings_diff_counts(d, "users", added, removed, changed);
	return rc;
}

static const struct conf_secret *secret_find(const struct conf_realm *c, const char *id)
{
	for (size_t i = 0; i < c->n_secrets; i++) {
		if (strcmp(c->secrets[i].id, id) == 0)
			return &c->secrets[i];
	}
	return NULL;
}

static bool secrets_equal(const struct conf_secret *a, const struct conf_secret *b)
{
	return octets_equal(&a->octets, &b->octets) && a->hmac == b->hmac &&
	       a->not_before_s == b->not_before_s && a->not_after_s == b->not_after_s;
}

static void secrets_compare(
	struct settings_diff *d, const struct conf_realm *from, const struct conf_realm *to)
{
	size_t added = 0, removed = 0, changed = 0;
	bool moved = false;

	for (size_t i = 0; i < from->n_secrets; i++) {
		const struct conf_secret *is = secret_find(to, from->secrets[i].id);

		removed += is == NULL;
		changed += is != NULL && !secrets_equal(&from->secrets[i], is);
		moved |= i < to->n_secrets && strcmp(from->secrets[i].id, to->secrets[i].id) != 0;
	}
	for (size_t i = 0; i < to->n_secrets; i++)
		added += secret_find(from, to->secrets[i].id) == NULL;
	settings_diff_counts(d, "secrets", added, removed, changed);
	if (added + removed + changed == 0 && moved)
		settings_diff_add(d, "secrets", false, "another order");
}

static const struct conf_token_key *token_key_find(const struct conf_tokens *t, const char *id)
{
	for (size_t i = 0; i < t->n_keys; i++) {
		if (strcmp(t->keys[i].id, id) == 0)
			return &t->keys[i];
	}
	return NULL;
}

static bool token_keys_equal(const struct conf_token_key *a, const struct conf_token_key *b)
{
	return a->algorithm == b->algorithm && a->not_before_s == b->not_before_s &&
	       a->not_after_s == b->not_after_s &&
	       memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

static void tokens_compare(
	struct settings_diff *d, const struct conf_tokens *from, const struct conf_tokens *to)
{
	const char *was = from->server_name != NULL ? from->server_name : "none";
	const char *is = to->server_name != NULL ? to->server_name : "none";
	size_t added = 0, removed = 0, changed = 0;

	if (strcmp(was, is) != 0)
		settings_diff_add(d, "tokens.server_name", false, "%.48s to %.48s", was, is);
	for (size_t i = 0; i < from->n_keys; i++) {
		const struct conf_token_key *k = token_key_find(to, from->keys[i].id);

		removed += k == NULL;
		changed += k != NULL && !token_keys_equal(&from->keys[i], k);
	}
	for (size_t i = 0; i < to->n_keys; i++)
		added += token_key_find(from, to->keys[i].id) == NULL;
	settings_diff_counts(d, "tokens.keys", added, removed, changed);
}

static bool scopes_equal(
	const struct text_scope *a, size_t n_a, const struct text_scope *b, size_t n_b)
{
	bool same = n_a == n_b;

	for (size_t i = 0; same && i < n_a; i++)
		same = tp_addr_equal(&a[i].cidr.ip, &b[i].cidr.ip) &&
		       a[i].cidr.prefix_len == b[i].cidr.prefix_len &&
		       a[i].port_min == b[i].port_min && a[i].port_max == b[i].port_max;
	return same;
}

static void rules_compare(struct settings_diff *d, const char *key, const struct text_scope *from,
	size_t n_from, const struct text_scope *to, size_t n_to)
{
	if (!scopes_equal(from, n_from, to, n_to))
		settings_diff_add(d, key, false, "%zu to %zu prefixes", n_from, n_to);
}

static bool policies_equal(const struct conf_policy *a, const struct conf_policy *b)
{
	bool same =
		strcmp(a->name, b->name) == 0 && a->n_users == b->n_users &&
		scopes_equal(a->peers.allow, a->peers.n_allow, b->peers.allow, b->peers.n_allow) &&
		scopes_equal(a->peers.deny, a->peers.n_deny, b->peers.deny, b->peers.n_deny) &&
		a->peers.dry_run == b->peers.dry_run;

	for (size_t i = 0; same && i < a->n_users; i++)
		same = strcmp(a->users[i], b->users[i]) == 0;
	return same;
}

static void policies_compare(
	struct settings_diff *d, const struct conf_realm *from, const struct conf_realm *to)
{
	bool same = from->n_policies == to->n_policies;

	for (size_t i = 0; same && i < from->n_policies; i++)
		same = policies_equal(&from->policies[i], &to->policies[i]);
	if (!same)
		settings_diff_add(d, "policies", false, "%zu to %zu policies", from->n_policies,
			to->n_policies);
}

static int credentials_compare(
	struct settings_diff *d, const struct conf_realm *from, const struct conf_realm *to)
{
	secrets_compare(d, from, to);
	tokens_compare(d, &from->tokens, &to->tokens);
	rules_compare(d, "peers.allow", from->peers.allow, from->peers.n_allow, to->peers.allow,
		to->peers.n_allow);
	rules_compare(d, "peers.deny", from->peers.deny, from->peers.n_deny, to->peers.deny,
		to->peers.n_deny);
	settings_diff_number(d, "peers.dry_run", false, from->peers.dry_run, to->peers.dry_run);
	policies_compare(d, from, to);
	return users_compare(d, from, to);
}

// ---- further realms ---------------------------------------------------------------------------

static struct conf_realm own_realm(const struct conf *c)
{
	return (struct conf_realm){.users = c->users,
		.n_users = c->n_users,
		.secrets = c->secrets,
		.n_secrets = c->n_secrets,
		.tokens = c->tokens,
		.peers = c->peers,
		.policies = c->policies,
		.n_policies = c->n_policies};
}

static const struct conf_realm *realm_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_realms; i++) {
		if (strcmp(c->realms[i].name, name) == 0)
			return &c->realms[i];
	}
	return NULL;
}

static void origins_compare(
	struct settings_diff *d, const struct conf_realm *from, const struct conf_realm *to)
{
	bool same = from->n_origins == to->n_origins;

	for (size_t i = 0; same && i < from->n_origins; i++)
		same = strcmp(from->origins[i], to->origins[i]) == 0;
	if (!same)
		settings_diff_add(
			d, "origins", false, "%zu to %zu", from->n_origins, to->n_origins);
}

// One line a realm, which names the keys in it.
static int realm_compare(
	struct settings_diff *d, const struct conf_realm *from, const struct conf_realm *to)
{
	static const char *const caps[] = SETTINGS_CAPS_KEYS("caps.");
	static const char *const budget[] = SETTINGS_BUDGET_KEYS("budget.");
	struct settings_diff *part = calloc(1, sizeof(*part));
	char text[sizeof(part->changes[0].text)];
	int rc;

	if (part == NULL)
		return -ENOMEM;
	origins_compare(part, from, to);
	settings_diff_number(part, "allocations", false, from->allocations, to->allocations);
	settings_diff_number(part, "connections", false, from->connections, to->connections);
	settings_diff_number(part, "user_ports", false, from->user_ports, to->user_ports);
	settings_diff_number(part, "user_quota", false, from->user_quota, to->user_quota);
	settings_diff_number(part, "secret_quota", false, from->secret_quota, to->secret_quota);
	settings_diff_number(part, "allocate_rate", false, from->allocate_rate, to->allocate_rate);
	settings_diff_number(
		part, "allocate_burst", false, from->allocate_burst, to->allocate_burst);
	settings_diff_number(part, "port_rate", false, from->port_rate, to->port_rate);
	settings_diff_budget(part, budget, &from->budget, &to->budget);
	settings_diff_caps(part, caps, &from->caps, &to->caps);
	rc = credentials_compare(part, from, to);
	if (rc == 0 && part->n > 0)
		settings_diff_add(d, "realms", false, "%.40s: %s", to->name,
			settings_diff_format(part, false, text, sizeof(text)));
	free(part);
	return rc;
}

// Allocations belong to their realm for their life: realms come and go with a restart.
static int realms_compare(struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	bool moved = false;
	int rc = 0;

	for (size_t i = 0; i < from->n_realms; i++) {
		if (realm_find(to, from->realms[i].name) == NULL)
			settings_diff_add(d, "realms", true, "%.64s removed", from->realms[i].name);
	}
	for (size_t i = 0; i < to->n_realms && rc == 0; i++) {
		const struct conf_realm *was = realm_find(from, to->realms[i].name);

		moved |= i < from->n_realms && was != &from->realms[i];
		if (was == NULL)
			settings_diff_add(d, "realms", true, "%.64s added", to->realms[i].name);
		else
			rc = realm_compare(d, was, &to->realms[i]);
	}
	if (moved && from->n_realms == to->n_realms)
		settings_diff_add(d, "realms", true, "another order");
	return rc;
}

int settings_diff_realms(struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	const struct conf_realm was = own_realm(from), is = own_realm(to);
	int rc = credentials_compare(d, &was, &is);

	return rc < 0 ? rc : realms_compare(d, from, to);
}
