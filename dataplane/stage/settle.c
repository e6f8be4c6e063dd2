// SPDX-License-Identifier: BSD-3-Clause
// Settle on the slow path: checks the entries found and decides on a drop, the next look-up or a
// destination.
#include "forward.h"
#include "match.h"
#include "stream.h"

static bool allocation_expired(const struct tp_entry *a, uint32_t now_s)
{
	return entry_expired(&a->expires_s, now_s) && entry_expired(&a->other_expires_s, now_s);
}

// none, no_allocation or allocation_expired: whether the allocation has this relayed transport
// address and it is live.
static enum tp_drop relayed_check(
	const struct tp_entry *a, uint16_t relay_id, uint16_t port_be, uint32_t now_s)
{
	if (a->key.kind != TP_KIND_ALLOCATION || relay_id == 0)
		return TP_DROP_no_allocation;
	if (a->relay[0].relay_id == relay_id && a->relay[0].port_be == port_be)
		return entry_expired(&a->expires_s, now_s) ? TP_DROP_allocation_expired
							   : TP_DROP_none;
	if (a->relay[1].relay_id == relay_id && a->relay[1].port_be == port_be)
		return entry_expired(&a->other_expires_s, now_s) ? TP_DROP_allocation_expired
								 : TP_DROP_none;
	return TP_DROP_no_allocation;
}

// The first message by a second 5-tuple decides on the client's move (RFC 8016): tells the control
// process, again while it has not done it.
static void move_look(struct burst *b, const struct tp_entry *e)
{
	struct tp_ring_report about = {.allocation = e->allocation, .type = TP_REPORT_MOVED};
	const struct tp_entry *a;
	struct tp_addr client;

	if (STAGE_LIKELY((e->flags & TP_ENTRY_MOVING) == 0) ||
		e->allocation >= b->w->table.n_entries)
		return;
	a = entry_at(b, e->allocation);
	client = (struct tp_addr){.port_be = a->key.port_be, .family = a->key.family};
	memcpy(client.ip, a->key.ip, sizeof(client.ip));
	if (stage_share_flow(b->w, &client, a->key.local_id, b->now_ns))
		(void)report_put(b, &about, a->key.local_id, &client);
}

static uint16_t header_dst_port_be(const struct tp_entry *e)
{
	uint16_t port_be;

	memcpy(&port_be,
		e->header + (e->header[0] == 0x45 ? WIRE_IPV4_HEADER_LEN : WIRE_IPV6_HEADER_LEN) +
			WIRE_UDP_DPORT,
		sizeof(port_be));
	return port_be;
}

static void channel_hairpin(struct burst *b, struct pkt_ctx *p, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);

	p->sent_by = index;
	if (entry_expired(&e->other_expires_s, b->now_s))
		pkt_drop(b, p, TP_DROP_permission_expired);
	else
		hairpin_enter(
			b, p, e->relay_id, e->port_be, e->hairpin_relay_id, header_dst_port_be(e));
}

static void channel_forward(struct burst *b, struct pkt_ctx *p, enum direction dir, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);
	const struct direction_entries entries = {
		.leaving = e,
		.sent_by = e,
		.received_by = e,
		.leaving_index = index,
		.sent_index = index,
	};

	forward(b, p, dir, &entries);
}

static void channel_send(struct burst *b, struct pkt_ctx *p, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);

	move_look(b, e);
	if (e->flags & TP_ENTRY_HAIRPIN)
		channel_hairpin(b, p, index);
	else
		channel_forward(b, p, DIR_CHANNEL_TO_PEER, index);
}

// The channel's expiry alone is tested, except for a hairpin: the allocation's entry is not touched
// for media, the control process takes channels down with their allocation.
static void channel_settle(struct burst *b, struct pkt_ctx *p)
{
	uint32_t index = lookup_confirm(b, &p->lookup);
	const struct tp_entry *e = entry_at(b, index);

	if (index == 0)
		pkt_drop(b, p, TP_DROP_no_channel);
	else if (entry_expired(&e->expires_s, b->now_s))
		pkt_drop(b, p, TP_DROP_channel_expired);
	else if (!stream_owns(b, p, e->allocation))
		pkt_drop(b, p, TP_DROP_stale_connection);
	else
		channel_send(b, p, index);
}

static bool has_family(const struct burst *b, const struct tp_entry *a, uint8_t family)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct local_record *r = locals_relay(b->locals, a->relay[i].relay_id);

		if (r != NULL && r->addr.family == family)
			return true;
	}
	return false;
}

