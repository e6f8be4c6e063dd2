// SPDX-License-Identifier: BSD-3-Clause
#include <settings/diff.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <text/buf.h>

#include <settings/settings.h>

#include "parts.h"

// Where all have one, a change that wants a restart takes that of one that does not. NULL: there is
// none.
static struct settings_change *room_take(struct settings_diff *d, bool restart)
{
	struct settings_change *c = &d->changes[SETTINGS_CHANGES_MAX];

	if (d->n++ < SETTINGS_CHANGES_MAX)
		return &d->changes[d->n - 1];
	while (restart && c-- > d->changes) {
		if (!c->restart)
			return c;
	}
	return NULL;
}

void settings_diff_add(
	struct settings_diff *d, const char *key, bool restart, const char *format, ...)
{
	struct settings_change *c = room_take(d, restart);
	va_list ap;

	d->n_restart += restart;
	if (c == NULL)
		return;
	c->key = key;
	c->restart = restart;
	c->reach = SETTINGS_CONTROL;
	va_start(ap, format);
	vsnprintf(c->text, sizeof(c->text), format, ap);
	va_end(ap);
}

void settings_diff_reach(struct settings_diff *d, unsigned first, enum settings_reach reach)
{
	for (unsigned i = first; i < d->n && i < SETTINGS_CHANGES_MAX; i++)
		d->changes[i].reach = reach;
}

void settings_diff_text(
	struct settings_diff *d, const char *key, bool restart, const char *from, const char *to)
{
	if (from == NULL)
		from = "";
	if (to == NULL)
		to = "";
	if (strcmp(from, to) != 0)
		settings_diff_add(d, key, restart, "%.48s to %.48s",
			from[0] == '\0' ? "none" : from, to[0] == '\0' ? "none" : to);
}

void settings_diff_number(
	struct settings_diff *d, const char *key, bool restart, uint64_t from, uint64_t to)
{
	if (from != to)
		settings_diff_add(d, key, restart, "%llu to %llu", (unsigned long long)from,
			(unsigned long long)to);
}

void settings_diff_caps(struct settings_diff *d, const char *const keys[SETTINGS_CAPS_NUMBERS],
	const struct conf_caps *from, const struct conf_caps *to)
{
	const struct conf_cap *a[] = {&from->allocation, &from->user, &from->realm, &from->all};
	const struct conf_cap *b[] = {&to->allocation, &to->user, &to->realm, &to->all};

	for (unsigned i = 0; i < TP_ARRAY_LEN(a); i++) {
		settings_diff_number(
			d, keys[3 * i], false, a[i]->bandwidth_kbps, b[i]->bandwidth_kbps);
		settings_diff_number(
			d, keys[3 * i + 1], false, a[i]->packet_rate, b[i]->packet_rate);
		settings_diff_number(d, keys[3 * i + 2], false, a[i]->burst_ms, b[i]->burst_ms);
	}
}

void settings_diff_budget(struct settings_diff *d, const char *const keys[5],
	const struct conf_budget *from, const struct conf_budget *to)
{
	static const char *const periods[] = {
		[CONF_BUDGET_MONTH] = "month", [CONF_BUDGET_DAY] = "day"};
	static const char *const ends[] = {[CONF_SPENT_END] = "end", [CONF_SPENT_CAP] = "cap"};

	settings_diff_number(d, keys[0], false, from->megabytes, to->megabytes);
	settings_diff_text(d, keys[1], false, periods[from->period], periods[to->period]);
	settings_diff_number(d, keys[2], false, from->start, to->start);
	settings_diff_text(d, keys[3], false, ends[from->spent], ends[to->spent]);
	settings_diff_number(d, keys[4], false, from->bandwidth_kbps, to->bandwidth_kbps);
}

// ---- fixed at start ---------------------------------------------------------------------------

static bool ports_equal(const struct conf_port *a, const struct conf_port *b)
{
	const char *const x[] = {a->device, a->interface, a->kernel};
	const char *const y[] = {b->device, b->interface, b->kernel};

	for (unsigned i = 0; i < 3; i++) {
		if ((x[i] == NULL) != (y[i] == NULL) || (x[i] != NULL && strcmp(x[i], y[i]) != 0))
			return false;
	}
	return a->mtu == b->mtu && a->xdp == b->xdp;
}

