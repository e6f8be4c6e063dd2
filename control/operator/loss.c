// SPDX-License-Identifier: BSD-3-Clause
// Losses of packets and of ways in, each with its cause and its remedy. Those of packets are looked
// for in the order in which one brings about the next: a worker that is stuck also fills a ring,
// and the ring's drops are not the cause.
#include "handlers.h"

#include <stdio.h>
#include <string.h>

#include <proc/clock.h>
#include <text/addr.h>

#define STALE_NS     (2 * TP_NS_PER_S)
#define STUCK_NS     (100 * TP_NS_PER_MS)
#define SILENCE_NS   (3 * TP_NS_PER_S)
#define LOSS_FRAMES  20u // per second: fewer may be the chatter of a network
#define LOSS_PACKETS 8u	 // in all: fewer may be one client's mistake
#define LOSS_PART    0.9

static bool dataplane_lost(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	const struct link *l = op->sources.link;
	uint64_t age_ns, up_ns;

	if (!l->up) {
		operator_warn(
			list, "turnpike-dataplane --config FILE", "the data plane is not running");
		return true;
	}
	// The file may be that of an earlier data plane: its last sign of life is not this one's.
	up_ns = now_ns > l->up_ns ? now_ns - l->up_ns : 0;
	age_ns = operator_age_ns(&l->state.header->file.heartbeat_ns, now_ns);
	if (age_ns > up_ns)
		age_ns = up_ns;
	if (age_ns > STALE_NS) {
		operator_warn(list, "restart turnpike-dataplane: calls go on",
			"the data plane gave no sign of life for %.1f s",
			(double)age_ns / TP_NS_PER_S);
		return true;
	}
	if ((atomic_load(&l->state.header->flags) & TP_STATE_SEGMENT_LOST) != 0) {
		operator_warn(list, "restart turnpike-control",
			"a file of the segment was truncated; the data plane waits for a new one");
		return true;
	}
	if (l->punt.file.base != NULL)
		return false;
	operator_warn(list, "look at the log of turnpike-dataplane",
		"the data plane's rings can't be mapped: no request is answered");
	return true;
}

static bool workers_lost(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	const struct shm_state *s = &op->sources.link->state;
	unsigned n_online = 0, n_stuck = 0;

	for (uint32_t w = 0; w < s->n_workers && w < TP_WORKERS_MAX; w++) {
		uint64_t age_ns = operator_age_ns(&s->workers[w].heartbeat_ns, now_ns);

		if (atomic_load(&s->workers[w].online) == 0)
			continue;
		n_online++;
		if (age_ns <= STUCK_NS)
			continue;
		n_stuck++;
		operator_warn(list,
			"relayctl worker show; if it stays, restart turnpike-dataplane: calls go "
			"on",
			"worker %u is stuck for %llu ms: it relays nothing", w,
			(unsigned long long)(age_ns / TP_NS_PER_MS));
	}
	return n_stuck > 0 && n_stuck == n_online;
}

// The port's name: the data plane's words need not be terminated.
static const char *port_name(const struct tp_port *p, char name[TP_IFNAME_MAX + 1])
{
	snprintf(name, TP_IFNAME_MAX + 1, "%.*s", (int)strnlen(p->interface, sizeof(p->interface)),
		p->interface);
	return name[0] == '\0' ? "INTERFACE" : name;
}

static bool links_lost(const struct operator_desk *op, json_t *list)
{
	const struct shm_state *s = &op->sources.link->state;
	char name[TP_IFNAME_MAX + 1], next[96];
	unsigned n_down = 0;

	for (uint32_t i = 0; i < s->n_ports && i < TP_PORTS_MAX; i++) {
		const struct tp_port *p = &s->header->ports[i];

		if (atomic_load(&p->link_up) != 0)
			continue;
		n_down++;
		snprintf(next, sizeof(next), "ip link set %s up; the cable or the other end",
			port_name(p, name));
		operator_warn(list, next, "port %u (%s) has no link: nothing comes in by it", i,
			port_name(p, name));
	}
	return n_down > 0 && n_down == s->n_ports;
}

static bool steering_lost(const struct operator_desk *op, json_t *list)
{
	const struct shm_state *s = &op->sources.link->state;

	if ((atomic_load(&s->header->flags) & TP_STATE_STEERING_OFF) == 0)
		return false;
	operator_warn(list,
		"ip link show: take the other program off (ip link set INTERFACE xdp off, or "
		"xdpgeneric off), ours comes back by itself; the log of turnpike-dataplane: "
		"steering_lost",
		"the steering program is off an interface: its packets are not relayed");
	return s->n_ports == 1 || op->rates.rx_per_s == 0;
}

