// SPDX-License-Identifier: BSD-3-Clause
#include "handlers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <log/log.h>
#include <text/addr.h>
#include <text/time.h>

#include <proc/clock.h>

#define PART	  128u	// allocations of one answer
#define STEP_MAX  4096u // allocations looked at for one answer
#define PEERS_MAX 1024u // permissions and channels shown of one allocation

uint64_t operator_allocation_id(const struct turn_allocation_record *rec, uint32_t ref)
{
	return (uint64_t)ref << 16 | (rec->created_ns / TP_NS_PER_MS & 0xffff);
}

static uint64_t age_s(const struct turn_allocation_record *rec, uint64_t now_ns)
{
	return now_ns > rec->created_ns ? (now_ns - rec->created_ns) / TP_NS_PER_S : 0;
}

static json_int_t left_s(uint32_t expires_s, uint64_t now_ns)
{
	return (json_int_t)expires_s - (json_int_t)(now_ns / TP_NS_PER_S);
}

static json_t *addresses_of(const struct turn_allocation_record *rec, bool advertised)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		const struct turn_relay_slot *slot = &rec->relay[i];

		if (slot->expires_s != 0)
			json_array_append_new(list,
				operator_json_addr(advertised ? &slot->advertised : &slot->local));
	}
	return list;
}

static uint32_t expires_of(const struct turn_allocation_record *rec)
{
	uint32_t last = 0;

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (rec->relay[i].expires_s > last)
			last = rec->relay[i].expires_s;
	}
	return last;
}

static json_t *id_of(const struct turn_allocation_view *view)
{
	return json_sprintf(
		"%llx", (unsigned long long)operator_allocation_id(view->record, view->ref));
}

// That of the listener, which keeps its record while an allocation refers to it.
json_t *operator_transport_json(
	const struct operator_desk *op, const struct turn_allocation_record *rec)
{
	static const char *const names[] = {
		[TP_TRANSPORT_UDP] = "udp",
		[TP_TRANSPORT_TCP] = "tcp",
		[TP_TRANSPORT_TLS] = "tls",
		[TP_TRANSPORT_DTLS] = "dtls",
	};
	uint8_t t = tables_shm(op->sources.tables)->locals[rec->client.listener_id].transport;

	return t < TP_ARRAY_LEN(names) && names[t] != NULL ? json_string(names[t]) : json_null();
}

static json_t *allocation_json(
	const struct operator_desk *op, const struct turn_allocation_view *view, uint64_t now_ns)
{
	const struct turn_allocation_record *rec = view->record;
	struct tables_usage usage = {0};
	json_t *o = json_object();

	(void)tables_allocation_usage(op->sources.tables, view->ref, &usage);
	json_object_set_new(o, "id", id_of(view));
	json_object_set_new(o, "user", operator_json_text(rec->username, rec->username_len));
	json_object_set_new(o, "client", operator_json_addr(&rec->client.remote));
	json_object_set_new(o, "transport", operator_transport_json(op, rec));
	json_object_set_new(o, "relayed", addresses_of(rec, false));
	json_object_set_new(o, "age_s", operator_json_u64(age_s(rec, now_ns)));
	json_object_set_new(o, "expires_s", json_integer(left_s(expires_of(rec), now_ns)));
	json_object_set_new(o, "permissions", operator_json_u64(view->n_permissions));
	json_object_set_new(o, "channels", operator_json_u64(view->n_channels));
	json_object_set_new(o, "packets_to_peer", operator_json_u64(usage.to_peer_packets));
	json_object_set_new(o, "octets_to_peer", operator_json_u64(usage.to_peer_octets));
	json_object_set_new(o, "packets_to_client", operator_json_u64(usage.to_client_packets));
	json_object_set_new(o, "octets_to_client", operator_json_u64(usage.to_client_octets));
	return o;
}

struct filter {
	const char *user;
	struct tp_addr client; // family NONE: any
	uint64_t limit;	       // 0: none
};

static bool filter_takes(const struct filter *f, const struct turn_allocation_record *rec)
{
	if (f->user != NULL && (strlen(f->user) != rec->username_len ||
				       memcmp(f->user, rec->username, rec->username_len) != 0))
		return false;
	return f->client.family == TP_FAMILY_NONE ||
	       tp_addr_same_ip(&f->client, &rec->client.remote);
}