static void dataplane_compare(
	struct settings_diff *d, const struct conf_dataplane *from, const struct conf_dataplane *to)
{
	bool ports = from->n_ports == to->n_ports;
	bool cores = from->n_cores == to->n_cores;

	settings_diff_number(d, "dataplane.workers", true, from->workers, to->workers);
	settings_diff_text(d, "dataplane.poll", true,
		from->poll == CONF_POLL_BUSY ? "busy" : "adaptive",
		to->poll == CONF_POLL_BUSY ? "busy" : "adaptive");
	settings_diff_text(d, "dataplane.priority", true,
		from->priority == CONF_PRIORITY_NORMAL ? "normal" : "realtime",
		to->priority == CONF_PRIORITY_NORMAL ? "normal" : "realtime");
	settings_diff_text(d, "dataplane.hugepages", true,
		from->hugepages == CONF_HUGEPAGES_NEVER ? "never" : "auto",
		to->hugepages == CONF_HUGEPAGES_NEVER ? "never" : "auto");
	settings_diff_number(d, "dataplane.hold_us", true, from->hold_us, to->hold_us);
	settings_diff_number(d, "dataplane.mbufs", true, from->mbufs, to->mbufs);
	settings_diff_number(
		d, "dataplane.fragment_memory", true, from->fragment_mib, to->fragment_mib);
	for (size_t i = 0; ports && i < from->n_ports; i++)
		ports = ports_equal(&from->ports[i], &to->ports[i]);
	for (size_t i = 0; cores && i < from->n_cores; i++)
		cores = from->cores[i] == to->cores[i];
	if (!ports)
		settings_diff_add(d, "dataplane.ports", true, "changed");
	if (!cores)
		settings_diff_add(d, "dataplane.cores", true, "changed");
}

static void restart_compare(struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	settings_diff_text(d, "instance", true, from->instance, to->instance);
	settings_diff_text(
		d, "runtime_directory", true, from->runtime_directory, to->runtime_directory);
	settings_diff_text(
		d, "segment.directory", true, from->segment.directory, to->segment.directory);
	settings_diff_text(d, "segment.numa", true,
		from->segment.numa == CONF_NUMA_NONE ? "none" : "ports",
		to->segment.numa == CONF_NUMA_NONE ? "none" : "ports");
	settings_diff_text(d, "segment.group", true, from->segment.group, to->segment.group);
	settings_diff_text(d, "control.socket", true, from->control.socket, to->control.socket);
	settings_diff_text(d, "control.state_directory", true, from->control.state_directory,
		to->control.state_directory);
	settings_diff_text(d, "control.group", true, from->control.group, to->control.group);
	settings_diff_number(
		d, "limits.allocations", true, from->limits.allocations, to->limits.allocations);
	settings_diff_number(d, "limits.entries", true, from->limits.entries, to->limits.entries);
	settings_diff_number(d, "log.format", true, from->log.format, to->log.format);
	if (from->relay.port_min != to->relay.port_min ||
		from->relay.port_max != to->relay.port_max)
		settings_diff_add(d, "relay.ports", true, "%u-%u to %u-%u", from->relay.port_min,
			from->relay.port_max, to->relay.port_min, to->relay.port_max);
	if (from->peers.n_local != to->peers.n_local ||
		(to->peers.n_local != 0 &&
			memcmp(from->peers.local, to->peers.local,
				to->peers.n_local * sizeof(*to->peers.local)) != 0))
		settings_diff_add(d, "peers.local", true, "changed");
	dataplane_compare(d, &from->dataplane, &to->dataplane);
}

void settings_diff_room(
	struct settings_diff *d, const struct conf *from, const struct conf *to, uint32_t n_limits)
{
	uint32_t needed = settings_limits_needed(to);

	if (settings_limits_needed(from) < needed && n_limits < needed)
		settings_diff_add(
			d, settings_limits_key(to), true, "the tables have no room for caps");
}