// Whether the relay or its host is at fault: such a reason is never a stranger's doing alone.
static bool is_our_fault(enum tp_drop reason)
{
	switch (reason) {
	case TP_DROP_bad_ip_checksum:
	case TP_DROP_bad_udp_checksum:
	case TP_DROP_no_route:
	case TP_DROP_no_next_hop:
	case TP_DROP_punt_full:
	case TP_DROP_inject_bad:
	case TP_DROP_tx_full:
	case TP_DROP_no_memory:
	case TP_DROP_table_corrupt:
	case TP_DROP_not_ready:
	case TP_DROP_vlan_tag:
	case TP_DROP_port_missed:
	case TP_DROP_port_error:
	case TP_DROP_queue_unserved:
	case TP_DROP_xdp_ring_full:
	case TP_DROP_xdp_not_sent:
		return true;
	default:
		return false;
	}
}

// Whether media of live allocations may end by this reason. Floods and scans have others.
static bool is_media(enum tp_drop reason)
{
	switch (reason) {
	case TP_DROP_ip_options:
	case TP_DROP_ip6_extension:
	case TP_DROP_fragment:
	case TP_DROP_fragment_late:
	case TP_DROP_ttl_expired:
	case TP_DROP_no_channel:
	case TP_DROP_channel_expired:
	case TP_DROP_allocation_expired:
	case TP_DROP_no_permission:
	case TP_DROP_permission_expired:
	case TP_DROP_wrong_family:
	case TP_DROP_too_big:
		return true;
	default:
		return false;
	}
}

// One reason takes nearly all packets, and none is relayed. Few packets prove a fault of ours;
// strangers may send as they like.
static bool reason_lost(const struct operator_desk *op, json_t *list)
{
	const struct operator_unserved *u = &op->rates.unserved;
	bool live = turn_allocation_count(op->sources.turn) > 0;
	const struct tp_drop_text *text;
	unsigned most = TP_DROP_none;

	for (unsigned d = TP_DROP_none + 1; d < TP_DROP_COUNT; d++) {
		if (u->drops[d] > u->drops[most])
			most = d;
	}
	if (u->packets < LOSS_PACKETS || (double)u->drops[most] < LOSS_PART * (double)u->packets)
		return false;
	if (is_our_fault(most) ? !live && u->unanswered < LOSS_PACKETS
			       : !live || !is_media(most) || op->rates.drops_per_s < LOSS_FRAMES)
		return false;
	text = tp_drop_text(most);
	operator_warn(list, text->remedy,
		"no packet is relayed, %llu of %llu were dropped, reason %s: %s",
		(unsigned long long)u->drops[most], (unsigned long long)u->packets, text->name,
		text->what);
	return true;
}

// Workers see nothing any more of the packets of live allocations, and an interface receives as
// before. Where the calls went silent, its packets went with them.
static bool silence_lost(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	const struct operator_rates *r = &op->rates;
	const struct shm_state *s = &op->sources.link->state;
	char name[TP_IFNAME_MAX + 1];
	bool lost = false;

	if (turn_allocation_count(op->sources.turn) == 0 || r->rx_usual < LOSS_FRAMES ||
		now_ns - r->seen_ns < SILENCE_NS)
		return false;
	for (uint32_t i = 0; i < s->n_ports && i < TP_PORTS_MAX; i++) {
		if (r->ports[i].interface_per_s < (r->rx_usual + 1) / 2)
			continue;
		operator_warn(list, "restart turnpike-dataplane: calls go on",
			"interface %s receives %llu frames a second and no worker sees one: its "
			"program, or what leads to it, is gone",
			port_name(&s->header->ports[i], name),
			(unsigned long long)r->ports[i].interface_per_s);
		lost = true;
	}
	return lost;
}

// ---- ways in ------------------------------------------------------------------------------------

// Whether a listener of another transport than those of the mask is there.
static bool has_others(const struct conf *conf, unsigned transports)
{
	for (size_t i = 0; i < conf->n_listeners; i++)
		if ((transports & 1u << conf->listeners[i].transport) == 0)
			return true;
	return false;
}

// Whether all have expired.
static bool certificates_lost(const struct link_edge *e, json_t *list)
{
	bool all = operator_days_left(e->last_expires_s) < 0;

	if (e->expires_s == 0 || operator_days_left(e->expires_s) >= 0)
		return false;
	operator_warn(list, "renew it, then relayctl certificate reload",
		all ? "a certificate has expired: clients by TLS and DTLS go away"
		    : "a certificate has expired, not all: its clients by TLS and DTLS go away");
	return all;
}

