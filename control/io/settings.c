// SPDX-License-Identifier: BSD-3-Clause
#include "settings.h"

#include <errno.h>
#include <stdlib.h>

#include <stun/integrity.h>

#define NEXT_HOPS	   4096u
#define SPARE_PORT_INDEXES 2u // an address that leaves rests while another comes
#define SECRET_CHARS	   (2 * sizeof(((struct tables_secrets *)0)->rest_secret))

static int users_make(struct io_settings *s)
{
	const struct conf *c = s->conf;
	struct stun_text realm = {c->realm, strlen(c->realm)};
	struct stun_crypto *crypto = stun_crypto_create();
	int rc = crypto == NULL ? -errno : 0;

	s->users = calloc(c->n_users + 1, sizeof(*s->users));
	if (s->users == NULL)
		rc = -ENOMEM;
	for (size_t i = 0; i < c->n_users && rc == 0; i++) {
		const struct conf_user *u = &c->users[i];
		struct stun_text name = {u->name, strlen(u->name)};
		struct stun_text password = {(const char *)u->password.data, u->password.len};

		s->users[i].name = u->name;
		if (u->has_key)
			memcpy(s->users[i].key, u->key, sizeof(u->key));
		else
			rc = stun_key_md5(crypto, name, realm, password, s->users[i].key);
	}
	if (crypto != NULL)
		stun_crypto_destroy(crypto);
	s->turn.users = s->users;
	s->turn.n_users = c->n_users;
	return rc;
}

static int secrets_make(struct io_settings *s)
{
	const struct conf *c = s->conf;

	s->secrets = calloc(c->n_secrets + 1, sizeof(*s->secrets));
	if (s->secrets == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_secrets; i++)
		s->secrets[i] = (struct turn_secret){.id = c->secrets[i].id,
			.octets = c->secrets[i].octets.data,
			.len = c->secrets[i].octets.len};
	s->turn.secrets = s->secrets;
	s->turn.n_secrets = c->n_secrets;
	return 0;
}

static int addresses_make(struct io_settings *s)
{
	const struct conf *c = s->conf;
	struct tables_local *local;

	s->n_locals = c->n_listeners + c->relay.n_addresses;
	s->listeners = calloc(c->n_listeners, sizeof(*s->listeners));
	s->relays = calloc(c->relay.n_addresses, sizeof(*s->relays));
	s->locals = calloc(s->n_locals, sizeof(*s->locals));
	if (s->listeners == NULL || s->relays == NULL || s->locals == NULL)
		return -ENOMEM;
	local = s->locals;
	for (size_t i = 0; i < c->n_listeners; i++, local++) {
		local->addr = c->listeners[i].addr;
		local->external = conf_external_of(c, &local->addr);
		local->role = TP_ROLE_LISTENER;
		local->transport = TP_TRANSPORT_UDP;
		s->listeners[i].local = local->addr;
		s->listeners[i].advertised = local->external;
	}
	for (size_t i = 0; i < c->relay.n_addresses; i++, local++) {
		local->addr = c->relay.addresses[i];
		local->external = conf_external_of(c, &local->addr);
		local->role = TP_ROLE_RELAY;
		s->relays[i].local = local->addr;
		s->relays[i].advertised = local->external;
	}
	s->turn.listeners = s->listeners;
	s->turn.n_listeners = c->n_listeners;
	s->turn.relays = s->relays;
	s->turn.n_relays = c->relay.n_addresses;
	return 0;
}

static int policy_make(struct io_settings *s)
{
	struct policy_config config = {.allow = s->conf->peers.allow,
		.n_allow = s->conf->peers.n_allow,
		.deny = s->conf->peers.deny,
		.n_deny = s->conf->peers.n_deny};
	struct tp_addr *own = calloc(2 * s->n_locals, sizeof(*own));

	if (own == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_locals; i++) {
		own[config.n_own++] = s->locals[i].addr;
		own[config.n_own++] = s->locals[i].external;
	}
	config.own = own;
	s->policy = policy_create(&config);
	free(own);
	s->turn.policy = s->policy;
	return s->policy == NULL ? -errno : 0;
}

