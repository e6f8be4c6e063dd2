// SPDX-License-Identifier: BSD-3-Clause
#include <settings/settings.h>

#include <errno.h>
#include <stdlib.h>

#include "realms.h"

#define NEXT_HOPS	   4096u
#define PORT_SETS	   256u // different ones that the rules of all realms make at a time
#define SPARE_PORT_INDEXES 2u	// an address that leaves rests while another comes
#define RESET_TTL	   64u	// as most systems send
#define REALM_LIMITS	   128u // of realms and of all; the rest is for allocations and users
#define LIMITS_UNASKED	   (8ull << 20) // bytes, while no cap is configured
#define SECRET_CHARS	   (2 * sizeof(((struct tables_secrets *)0)->rest_secret))

static uint8_t transport_of(enum conf_transport t)
{
	static const uint8_t transports[] = {
		[CONF_TRANSPORT_UDP] = TP_TRANSPORT_UDP,
		[CONF_TRANSPORT_TCP] = TP_TRANSPORT_TCP,
		[CONF_TRANSPORT_TLS] = TP_TRANSPORT_TLS,
		[CONF_TRANSPORT_DTLS] = TP_TRANSPORT_DTLS,
	};

	return transports[t];
}

bool settings_local_is_first(const struct settings *s, size_t i)
{
	const struct tables_local *l = &s->locals[i];

	for (size_t k = 0; k < i; k++) {
		if (s->locals[k].role == l->role && tp_addr_same_ip(&s->locals[k].addr, &l->addr))
			return false;
	}
	return true;
}

static int addresses_make(struct settings *s)
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
		local->transport = transport_of(c->listeners[i].transport);
		s->listeners[i].realm = (uint16_t)c->listeners[i].realm;
		s->listeners[i].local = local->addr;
		s->listeners[i].advertised = local->external;
		s->listeners[i].transport = local->transport;
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

// The realm for which workers answer. One that is too long for them, or one of several that the
// listeners' records do not name, is the TURN server's.
static void path_realm_set(struct tp_path_config *path, const struct turn_conf *t)
{
	size_t len = strlen(t->realms[0].name);

	// The first answer of one with tokens names their server.
	if (t->n_realms != 1 || len > sizeof(path->realm) || t->realms[0].token_server != NULL)
		return;
	path->realm_id = t->realms[0].id;
	path->realm_len = (uint8_t)len;
	path->realm_flags = TP_REALM_ONLY;
	if ((turn_realm_features(&t->realms[0]) & TP_FEATURE_PASSWORD_ALGORITHMS) != 0)
		path->realm_flags |= TP_REALM_SHA256;
	if ((turn_realm_features(&t->realms[0]) & TP_FEATURE_USERHASH) != 0)
		path->realm_flags |= TP_REALM_USERHASH;
	memcpy(path->realm, t->realms[0].name, len);
}

_Static_assert(1 + CONF_REALMS_MAX == TP_PORT_RATES_MAX, "each realm has a rate");

static void port_rates_set(struct tp_path_config *path, const struct conf *c)
{
	path->port_rates[0].ports_per_s = c->limits.port_rate;
	path->n_port_rates = 1;
	for (size_t i = 0; i < c->n_realms; i++)
		path->port_rates[path->n_port_rates++] = (struct tp_port_rate){
			.realm_id = c->realms[i].id, .ports_per_s = c->realms[i].port_rate};
}

_Static_assert(CONF_ALTERNATES_MAX <= TURN_ALTERNATES_MAX, "all of alternate_servers fit");
_Static_assert(CONF_LOCAL_PEERS_MAX <= TURN_LOCAL_PEERS_MAX, "all of peers.local fit");

static void alternates_copy(
	struct turn_alternate_servers *to, const struct conf_place *from, size_t n)
{
	to->n = n;
	for (size_t i = 0; i < n; i++) {
		to->items[i] = from[i].ip;
		to->items[i].port_be = tp_htons(from[i].port_min);
	}
}