enum ctl_step operator_allocation_list(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	struct filter f = {
		.user = ctl_call_text(call, "user"), .limit = ctl_call_number(call, "limit")};
	const char *client = ctl_call_text(call, "client");
	struct turn_allocation_view view;
	bool more = true;

	if (client != NULL && text_ip_parse(client, &f.client) < 0)
		return ctl_call_fail(
			call, "usage", "give an IP address without a port", "client is no address");
	call->result = json_array();
	for (unsigned i = 0; i < STEP_MAX && more; i++) {
		more = turn_allocation_next(op->sources.turn, &call->cursor, &view);
		if (!more || !filter_takes(&f, view.record))
			continue;
		json_array_append_new(call->result, allocation_json(op, &view, call->now_ns));
		call->count++;
		if (f.limit != 0 && call->count >= f.limit)
			return CTL_DONE;
		if (json_array_size(call->result) >= PART)
			break;
	}
	return more ? CTL_MORE : CTL_DONE;
}

static int id_parse(const char *text, uint32_t *ref, uint64_t *id)
{
	char *end;

	*id = strtoull(text, &end, 16);
	if (*text == '\0' || *end != '\0' || *id >> 48 != 0 || strchr("-+ ", *text) != NULL)
		return -1;
	*ref = (uint32_t)(*id >> 16);
	return 0;
}

static int id_find(
	const struct operator_desk *op, const char *text, struct turn_allocation_view *view)
{
	uint64_t id;
	uint32_t ref;

	if (id_parse(text, &ref, &id) < 0 || turn_allocation_find(op->sources.turn, ref, view) < 0)
		return -1;
	// The slot may be another allocation's by now.
	return operator_allocation_id(view->record, ref) == id ? 0 : -1;
}

static int allocation_find(const struct operator_desk *op, const struct ctl_call *call,
	struct turn_allocation_view *view)
{
	return id_find(op, ctl_call_text(call, "id"), view);
}

static bool has_address(const struct turn_allocation_record *rec, const struct tp_addr *a)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		const struct turn_relay_slot *slot = &rec->relay[i];

		if (slot->expires_s != 0 &&
			(tp_addr_equal(&slot->local, a) || tp_addr_equal(&slot->advertised, a)))
			return true;
	}
	return tp_addr_equal(&rec->client.remote, a);
}

unsigned operator_allocation_find(
	const struct operator_desk *op, const char *text, struct turn_allocation_view *view)
{
	struct turn_allocation_view next;
	uint64_t cursor = 0;
	struct tp_addr a;
	uint32_t ref = 0;
	unsigned n = 0;

	if (text_addr_parse(text, &a) != 0)
		return id_find(op, text, view) == 0;
	while (turn_allocation_next(op->sources.turn, &cursor, &next)) {
		if (has_address(next.record, &a) && n++ == 0)
			ref = next.ref;
	}
	// A record lives until the next one is asked for.
	return n > 0 && turn_allocation_find(op->sources.turn, ref, view) == 0 ? n : 0;
}

static enum ctl_step allocation_missing(struct ctl_call *call)
{
	return ctl_call_fail(call, "not_found", "relayctl allocation list",
		"there is no allocation %.64s", ctl_call_text(call, "id"));
}

// The MTU of the port that packets of the entry leave by; 0: none leads there.
static uint32_t port_mtu(const struct operator_desk *op, uint32_t ref)
{
	const struct shm_tables *t = tables_shm(op->sources.tables);
	const struct shm_state *state = &op->sources.link->state;
	uint32_t slot = atomic_load_explicit(&t->table.entries[ref].egress, memory_order_relaxed);
	uint64_t word;
	uint8_t mac[6], port;

	if (slot == 0 || slot >= t->n_next_hops || state->header == NULL)
		return 0;
	word = atomic_load_explicit(&t->next_hops[slot], memory_order_relaxed);
	tp_next_hop_unpack(word, mac, &port);
	if ((word & TP_NEXT_HOP_VALID) == 0 || port >= TP_PORTS_MAX)
		return 0;
	return state->header->ports[port].mtu;
}

// The longest IP packet of a leg, and how it is known.
static void mtu_put(const struct operator_desk *op, json_t *o, uint32_t ref, uint16_t path_mtu,
	enum turn_mtu_source source)
{
	static const char *const by[] = {
		[TURN_MTU_UNKNOWN] = "port",
		[TURN_MTU_ICMP] = "icmp",
		[TURN_MTU_BLACK_HOLE] = "black_hole",
	};
	uint32_t mtu = path_mtu != 0 || ref == 0 ? path_mtu : port_mtu(op, ref);

