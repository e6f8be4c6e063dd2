// SPDX-License-Identifier: BSD-3-Clause
#include "realms.h"

#include <errno.h>
#include <stdlib.h>

#include <stun/integrity.h>
#include <turnpike/siphash.h>

#define SPENT_BURST_MS 40u // as the default of caps

void settings_wipe_free(const void *p, size_t len)
{
	if (p != NULL)
		explicit_bzero((void *)(uintptr_t)p, len);
	free((void *)(uintptr_t)p);
}

static int users_make(struct settings_realm *part, struct turn_realm_conf *realm,
	const struct conf_user *users, size_t n)
{
	struct stun_text name_of_realm = {realm->name, strlen(realm->name)};
	struct stun_crypto *crypto = stun_crypto_create();
	uint8_t key[STUN_KEY_MD5_LEN] = {0}, sha256[STUN_KEY_SHA256_LEN] = {0};
	int rc = crypto == NULL ? -errno : 0;

	part->users = calloc(n + 1, sizeof(*part->users));
	if (part->users == NULL)
		rc = -ENOMEM;
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct conf_user *u = &users[i];
		struct stun_text name = {u->name, strlen(u->name)};
		struct stun_text password = {(const char *)u->password.data, u->password.len};

		part->users[i].name = u->name;
		if (u->has_key)
			memcpy(key, u->key, sizeof(key));
		else
			rc = stun_key_md5(crypto, name, name_of_realm, password, key);
		part->users[i].key = turn_key_md5(key);
		if (u->has_key || rc != 0)
			continue;
		rc = stun_key_sha256(crypto, name, name_of_realm, password, sha256);
		part->users[i].key_sha256 = turn_key_sha256(sha256);
	}
	explicit_bzero(key, sizeof(key));
	explicit_bzero(sha256, sizeof(sha256));
	if (crypto != NULL)
		stun_crypto_destroy(crypto);
	realm->users = part->users;
	realm->n_users = n;
	return rc;
}