// ---- values in force at once --------------------------------------------------------------------

bool settings_texts_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool sources_equal(const struct conf_source *a, const struct conf_source *b)
{
	bool same = settings_texts_equal(a->name, b->name) && a->type == b->type &&
		    settings_texts_equal(a->path, b->path) &&
		    settings_texts_equal(a->connection_file, b->connection_file) &&
		    settings_texts_equal(a->url, b->url) &&
		    settings_texts_equal(a->bearer_file, b->bearer_file) &&
		    settings_texts_equal(a->ca_file, b->ca_file) &&
		    settings_texts_equal(a->certificate, b->certificate) &&
		    settings_texts_equal(a->key_file, b->key_file) && a->n_realms == b->n_realms &&
		    a->timeout_ms == b->timeout_ms && a->life_s == b->life_s &&
		    a->negative_life_s == b->negative_life_s && a->connections == b->connections &&
		    a->queue == b->queue && a->secrets == b->secrets &&
		    a->token_keys == b->token_keys;

	for (size_t i = 0; same && i < a->n_realms; i++)
		same = settings_texts_equal(a->realms[i], b->realms[i]);
	return same;
}

// The sources that differ by place: their order is of no meaning, and seldom changes.
static void sources_compare(struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	const struct conf_directory *a = &from->directory, *b = &to->directory;
	size_t common = a->n_sources < b->n_sources ? a->n_sources : b->n_sources;
	unsigned first = d->n;
	size_t changed = 0;

	for (size_t i = 0; i < common; i++)
		changed += !sources_equal(&a->sources[i], &b->sources[i]);
	settings_diff_counts(
		d, "directory.sources", b->n_sources - common, a->n_sources - common, changed);
	settings_diff_reach(d, first, SETTINGS_DIRECTORY);
}

static void limits_compare(
	struct settings_diff *d, const struct conf_limits *a, const struct conf_limits *b)
{
	static const char *const caps[] = SETTINGS_CAPS_KEYS("limits.caps.");
	static const char *const budget[] = SETTINGS_BUDGET_KEYS("limits.budget.");

	settings_diff_number(d, "limits.user_quota", false, a->user_quota, b->user_quota);
	settings_diff_number(d, "limits.secret_quota", false, a->secret_quota, b->secret_quota);
	settings_diff_number(d, "limits.allocate_rate", false, a->allocate_rate, b->allocate_rate);
	settings_diff_number(
		d, "limits.allocate_burst", false, a->allocate_burst, b->allocate_burst);
	settings_diff_number(d, "limits.max_lifetime", false, a->max_lifetime_s, b->max_lifetime_s);
	settings_diff_number(
		d, "limits.default_lifetime", false, a->default_lifetime_s, b->default_lifetime_s);
	settings_diff_number(d, "limits.permission_lifetime", false, a->permission_lifetime_s,
		b->permission_lifetime_s);
	settings_diff_number(
		d, "limits.channel_lifetime", false, a->channel_lifetime_s, b->channel_lifetime_s);
	settings_diff_number(
		d, "limits.nonce_lifetime", false, a->nonce_lifetime_s, b->nonce_lifetime_s);
	settings_diff_number(d, "limits.credential_lifetime", false, a->credential_lifetime_s,
		b->credential_lifetime_s);
	settings_diff_number(d, "limits.first_contact_rate", false, a->first_contact_rate,
		b->first_contact_rate);
	settings_diff_number(
		d, "limits.user_connections", false, a->user_connections, b->user_connections);
	settings_diff_number(d, "limits.user_ports", false, a->user_ports, b->user_ports);
	settings_diff_number(
		d, "limits.realm_allocations", false, a->realm_allocations, b->realm_allocations);
	settings_diff_number(
		d, "limits.realm_connections", false, a->realm_connections, b->realm_connections);
	settings_diff_number(d, "limits.peer_rate", false, a->peer_rate, b->peer_rate);
	settings_diff_number(d, "limits.peer_burst", false, a->peer_burst, b->peer_burst);
	settings_diff_number(d, "limits.port_rate", false, a->port_rate, b->port_rate);
	settings_diff_budget(d, budget, &a->budget, &b->budget);
	settings_diff_caps(d, caps, &a->caps, &b->caps);
}