static void values_copy(struct settings *s)
{
	static const uint8_t families[] = {[CONF_FAMILY_IPV4] = TP_FAMILY_IPV4,
		[CONF_FAMILY_IPV6] = TP_FAMILY_IPV6,
		[CONF_FAMILY_KEEP] = TP_FAMILY_NONE};
	const struct conf *c = s->conf;
	struct turn_conf *t = &s->turn;

	t->software = c->protocol.software ? "Turnpike " TURNPIKE_VERSION : NULL;
	t->port_min = c->relay.port_min;
	t->port_max = c->relay.port_max;
	for (size_t i = 0; i < c->peers.n_local; i++)
		t->local_peers[i] = (struct turn_local_peer){.ip = c->peers.local[i].ip,
			.port_min = c->peers.local[i].port_min,
			.port_max = c->peers.local[i].port_max};
	t->n_local_peers = c->peers.n_local;
	t->channel_max = c->protocol.channel_max;
	t->default_family = families[c->protocol.default_family];
	t->permission_follows_channel = c->protocol.permission_follows_channel;
	t->secure_stun = c->protocol.secure_stun;
	t->draining = c->protocol.draining;
	alternates_copy(
		&t->alternates, c->protocol.alternate_servers, c->protocol.n_alternate_servers);
	alternates_copy(&t->tls_alternates, c->protocol.tls_alternate_servers,
		c->protocol.n_tls_alternate_servers);
	t->alternate_domain = c->protocol.alternate_domain;
	t->nat_discovery = c->protocol.nat_discovery;
	t->max_allocations = c->limits.allocations;
	t->max_entries = c->limits.entries;
	t->default_lifetime_s = c->limits.default_lifetime_s;
	t->max_lifetime_s = c->limits.max_lifetime_s;
	t->permission_lifetime_s = c->limits.permission_lifetime_s;
	t->channel_lifetime_s = c->limits.channel_lifetime_s;
	t->nonce_lifetime_s = c->limits.nonce_lifetime_s;
	t->credential_lifetime_s = c->limits.credential_lifetime_s;
	t->tcp_relay = c->protocol.tcp_relay;
	t->mobility = c->protocol.mobility;
	t->data_per_user = c->limits.user_connections;
	t->peer_rate = c->limits.peer_rate;
	t->peer_burst = c->limits.peer_burst;
	t->all_cap = settings_cap(&c->limits.caps.all);
	s->path = (struct tp_path_config){.relay_port_min = t->port_min,
		.relay_port_max = t->port_max,
		.channel_max = t->channel_max,
		.secure_stun = t->secure_stun,
		.nat_discovery = t->nat_discovery,
		.first_contact_rate = c->limits.first_contact_rate,
		.ttl = c->relay.ttl == CONF_TTL_RESET ? RESET_TTL : 0,
		.black_holes =
			c->protocol.heal_black_holes ? TP_BLACK_HOLES_HEALED : TP_BLACK_HOLES_LEFT};
	path_realm_set(&s->path, t);
	port_rates_set(&s->path, c);
}

struct settings *settings_create(struct conf *conf)
{
	struct settings *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		conf_free(conf);
		return NULL;
	}
	s->conf = conf;
	rc = addresses_make(s);
	if (rc == 0)
		rc = settings_realms_make(s);
	if (rc == 0)
		values_copy(s);
	if (rc < 0) {
		settings_destroy(s);
		errno = -rc;
		return NULL;
	}
	return s;
}

// The made-up secret where it is not the configuration's any more.
static struct turn_secret *made_up_of(const struct settings *s)
{
	struct turn_secret *secret;

	if (!s->conf->secret_generated || s->parts == NULL || s->parts[0].secrets == NULL)
		return NULL;
	secret = &s->parts[0].secrets[0];
	return secret->octets != s->conf->secrets[0].octets.data ? secret : NULL;
}

void settings_destroy(struct settings *s)
{
	if (s == NULL)
		return;
	// The configuration's own octets are wiped with it; a made-up secret is ours.
	if (made_up_of(s) != NULL)
		settings_wipe_free(made_up_of(s)->octets, made_up_of(s)->len);
	settings_realms_free(s);
	free(s->listeners);
	free(s->relays);
	free(s->locals);
	explicit_bzero(&s->turn, sizeof(s->turn));
	conf_free(s->conf);
	free(s);
}