static void client_settle(struct burst *b, struct pkt_ctx *p)
{
	const struct tp_addr *peer = &pkt_cold(b, p)->send.peer;
	uint32_t index = lookup_confirm(b, &p->lookup);
	bool live = index != 0 && !allocation_expired(entry_at(b, index), b->now_s);

	if (p->form == FORM_REQUEST) {
		pkt_punt(b, p, live && stream_owns(b, p, index));
	} else if (p->form == FORM_RECORDS && p->message != NULL) {
		records_leave(b, p, index);
	} else if (p->form == FORM_RECORDS) {
		records_give(b, p, live);
	} else if (index == 0) {
		pkt_drop(b, p, TP_DROP_no_allocation);
	} else if (!live) {
		pkt_drop(b, p, TP_DROP_allocation_expired);
	} else if (!stream_owns(b, p, index)) {
		pkt_drop(b, p, TP_DROP_stale_connection);
	} else {
		p->client = index;
		p->lookup.key = tp_key_permission(peer, index);
		lookup_enqueue(b, p, STEP_PERMISSION_OUT);
	}
}

static void drop_unpermitted(struct burst *b, struct pkt_ctx *p)
{
	uint8_t family = pkt_cold(b, p)->send.peer.family;

	pkt_drop(b, p,
		has_family(b, entry_at(b, p->client), family) ? TP_DROP_no_permission
							      : TP_DROP_wrong_family);
}

// none, or why the permission that was found cannot be used.
static enum tp_drop permission_out_check(
	struct burst *b, const struct pkt_ctx *p, const struct tp_entry *e)
{
	enum tp_drop why = permission_check(b, p, e, pkt_cold(b, p)->send.peer.port_be);

	if (why != TP_DROP_none)
		return why;
	why = relayed_check(entry_at(b, p->client), e->relay_id, e->port_be, b->now_s);
	return why == TP_DROP_no_allocation ? TP_DROP_table_corrupt : why;
}

static void permission_out_settle(struct burst *b, struct pkt_ctx *p)
{
	uint32_t index = lookup_confirm(b, &p->lookup);
	const struct tp_entry *e = entry_at(b, index);
	const struct direction_entries entries = {
		.leaving = e,
		.sent_by = e,
		.client = entry_at(b, p->client),
		.leaving_index = index,
		.sent_index = index,
	};
	enum tp_drop why;

	if (index == 0) {
		drop_unpermitted(b, p);
		return;
	}
	why = permission_out_check(b, p, e);
	if (why == TP_DROP_none)
		move_look(b, e);
	if (why != TP_DROP_none) {
		pkt_drop(b, p, why);
	} else if (!sent_port_pass(b, index, pkt_cold(b, p)->send.peer.port_be)) {
		sent_port_drop(b, p, e);
	} else if (e->flags & TP_ENTRY_HAIRPIN) {
		p->sent_by = index;
		hairpin_enter(b, p, e->relay_id, e->port_be, e->hairpin_relay_id,
			pkt_cold(b, p)->send.peer.port_be);
	} else {
		forward(b, p, DIR_SEND_TO_PEER, &entries);
	}
}

// No channel: looks up the permission.
static void ask_permission_in(struct burst *b, struct pkt_ctx *p)
{
	uint32_t allocation = port_allocation(b, p->local_id, p->port_be);
	struct tp_addr peer = {.family = p->lookup.key.family};

	if (allocation == 0) {
		if (p->hairpin)
			local_send(b, p);
		else
			pkt_drop(b, p, TP_DROP_no_allocation);
		return;
	}
	p->allocation = allocation;
	__builtin_prefetch(entry_at(b, allocation), 0, 3);
	__builtin_prefetch(entry_at(b, allocation)->header, 0, 3);
	__builtin_prefetch(&b->w->cells[allocation], 1, 3);
	memcpy(peer.ip, p->lookup.key.ip, sizeof(peer.ip));
	memcpy(&p->lookup.arrived, &p->lookup.key.port_be, sizeof(p->lookup.arrived));
	p->lookup.key = tp_key_permission(&peer, allocation);
	lookup_enqueue(b, p, STEP_PERMISSION_IN);
}

