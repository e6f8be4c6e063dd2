// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <log/log.h>
#include <text/addr.h>

#define PART	  128u	// allocations of one answer
#define STEP_MAX  4096u // allocations looked at for one answer
#define PEERS_MAX 1024u // permissions and channels shown of one allocation

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
			json_array_append_new(
				list, io_json_addr(advertised ? &slot->advertised : &slot->local));
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
	return json_sprintf("%llx", (unsigned long long)io_allocation_id(view->record, view->ref));
}

static json_t *allocation_json(
	const struct io_relay *r, const struct turn_allocation_view *view, uint64_t now_ns)
{
	const struct turn_allocation_record *rec = view->record;
	struct tables_usage usage = {0};
	json_t *o = json_object();

	(void)tables_allocation_usage(r->tables, view->ref, &usage);
	json_object_set_new(o, "id", id_of(view));
	json_object_set_new(o, "user", io_json_text(rec->username, rec->username_len));
	json_object_set_new(o, "client", io_json_addr(&rec->client.remote));
	json_object_set_new(o, "relayed", addresses_of(rec, false));
	json_object_set_new(o, "age_s", io_json_u64(age_s(rec, now_ns)));
	json_object_set_new(o, "expires_s", json_integer(left_s(expires_of(rec), now_ns)));
	json_object_set_new(o, "permissions", io_json_u64(view->n_permissions));
	json_object_set_new(o, "channels", io_json_u64(view->n_channels));
	json_object_set_new(o, "packets_to_peer", io_json_u64(usage.to_peer_packets));
	json_object_set_new(o, "octets_to_peer", io_json_u64(usage.to_peer_octets));
	json_object_set_new(o, "packets_to_client", io_json_u64(usage.to_client_packets));
	json_object_set_new(o, "octets_to_client", io_json_u64(usage.to_client_octets));
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

enum ctl_step io_view_allocation_list(void *ctx, struct ctl_call *call)
{
	struct io_relay *r = ctx;
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
		more = turn_allocation_next(r->turn, &call->cursor, &view);
		if (!more || !filter_takes(&f, view.record))
			continue;
		json_array_append_new(call->result, allocation_json(r, &view, call->now_ns));
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

static int id_find(const struct io_relay *r, const char *text, struct turn_allocation_view *view)
{
	uint64_t id;
	uint32_t ref;

	if (id_parse(text, &ref, &id) < 0 || turn_allocation_find(r->turn, ref, view) < 0)
		return -1;
	// The slot may be another allocation's by now.
	return io_allocation_id(view->record, ref) == id ? 0 : -1;
}

static int allocation_find(
	const struct io_relay *r, const struct ctl_call *call, struct turn_allocation_view *view)
{
	return id_find(r, ctl_call_text(call, "id"), view);
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

unsigned io_allocation_find(
	const struct io_relay *r, const char *text, struct turn_allocation_view *view)
{
	struct turn_allocation_view next;
	uint64_t cursor = 0;
	struct tp_addr a;
	uint32_t ref = 0;
	unsigned n = 0;

	if (text_addr_parse(text, &a) != 0)
		return id_find(r, text, view) == 0;
	while (turn_allocation_next(r->turn, &cursor, &next)) {
		if (has_address(next.record, &a) && n++ == 0)
			ref = next.ref;
	}
	// A record lives until the next one is asked for.
	return n > 0 && turn_allocation_find(r->turn, ref, view) == 0 ? n : 0;
}

static enum ctl_step allocation_missing(struct ctl_call *call)
{
	return ctl_call_fail(call, "not_found", "relayctl allocation list",
		"there is no allocation %.64s", ctl_call_text(call, "id"));
}

static json_t *peer_json(
	const struct io_relay *r, const struct turn_permission_view *p, uint64_t now_ns)
{
	struct tables_usage usage = {0};
	json_t *o = json_object();

	if (p->ref != 0)
		(void)tables_object_usage(r->tables, p->ref, &usage);
	json_object_set_new(
		o, "peer", p->channel != 0 ? io_json_addr(&p->peer) : io_json_ip(&p->peer));
	json_object_set_new(
		o, "channel", p->channel != 0 ? json_sprintf("0x%04x", p->channel) : json_null());
	json_object_set_new(o, "expires_s", json_integer(left_s(p->expires_s, now_ns)));
	json_object_set_new(o, "packets_to_peer", io_json_u64(usage.to_peer_packets));
	json_object_set_new(o, "packets_to_client", io_json_u64(usage.to_client_packets));
	return o;
}

enum ctl_step io_view_allocation_show(void *ctx, struct ctl_call *call)
{
	struct io_relay *r = ctx;
	struct turn_permission_view *peers;
	struct turn_allocation_view view;
	json_t *list;
	size_t n;

	if (allocation_find(r, call, &view) < 0)
		return allocation_missing(call);
	peers = calloc(PEERS_MAX, sizeof(*peers));
	if (peers == NULL)
		return ctl_call_fail(call, "internal", "is there memory left?", "out of memory");
	call->result = allocation_json(r, &view, call->now_ns);
	json_object_set_new(call->result, "listener",
		io_json_addr(&tables_shm(r->tables)->locals[view.record->client.listener_id].addr));
	json_object_set_new(call->result, "advertised", addresses_of(view.record, true));
	n = turn_permissions_of(r->turn, view.ref, peers, PEERS_MAX);
	list = json_array();
	for (size_t i = 0; i < n && i < PEERS_MAX; i++)
		json_array_append_new(list, peer_json(r, &peers[i], call->now_ns));
	json_object_set_new(call->result, "peers", list);
	free(peers);
	return CTL_DONE;
}

enum ctl_step io_view_allocation_kill(void *ctx, struct ctl_call *call)
{
	struct io_relay *r = ctx;
	struct turn_allocation_view view;
	uint64_t id;

	if (allocation_find(r, call, &view) < 0)
		return allocation_missing(call);
	id = io_allocation_id(view.record, view.ref);
	if (turn_kill(r->turn, call->now_ns, view.ref) < 0)
		return allocation_missing(call);
	io_operator_log(LOG_EV_OPERATOR_COMMAND, call, LOG_FIELDS(log_allocation(id)));
	io_serve_outputs(r, call->now_ns, 0);
	call->result = json_pack("{s:s}", "id", ctl_call_text(call, "id"));
	return CTL_DONE;
}