static int secrets_make(struct settings_realm *part, struct turn_realm_conf *realm,
	const struct conf_secret *secrets, size_t n)
{
	static const enum turn_hmac hmacs[] = {
		[CONF_HMAC_SHA1] = TURN_HMAC_SHA1,
		[CONF_HMAC_SHA256] = TURN_HMAC_SHA256,
		[CONF_HMAC_ANY] = TURN_HMAC_ANY,
	};

	part->secrets = calloc(n + 1, sizeof(*part->secrets));
	if (part->secrets == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		part->secrets[i] = (struct turn_secret){.id = secrets[i].id,
			.octets = secrets[i].octets.data,
			.len = secrets[i].octets.len,
			.hmac = hmacs[secrets[i].hmac],
			.not_before_s = secrets[i].not_before_s,
			.not_after_s = secrets[i].not_after_s};
	realm->secrets = part->secrets;
	realm->n_secrets = n;
	return 0;
}

static int tokens_make(struct settings_realm *part, struct turn_realm_conf *realm,
	const struct conf_tokens *tokens)
{
	if (tokens->server_name == NULL)
		return 0;
	part->token_keys = calloc(tokens->n_keys + 1, sizeof(*part->token_keys));
	if (part->token_keys == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < tokens->n_keys; i++) {
		const struct conf_token_key *k = &tokens->keys[i];

		part->token_keys[i] = (struct turn_token_key){.id = k->id,
			.algorithm = k->algorithm == CONF_TOKEN_A128GCM ? TURN_TOKEN_A128GCM
									: TURN_TOKEN_A256GCM,
			.not_before_s = k->not_before_s,
			.not_after_s = k->not_after_s};
		memcpy(part->token_keys[i].octets, k->octets, sizeof(k->octets));
	}
	realm->token_server = tokens->server_name;
	realm->token_keys = part->token_keys;
	realm->n_token_keys = tokens->n_keys;
	return 0;
}

// With a trial of deny the policy in force is the one without it.
static int policies_make(
	struct policy_config *config, bool dry_run, struct policy **policy, struct policy **trial)
{
	*trial = NULL;
	if (dry_run) {
		*trial = policy_create(config);
		if (*trial == NULL)
			return -errno;
		config->n_deny = 0;
	}
	*policy = policy_create(config);
	return *policy == NULL ? -errno : 0;
}

static int policy_make(const struct settings *s, const struct conf_peers *peers,
	struct policy **policy, struct policy **trial)
{
	struct policy_config config = {.allow = peers->allow,
		.n_allow = peers->n_allow,
		.deny = peers->deny,
		.n_deny = peers->n_deny};
	struct tp_addr *own = calloc(2 * s->n_locals, sizeof(*own));
	int rc;

	if (own == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_locals; i++) {
		own[config.n_own++] = s->locals[i].addr;
		own[config.n_own++] = s->locals[i].external;
	}
	config.own = own;
	rc = policies_make(&config, peers->dry_run, policy, trial);
	free(own);
	return rc;
}

// A rate's share of a burst, and at least 1.
static uint64_t burst_of(uint64_t rate, uint32_t burst_ms)
{
	uint64_t burst = rate * burst_ms / 1000;

	return burst > 0 ? burst : 1;
}

struct turn_cap settings_cap(const struct conf_cap *c)
{
	const uint64_t bits = c->bandwidth_kbps * 1000ull;

	return (struct turn_cap){
		.bits_per_s = bits,
		.burst_bits = burst_of(bits, c->burst_ms),
		.packets_per_s = c->packet_rate,
		.burst_packets = (uint32_t)burst_of(c->packet_rate, c->burst_ms),
	};
}

static void caps_set(struct turn_realm_conf *realm, const struct conf_caps *caps)
{
	realm->allocation_cap = settings_cap(&caps->allocation);
	realm->user_cap = settings_cap(&caps->user);
	realm->realm_cap = settings_cap(&caps->realm);
}

static void budget_set(struct turn_realm_conf *realm, const struct conf_budget *b)
{
	const struct conf_cap cap = {
		.bandwidth_kbps = b->bandwidth_kbps, .burst_ms = SPENT_BURST_MS};

	realm->budget = (struct turn_budget_conf){
		.octets = b->megabytes * 1000000ull,
		.period = b->period == CONF_BUDGET_DAY ? TURN_BUDGET_DAY : TURN_BUDGET_MONTH,
		.start = b->start,
	};
	if (b->spent == CONF_SPENT_CAP)
		realm->budget.cap = settings_cap(&cap);
}

// The realm's own, and those of some users.
static int realm_policies_make(const struct settings *s, struct settings_realm *part,
	struct turn_realm_conf *realm, const struct conf_realm *from)
{
	int rc = policy_make(s, &from->peers, &part->policy, &part->trial);

	realm->policy = part->policy;
	realm->trial = part->trial;
	part->policies = calloc(from->n_policies + 1, sizeof(*part->policies));
	if (part->policies == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_policies && rc == 0; i++) {
		const struct conf_policy *p = &from->policies[i];
		struct policy *policy = NULL, *trial = NULL;

		rc = policy_make(s, &p->peers, &policy, &trial);
		part->policies[part->n_policies++] = (struct turn_user_policy){.name = p->name,
			.users = p->users,
			.n_users = p->n_users,
			.policy = policy,
			.trial = trial};
	}
	realm->policies = part->policies;
	realm->n_policies = part->n_policies;
	return rc;
}

// A policy is constant to all but its maker.
static void policies_free(struct settings_realm *part)
{
	for (size_t i = 0; i < part->n_policies; i++) {
		policy_destroy((struct policy *)(uintptr_t)part->policies[i].policy);
		policy_destroy((struct policy *)(uintptr_t)part->policies[i].trial);
	}
	free(part->policies);
	policy_destroy(part->policy);
	policy_destroy(part->trial);
}

static struct turn_realm_conf own_realm(const struct conf *c)
{
	return (struct turn_realm_conf){
		.name = c->realm,
		.max_allocations = c->limits.realm_allocations,
		.max_connections = c->limits.realm_connections,
		.user_ports = c->limits.user_ports,
		.user_quota = c->limits.user_quota,
		.secret_quota = c->limits.secret_quota,
		.allocate_rate = c->limits.allocate_rate,
		.allocate_burst = c->limits.allocate_burst,
	};
}

static struct turn_realm_conf further_realm(const struct conf_realm *c)
{
	return (struct turn_realm_conf){
		.id = c->id,
		.name = c->name,
		.origins = c->origins,
		.n_origins = c->n_origins,
		.max_allocations = c->allocations,
		.max_connections = c->connections,
		.user_ports = c->user_ports,
		.user_quota = c->user_quota,
		.secret_quota = c->secret_quota,
		.allocate_rate = c->allocate_rate,
		.allocate_burst = c->allocate_burst,
	};
}

// Changes with the database, and with the lives of its answers.
static uint64_t source_number(const struct conf_source *source)
{
	static const uint8_t key[16] = "source of users";
	const char *texts[] = {source->path, source->connection_file, source->url};
	uint64_t parts[TP_ARRAY_LEN(texts) + 3] = {
		source->type, source->life_s, source->negative_life_s};

	for (size_t i = 0; i < TP_ARRAY_LEN(texts); i++)
		parts[3 + i] = texts[i] != NULL ? tp_siphash24(key, texts[i], strlen(texts[i])) : 0;
	return tp_siphash24(key, parts, sizeof(parts));
}

// The first realm's users, secrets and peers are the file's own.
static int realm_make(struct settings *s, size_t i)
{
	const struct conf *c = s->conf;
	const struct conf_realm own = {.users = c->users,
		.n_users = c->n_users,
		.secrets = c->secrets,
		.n_secrets = c->n_secrets,
		.tokens = c->tokens,
		.peers = c->peers,
		.policies = c->policies,
		.n_policies = c->n_policies};
	const struct conf_realm *from = i == 0 ? &own : &c->realms[i - 1];
	struct turn_realm_conf *realm = &s->realms[i];
	const struct conf_source *source;
	int rc;

	*realm = i == 0 ? own_realm(c) : further_realm(from);
	source = conf_source_of(&c->directory, realm->name);
	caps_set(realm, i == 0 ? &c->limits.caps : &from->caps);
	budget_set(realm, i == 0 ? &c->limits.budget : &from->budget);
	if (c->protocol.sha256)
		realm->features |= TP_FEATURE_PASSWORD_ALGORITHMS;
	if (c->protocol.userhash)
		realm->features |= TP_FEATURE_USERHASH;
	realm->separator = c->protocol.credential_separator[0];
	realm->end_with_credential = c->protocol.end_with_credential;
	realm->directory = source != NULL;
	realm->source = source != NULL ? source_number(source) : 0;
	realm->keys_looked_up = source != NULL && (source->secrets || source->token_keys);
	rc = users_make(&s->parts[i], realm, from->users, from->n_users);
	if (rc == 0)
		rc = secrets_make(&s->parts[i], realm, from->secrets, from->n_secrets);
	if (rc == 0)
		rc = tokens_make(&s->parts[i], realm, &from->tokens);
	if (rc == 0)
		rc = realm_policies_make(s, &s->parts[i], realm, from);
	return rc;
}

int settings_realms_make(struct settings *s)
{
	int rc = 0;

	s->n_realms = 1 + s->conf->n_realms;
	s->realms = calloc(s->n_realms, sizeof(*s->realms));
	s->parts = calloc(s->n_realms, sizeof(*s->parts));
	if (s->realms == NULL || s->parts == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_realms && rc == 0; i++)
		rc = realm_make(s, i);
	s->turn.realms = s->realms;
	s->turn.n_realms = s->n_realms;
	return rc;
}

void settings_realms_free(struct settings *s)
{
	for (size_t i = 0; s->parts != NULL && i < s->n_realms; i++) {
		policies_free(&s->parts[i]);
		settings_wipe_free(
			s->parts[i].users, s->realms[i].n_users * sizeof(*s->parts[i].users));
		settings_wipe_free(s->parts[i].token_keys,
			s->realms[i].n_token_keys * sizeof(*s->parts[i].token_keys));
		free(s->parts[i].secrets);
	}
	free(s->parts);
	free(s->realms);
}