static bool places_are_same(
	const struct conf_place *a, size_t n_a, const struct conf_place *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

static void protocol_compare(
	struct settings_diff *d, const struct conf_protocol *p, const struct conf_protocol *q)
{
	static const char *const families[] = {[CONF_FAMILY_IPV4] = "ipv4",
		[CONF_FAMILY_IPV6] = "ipv6",
		[CONF_FAMILY_KEEP] = "keep"};

	settings_diff_number(d, "protocol.channel_max", false, p->channel_max, q->channel_max);
	settings_diff_text(d, "protocol.default_family", false, families[p->default_family],
		families[q->default_family]);
	settings_diff_number(d, "protocol.permission_follows_channel", false,
		p->permission_follows_channel, q->permission_follows_channel);
	settings_diff_number(
		d, "protocol.heal_black_holes", false, p->heal_black_holes, q->heal_black_holes);
	settings_diff_number(d, "protocol.software", false, p->software, q->software);
	settings_diff_number(d, "protocol.secure_stun", false, p->secure_stun, q->secure_stun);
	settings_diff_number(d, "protocol.draining", false, p->draining, q->draining);
	if (!places_are_same(p->alternate_servers, p->n_alternate_servers, q->alternate_servers,
		    q->n_alternate_servers))
		settings_diff_add(d, "protocol.alternate_servers", false, "changed");
	if (!places_are_same(p->tls_alternate_servers, p->n_tls_alternate_servers,
		    q->tls_alternate_servers, q->n_tls_alternate_servers))
		settings_diff_add(d, "protocol.tls_alternate_servers", false, "changed");
	settings_diff_text(
		d, "protocol.alternate_domain", false, p->alternate_domain, q->alternate_domain);
	settings_diff_number(
		d, "protocol.nat_discovery", false, p->nat_discovery, q->nat_discovery);
	settings_diff_number(d, "protocol.sha256", false, p->sha256, q->sha256);
	settings_diff_number(d, "protocol.userhash", false, p->userhash, q->userhash);
	settings_diff_text(d, "protocol.credential_separator", false, p->credential_separator,
		q->credential_separator);
	settings_diff_number(d, "protocol.end_with_credential", false, p->end_with_credential,
		q->end_with_credential);
	settings_diff_number(d, "protocol.mobility", false, p->mobility, q->mobility);
	settings_diff_number(d, "protocol.tcp_relay", false, p->tcp_relay, q->tcp_relay);
}

static void values_compare(struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	settings_diff_text(d, "realm", false, from->realm, to->realm);
	settings_diff_text(d, "relay.ttl", false,
		from->relay.ttl == CONF_TTL_RESET ? "reset" : "decrement",
		to->relay.ttl == CONF_TTL_RESET ? "reset" : "decrement");
	limits_compare(d, &from->limits, &to->limits);
	protocol_compare(d, &from->protocol, &to->protocol);
	settings_diff_text(d, "log.level", false, log_level_name(from->log.level),
		log_level_name(to->log.level));
}

int settings_diff(struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	d->n = d->n_restart = 0;
	restart_compare(d, from, to);
	values_compare(d, from, to);
	settings_diff_addresses(d, from, to);
	sources_compare(d, from, to);
	settings_diff_edge(d, from, to);
	return settings_diff_realms(d, from, to);
}

const char *settings_diff_format(
	const struct settings_diff *d, bool restart_only, char *text, size_t size)
{
	struct text_buf b;

	text_buf_init(&b, text, size);
	for (unsigned i = 0; i < d->n && i < SETTINGS_CHANGES_MAX; i++) {
		const struct settings_change *c = &d->changes[i];

		if (restart_only && !c->restart)
			continue;
		text_buf_addf(&b, "%s%s: %s", b.len > 0 ? "; " : "", c->key, c->text);
	}
	return text;
}