	json_object_set_new(o, "mtu", mtu != 0 ? operator_json_u64(mtu) : json_null());
	json_object_set_new(o, "mtu_by", mtu != 0 ? json_string(by[source]) : json_null());
}

static json_t *peer_json(
	const struct operator_desk *op, const struct turn_permission_view *p, uint64_t now_ns)
{
	struct tables_usage usage = {0};
	json_t *o = json_object();

	if (p->ref != 0)
		(void)tables_object_usage(op->sources.tables, p->ref, &usage);
	json_object_set_new(o, "peer",
		p->channel != 0 ? operator_json_addr(&p->peer) : operator_json_ip(&p->peer));
	json_object_set_new(
		o, "channel", p->channel != 0 ? json_sprintf("0x%04x", p->channel) : json_null());
	json_object_set_new(o, "expires_s", json_integer(left_s(p->expires_s, now_ns)));
	mtu_put(op, o, p->ref, p->path_mtu, p->mtu_source);
	json_object_set_new(o, "packets_to_peer", operator_json_u64(usage.to_peer_packets));
	json_object_set_new(o, "packets_to_client", operator_json_u64(usage.to_client_packets));
	return o;
}

// Null where no cap concerns the allocation.
static void caps_put(const struct operator_desk *op, json_t *o, uint32_t ref)
{
	struct tables_limit_usage usage;
	bool is_capped = tables_limit_usage(op->sources.tables, ref, &usage) == 0;

	json_object_set_new(
		o, "cap_marked", is_capped ? operator_json_u64(usage.marked) : json_null());
	json_object_set_new(
		o, "cap_dropped", is_capped ? operator_json_u64(usage.dropped) : json_null());
}

enum ctl_step operator_allocation_show(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	struct turn_permission_view *peers;
	struct turn_allocation_view view;
	json_t *list;
	size_t n;

	if (allocation_find(op, call, &view) < 0)
		return allocation_missing(call);
	peers = calloc(PEERS_MAX, sizeof(*peers));
	if (peers == NULL)
		return ctl_call_fail(call, "internal", "is there memory left?", "out of memory");
	call->result = allocation_json(op, &view, call->now_ns);
	json_object_set_new(call->result, "listener",
		operator_json_addr(&tables_shm(op->sources.tables)
					    ->locals[view.record->client.listener_id]
					    .addr));
	json_object_set_new(call->result, "advertised", addresses_of(view.record, true));
	mtu_put(op, call->result, view.ref, view.path_mtu, view.mtu_source);
	caps_put(op, call->result, view.ref);
	n = turn_permissions_of(op->sources.turn, view.ref, peers, PEERS_MAX);
	list = json_array();
	for (size_t i = 0; i < n && i < PEERS_MAX; i++)
		json_array_append_new(list, peer_json(op, &peers[i], call->now_ns));
	json_object_set_new(call->result, "peers", list);
	free(peers);
	return CTL_DONE;
}

// The credential must not begin another call: it is banned for the rest of its time.
static json_t *credential_ban(struct operator_desk *op, const struct ctl_call *call, uint32_t ref)
{
	char text[TEXT_TIME_SIZE];
	struct turn_ban ban;
	int rc = turn_ban_of_credential(op->sources.turn, ref, proc_wall_s(), &ban);

	if (rc == 0)
		rc = operator_ban(op, call, &ban);
	return rc == 0 || rc == -EIO ? json_string(text_time_format(ban.until_s, text))
				     : json_null();
}

enum ctl_step operator_allocation_kill(void *ctx, struct ctl_call *call)
{
	struct operator_desk *op = ctx;
	struct turn_allocation_view view;
	json_t *until;
	uint64_t id;

	if (allocation_find(op, call, &view) < 0)
		return allocation_missing(call);
	id = operator_allocation_id(view.record, view.ref);
	until = credential_ban(op, call, view.ref);
	if (turn_kill(op->sources.turn, call->now_ns, view.ref) < 0) {
		json_decref(until);
		return allocation_missing(call);
	}
	operator_log(LOG_EV_OPERATOR_COMMAND, call, LOG_FIELDS(log_allocation(id)));
	call->result =
		json_pack("{s:s, s:o}", "id", ctl_call_text(call, "id"), "banned_until", until);
	return CTL_DONE;
}