static void peer_settle(struct burst *b, struct pkt_ctx *p)
{
	uint32_t index = lookup_confirm(b, &p->lookup);
	const struct tp_entry *e = entry_at(b, index);

	if (index == 0 || entry_expired(&e->other_expires_s, b->now_s))
		ask_permission_in(b, p);
	else if (entry_expired(&e->expires_s, b->now_s))
		pkt_drop(b, p, TP_DROP_permission_expired);
	else if (p->hairpin)
		hairpin_forward(b, p, index, true);
	else
		channel_forward(b, p, DIR_PEER_TO_CHANNEL, index);
}

// The port of the peer whose datagram looks for a permission.
static uint16_t arrived_from(const struct pkt_ctx *p)
{
	uint16_t port_be;

	// A key's last word begins with its port.
	memcpy(&port_be, &p->lookup.arrived, sizeof(port_be));
	return port_be;
}

static void permission_in_settle(struct burst *b, struct pkt_ctx *p)
{
	uint32_t index = lookup_confirm(b, &p->lookup);
	const struct tp_entry *e = entry_at(b, index);
	const struct tp_entry *allocation = entry_at(b, p->allocation);
	const struct direction_entries entries = {
		.leaving = allocation,
		.received_by = e,
		.leaving_index = p->allocation,
	};
	enum tp_drop why = relayed_check(allocation, p->local_id, p->port_be, b->now_s);

	if (why != TP_DROP_none)
		pkt_drop(b, p, p->hairpin ? TP_DROP_own_address : why);
	else if (index == 0)
		pkt_drop(b, p, TP_DROP_no_permission);
	else if ((why = permission_check(b, p, e, arrived_from(p))) != TP_DROP_none)
		pkt_drop(b, p, why);
	else if (p->hairpin)
		hairpin_forward(b, p, index, false);
	else
		forward(b, p, DIR_PEER_TO_DATA, &entries);
}

static void settle_one(struct burst *b, struct pkt_ctx *p, enum lookup_step step)
{
	if (STAGE_UNLIKELY(p->form == FORM_ICMP)) {
		icmp_settle(b, p, step);
		return;
	}
	switch (step) {
	case STEP_CHANNEL:
		channel_settle(b, p);
		break;
	case STEP_PEER:
	case STEP_HAIRPIN:
		peer_settle(b, p);
		break;
	case STEP_CLIENT:
		client_settle(b, p);
		break;
	case STEP_PERMISSION_OUT:
		permission_out_settle(b, p);
		break;
	case STEP_PERMISSION_IN:
		permission_in_settle(b, p);
		break;
	case STEPS:
		break;
	}
}

void slow_settle(struct burst *b, const struct pending_list *pending)
{
	for (enum lookup_step step = 0; step < SLOW_STEPS; step++) {
		pending_match(b, &pending[step], step);
		for (unsigned i = 0; i < pending[step].n; i++)
			settle_one(b, &b->ctx[pending[step].at[i]], step);
	}
}

// Reads the Send indication again, which the fast path has left where it was.
static void send_read(struct burst *b, struct pkt_ctx *p)
{
	struct core_packet in;

	core_plain_read(&in, p->pkt->data, p->v4);
	core_send_parse(
		core_packet_payload(&in), core_packet_payload_len(&in), &pkt_cold(b, p)->send);
}

void slow_take_over(struct burst *b, const struct lookup *l, enum lookup_step step, bool v4)
{
	struct pkt_ctx *p = &b->ctx[pkt_number(b, l->pkt)];
	const struct tp_entry *sent_by = entry_at(b, l->before);
	struct tp_key arrived = l->key;

	// A key's last word begins with its port.
	if (step == STEP_PERMISSION_IN)
		memcpy(&arrived.port_be, &l->arrived, sizeof(l->arrived));
	*p = (struct pkt_ctx){
		.lookup = *l,
		.pkt = l->pkt,
		.sent_by = l->before,
		.client = l->before,
		.allocation = l->before,
		.local_id = arrived.local_id,
		.port_be = arrived.selector,
		.v4 = v4,
		.hairpin = step == STEP_HAIRPIN,
	};
	switch (step) {
	case STEP_CLIENT:
	case STEP_PERMISSION_OUT:
		p->form = FORM_SEND;
		send_read(b, p);
		break;
	case STEP_HAIRPIN:
		p->form = FORM_CHANNEL;
		pkt_cold(b, p)->shown = locals_relay(b->locals, sent_by->relay_id)->external;
		pkt_cold(b, p)->shown.port_be = sent_by->port_be;
		break;
	case STEP_CHANNEL:
		p->form = FORM_CHANNEL;
		break;
	default:
		p->form = FORM_DATAGRAM;
		break;
	}
	settle_one(b, p, step);
}