static void values_copy(struct io_settings *s)
{
	const struct conf *c = s->conf;
	struct turn_conf *t = &s->turn;

	t->realm = c->realm;
	t->software = c->protocol.software ? "Turnpike " TURNPIKE_VERSION : NULL;
	t->port_min = c->relay.port_min;
	t->port_max = c->relay.port_max;
	t->channel_max = c->protocol.channel_max;
	t->permission_follows_channel = c->protocol.permission_follows_channel;
	t->secure_stun = c->protocol.secure_stun;
	t->max_allocations = c->limits.allocations;
	t->user_quota = c->limits.user_quota;
	t->default_lifetime_s = c->limits.default_lifetime_s;
	t->max_lifetime_s = c->limits.max_lifetime_s;
	t->permission_lifetime_s = c->limits.permission_lifetime_s;
	t->channel_lifetime_s = c->limits.channel_lifetime_s;
	t->nonce_lifetime_s = c->limits.nonce_lifetime_s;
	s->path = (struct tp_path_config){.relay_port_min = t->port_min,
		.relay_port_max = t->port_max,
		.channel_max = t->channel_max,
		.secure_stun = t->secure_stun,
		.first_contact_rate = c->limits.first_contact_rate};
}

struct io_settings *io_settings_create(struct conf *conf)
{
	struct io_settings *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		conf_free(conf);
		return NULL;
	}
	s->conf = conf;
	values_copy(s);
	rc = users_make(s);
	if (rc == 0)
		rc = secrets_make(s);
	if (rc == 0)
		rc = addresses_make(s);
	if (rc == 0)
		rc = policy_make(s);
	if (rc < 0) {
		io_settings_destroy(s);
		errno = -rc;
		return NULL;
	}
	return s;
}

static void wipe_free(const void *p, size_t len)
{
	if (p != NULL)
		explicit_bzero((void *)(uintptr_t)p, len);
	free((void *)(uintptr_t)p);
}

void io_settings_destroy(struct io_settings *s)
{
	if (s == NULL)
		return;
	policy_destroy(s->policy);
	wipe_free(s->users, s->turn.n_users * sizeof(*s->users));
	// The configuration's own octets are wiped with it; a made-up secret is ours.
	if (s->conf->secret_generated && s->secrets != NULL &&
		s->secrets[0].octets != s->conf->secrets[0].octets.data)
		wipe_free(s->secrets[0].octets, s->secrets[0].len);
	free(s->secrets);
	free(s->listeners);
	free(s->relays);
	free(s->locals);
	explicit_bzero(&s->turn, sizeof(s->turn));
	conf_free(s->conf);
	free(s);
}

// The made-up secret is that of the tables, so that a restart invalidates no credential.
static int secret_adopt(struct io_settings *s, const struct tables_secrets *secrets)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *text = malloc(SECRET_CHARS);

	if (text == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < SECRET_CHARS; i++)
		text[i] = (uint8_t)digits[secrets->rest_secret[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	if (s->secrets[0].octets != s->conf->secrets[0].octets.data)
		wipe_free(s->secrets[0].octets, s->secrets[0].len);
	s->secrets[0].octets = text;
	s->secrets[0].len = SECRET_CHARS;
	return 0;
}

int io_settings_ids(struct io_settings *s, const struct tables_secrets *secrets)
{
	const struct tables_local *local = s->locals;

	for (size_t i = 0; i < s->turn.n_listeners; i++)
		s->listeners[i].id = local++->id;
	for (size_t i = 0; i < s->turn.n_relays; i++)
		s->relays[i].id = local++->id;
	memcpy(s->turn.nonce_key, secrets->nonce_key, sizeof(s->turn.nonce_key));
	memcpy(s->turn.punt_key, secrets->punt_key, sizeof(s->turn.punt_key));
	return s->conf->secret_generated ? secret_adopt(s, secrets) : 0;
}

struct shm_tables_shape io_settings_shape(const struct conf *conf)
{
	return (struct shm_tables_shape){.n_entries = conf->limits.entries,
		.n_next_hops = NEXT_HOPS,
		.n_port_indexes = (uint32_t)conf->relay.n_addresses + SPARE_PORT_INDEXES,
		.n_allocations = conf->limits.allocations,
		.n_workers = conf->dataplane.workers};
}

bool io_settings_shape_fits(const struct conf *conf, const struct shm_tables *have)
{
	return have->table.n_entries == conf->limits.entries &&
	       have->n_allocations == conf->limits.allocations &&
	       have->n_port_indexes >= conf->relay.n_addresses;
}