static bool edge_lost(const struct operator_desk *op, json_t *list)
{
	const struct conf *conf = op->sources.settings->conf;
	const struct link_edge *e = op->sources.edge;

	if (e == NULL || !conf_has_edge(conf))
		return false;
	if (!link_edge_is_up(e)) {
		operator_warn(list, "systemctl start turnpike-edge; its log says why it ended",
			"turnpike-edge does not run: no client gets in by TCP, TLS or DTLS");
		return !has_others(conf, 1u << CONF_TRANSPORT_TCP | 1u << CONF_TRANSPORT_TLS |
						 1u << CONF_TRANSPORT_DTLS);
	}
	return certificates_lost(e, list) &&
	       !has_others(conf, 1u << CONF_TRANSPORT_TLS | 1u << CONF_TRANSPORT_DTLS);
}

// Whether the configuration itself has users, or secrets and keys that make some.
static bool has_own_users(const struct conf *conf)
{
	if (conf->n_users + conf->n_secrets + conf->tokens.n_keys > 0)
		return true;
	for (size_t i = 0; i < conf->n_realms; i++) {
		const struct conf_realm *r = &conf->realms[i];

		if (r->n_users + r->n_secrets + r->tokens.n_keys > 0)
			return true;
	}
	return false;
}

static bool directory_lost(const struct operator_desk *op, json_t *list)
{
	const struct lookup_client *c = op->sources.lookup;

	if (c == NULL || c->directory == NULL || lookup_client_is_up(c))
		return false;
	operator_warn(list, "systemctl start turnpike-directory; its log says why it ended",
		"turnpike-directory does not run: users of databases that are not cached are "
		"not let in, calls go on");
	return !has_own_users(op->sources.settings->conf);
}

// Whether the prefix holds all addresses of the family that clients can have.
static bool holds_all(const struct text_cidr *prefix, uint8_t family)
{
	// 2000::/3
	struct tp_addr global = tp_addr_ipv6((const uint8_t[16]){0x20}, 0);

	if (prefix->ip.family != family)
		return false;
	return prefix->prefix_len == 0 || (family == TP_FAMILY_IPV6 && prefix->prefix_len <= 3 &&
						  text_cidr_contains(prefix, &global));
}

// Whether bans shut all clients of all listeners out: one for each family.
static bool clients_banned(const struct operator_desk *op, json_t *list)
{
	const struct conf *conf = op->sources.settings->conf;
	bool banned[TP_FAMILY_IPV6 + 1] = {false};
	char next[96], prefix[TEXT_ADDR_SIZE];
	struct turn_ban ban;
	uint32_t cursor = 0;

	while (turn_ban_next(op->sources.turn, &cursor, &ban)) {
		uint8_t family = ban.prefix.ip.family;

		if (ban.kind != TURN_BAN_PREFIX || !holds_all(&ban.prefix, family))
			continue;
		banned[family] = true;
		snprintf(next, sizeof(next), "relayctl ban remove %s",
			text_cidr_format(&ban.prefix, prefix));
		operator_warn(list, next, "a ban shuts every client out that comes by IPv%c",
			family == TP_FAMILY_IPV4 ? '4' : '6');
	}
	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (!banned[conf->listeners[i].addr.family])
			return false;
	}
	return true;
}

// Whether no realm lets anybody in any more, because its secrets and keys have a time.
static bool credentials_lost(const struct operator_desk *op, json_t *list)
{
	const struct settings *s = op->sources.settings;
	uint64_t wall_s = proc_wall_s();
	size_t n_lost = 0;

	for (size_t i = 0; i < s->n_realms; i++) {
		uint64_t end_s;

		if (!operator_credentials_end(&s->realms[i], wall_s, &end_s) || end_s > wall_s)
			continue;
		n_lost++;
		operator_warn(list,
			"relayctl secret list; the configuration's not_before, not_after",
			"no secret of the realm %s is in force: no client is let in",
			s->realms[i].name);
	}
	return n_lost == s->n_realms;
}

bool operator_losses_collect(const struct operator_desk *op, uint64_t now_ns, json_t *list)
{
	bool lost = dataplane_lost(op, now_ns, list);

	if (!lost) {
		lost |= workers_lost(op, now_ns, list);
		lost |= links_lost(op, list);
		lost |= steering_lost(op, list);
		lost |= reason_lost(op, list);
		lost |= silence_lost(op, now_ns, list);
	}
	lost |= edge_lost(op, list);
	lost |= directory_lost(op, list);
	lost |= clients_banned(op, list);
	lost |= credentials_lost(op, list);
	return lost;
}