// The made-up secret is that of the tables, so that a restart invalidates no credential.
static int secret_adopt(struct settings *s, const struct tables_secrets *secrets)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *text = malloc(SECRET_CHARS);

	if (text == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < SECRET_CHARS; i++)
		text[i] = (uint8_t)digits[secrets->rest_secret[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	if (made_up_of(s) != NULL)
		settings_wipe_free(made_up_of(s)->octets, made_up_of(s)->len);
	s->parts[0].secrets[0].octets = text;
	s->parts[0].secrets[0].len = SECRET_CHARS;
	return 0;
}

int settings_ids(struct settings *s, const struct tables_secrets *secrets)
{
	const struct tables_local *local = s->locals;

	for (size_t i = 0; i < s->turn.n_listeners; i++)
		s->listeners[i].id = local++->id;
	for (size_t i = 0; i < s->turn.n_relays; i++)
		s->relays[i].id = local++->id;
	memcpy(s->turn.nonce_key, secrets->nonce_key, sizeof(s->turn.nonce_key));
	memcpy(s->turn.punt_key, secrets->punt_key, sizeof(s->turn.punt_key));
	memcpy(s->turn.ticket_key, secrets->ticket_key, sizeof(s->turn.ticket_key));
	return s->conf->secret_generated ? secret_adopt(s, secrets) : 0;
}

static bool cap_is_set(const struct conf_cap *c)
{
	return c->bandwidth_kbps != 0 || c->packet_rate != 0;
}

static bool budget_caps(const struct conf_budget *b)
{
	return b->megabytes != 0 && b->spent == CONF_SPENT_CAP;
}

static bool user_cap_is_set(const struct conf_caps *caps, const struct conf_budget *budget)
{
	return cap_is_set(&caps->user) || budget_caps(budget);
}

static bool caps_are_set(const struct conf_caps *c)
{
	return cap_is_set(&c->allocation) || cap_is_set(&c->user) || cap_is_set(&c->realm) ||
	       cap_is_set(&c->all);
}

// A slot for each allocation, each user and the rest.
static uint32_t limits_all(const struct conf *conf)
{
	return 2 * conf->limits.allocations + REALM_LIMITS;
}

static bool users_have_limits(const struct conf *conf)
{
	bool any = user_cap_is_set(&conf->limits.caps, &conf->limits.budget);

	for (size_t i = 0; i < conf->n_realms; i++)
		any |= user_cap_is_set(&conf->realms[i].caps, &conf->realms[i].budget);
	return any;
}

const char *settings_limits_key(const struct conf *conf)
{
	if (caps_are_set(&conf->limits.caps))
		return "limits.caps";
	if (budget_caps(&conf->limits.budget))
		return "limits.budget.calls";
	for (size_t i = 0; i < conf->n_realms; i++) {
		if (caps_are_set(&conf->realms[i].caps))
			return "realms[].caps";
		if (budget_caps(&conf->realms[i].budget))
			return "realms[].budget.calls";
	}
	return NULL;
}

uint32_t settings_limits_needed(const struct conf *conf)
{
	uint32_t all = limits_all(conf);

	if (settings_limits_key(conf) == NULL)
		return 0;
	return users_have_limits(conf) ? all : all - conf->limits.allocations;
}

// Slots are there before they are needed, so that a reload can configure caps, unless that is much
// memory for nothing: an allocation is to fit in 1,024 bytes without caps.
static uint32_t limits_wanted(const struct conf *conf)
{
	uint32_t n = limits_all(conf);
	uint64_t octets = sizeof(struct tp_limit) +
			  (uint64_t)conf->dataplane.workers * sizeof(struct tp_limit_cell);

	return n * octets <= LIMITS_UNASKED ? n : settings_limits_needed(conf);
}

struct shm_tables_shape settings_shape(const struct conf *conf)
{
	return (struct shm_tables_shape){.n_entries = conf->limits.entries,
		.n_next_hops = NEXT_HOPS,
		.n_port_indexes = (uint32_t)conf->relay.n_addresses + SPARE_PORT_INDEXES,
		.n_allocations = conf->limits.allocations,
		.n_port_sets = PORT_SETS,
		.n_limits = limits_wanted(conf),
		.n_workers = conf->dataplane.workers};
}

bool settings_shape_fits(const struct conf *conf, const struct shm_tables *have)
{
	return have->table.n_entries == conf->limits.entries &&
	       have->n_allocations == conf->limits.allocations &&
	       have->n_limits >= settings_limits_needed(conf) &&
	       have->n_port_indexes >= conf->relay.n_addresses;
}

// Allocations, permissions and channels in the TURN server, as `relaybench setup` measures them,
// and the process itself.
#define HEAP_PER_ALLOCATION 950ull
#define HEAP_BASE	    (32ull << 20)

uint64_t settings_memory(const struct conf *conf)
{
	const struct shm_tables_shape shape = settings_shape(conf);

	return HEAP_BASE + HEAP_PER_ALLOCATION * conf->limits.allocations +
	       shm_tables_size(&shape) + tables_private_octets(&shape);
}
