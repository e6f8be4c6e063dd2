// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about packets that left by a listener or a relayed port. Anybody can send one, from
// any address: it counts only if the quoted packet is one that a live entry would have sent, which
// takes the same look-ups as a packet from the quoted destination. Its own source address is looked
// at for its share alone (RFC 8656 11.5). The control process learns the rest.
#include "match.h"

#include <turnpike/stun.h>

// Looks up the client to which a listener has sent.
static void ask_client(struct burst *b, struct pkt_ctx *p, uint16_t listener_id)
{
	p->local_id = listener_id;
	p->lookup.key = tp_key_allocation(&pkt_cold(b, p)->quote.dst, listener_id);
	lookup_enqueue(b, p, STEP_CLIENT);
}

// A port may take DTLS beside plain messages: which of both listeners has sent the datagram. Where
// its payload is not quoted, both are asked.
static uint16_t listener_of(const struct stage_locals *l, uint16_t id, const struct core_quote *q)
{
	uint16_t dtls_id = l->by_id[id].dtls_id;

	return dtls_id != 0 && q->first >= 0 && tp_is_dtls((uint8_t)q->first) ? dtls_id : id;
}

static void ask_peer(struct burst *b, struct pkt_ctx *p)
{
	p->lookup.key = tp_key_peer(&pkt_cold(b, p)->quote.dst, p->local_id, p->port_be);
	lookup_enqueue(b, p, STEP_PEER);
}

static bool ask_dtls_client(struct burst *b, struct pkt_ctx *p)
{
	uint16_t dtls_id = b->locals->by_id[p->local_id].dtls_id;

	if (pkt_cold(b, p)->quote.first >= 0 || dtls_id == 0 || dtls_id == p->local_id)
		return false;
	ask_client(b, p, dtls_id);
	return true;
}

bool icmp_classify(struct burst *b, struct pkt_ctx *p, const struct core_packet *in)
{
	struct core_quote *q = &pkt_cold(b, p)->quote;
	const struct stage_locals *l = b->locals;
	struct tp_addr source;
	struct local_ip ip;
	unsigned own, id;
	bool listener;

	if (!core_quote_read(in, q))
		return false;
	ip = local_ip_of(q->src.ip, q->src.family);
	own = locals_ip_find(l, &ip, q->src.family);
	id = own == 0 ? 0 : locals_role_find(l, &l->ips[own], q->src.port_be, &listener);
	if (id == 0)
		return false;
	source = core_packet_addr(in, in->src_ip, 0);
	if (!q->relayed) {
		pkt_drop(b, p, TP_DROP_icmp);
	} else if (!stage_share_icmp(b->w, &source, b->now_ns)) {
		pkt_drop(b, p, TP_DROP_icmp_rate);
	} else if (!core_quote_plausible(in, q)) {
		pkt_drop(b, p, TP_DROP_icmp_bad);
	} else {
		p->form = FORM_ICMP;
		p->hairpin = false;
		p->local_id = (uint16_t)id;
		p->port_be = q->src.port_be;
		if (listener)
			ask_client(b, p, listener_of(l, p->local_id, q));
		else
			ask_peer(b, p);
	}
	return true;
}

bool report_put(struct burst *b, const struct tp_ring_report *about, uint16_t local_id,
	const struct tp_addr *remote)
{
	struct tp_ring_producer *r = &b->w->punt[TP_PUNT_LIVE];
	struct tp_ring_slot *slot = r->slots == NULL ? NULL : tp_ring_reserve(r);

	if (slot == NULL)
		return false;
	slot->len = sizeof(*about);
	slot->local_id = local_id;
	slot->connection = 0;
	slot->egress = 0;
	slot->transport = TP_TRANSPORT_UDP;
	slot->kind = TP_RING_REPORT;
	slot->remote = *remote;
	slot->worker = b->w->id;
	slot->time_ns = b->now_ns;
	memcpy(slot->data, about, sizeof(*about));
	tp_ring_publish(r);
	b->w->kick = true;
	return true;
}

static void report(struct burst *b, struct pkt_ctx *p, uint32_t allocation)
{
	const struct core_quote *q = &pkt_cold(b, p)->quote;
	const struct tp_ring_report about = {
		.allocation = allocation,
		.mtu = q->leg_mtu,
		.value = q->value,
		.type = q->type,
		.code = q->code,
		.port_be = p->port_be,
	};

	if (!stage_share_flow(b->w, &q->dst, p->local_id, b->now_ns)) {
		pkt_drop(b, p, TP_DROP_icmp_rate);
		return;
	}
	if (!report_put(b, &about, p->local_id, &q->dst)) {
		pkt_drop(b, p, TP_DROP_punt_full);
		return;
	}
	p->pkt->verdict = STAGE_PUNT;
	burst_count(b, TP_PATH_icmp, p->pkt->len);
}

// No channel to the quoted destination: looks up the permission.
static void ask_permission(struct burst *b, struct pkt_ctx *p)
{
	p->allocation = port_allocation(b, p->local_id, p->port_be);
	if (p->allocation == 0) {
		pkt_drop(b, p, TP_DROP_icmp_stale);
		return;
	}
	p->lookup.key = tp_key_permission(&pkt_cold(b, p)->quote.dst, p->allocation);
	lookup_enqueue(b, p, STEP_PERMISSION_IN);
}

void icmp_settle(struct burst *b, struct pkt_ctx *p, enum lookup_step step)
{
	uint32_t index = lookup_confirm(b, &p->lookup);
	const struct tp_entry *e = entry_at(b, index);
	// An allocation lives in either half, a channel needs its permission too.
	bool first = !entry_expired(&e->expires_s, b->now_s);
	bool other = !entry_expired(&e->other_expires_s, b->now_s);

	if (step == STEP_CLIENT && index != 0 && (first || other))
		report(b, p, index);
	else if (step == STEP_PEER && index != 0 && first && other)
		report(b, p, e->allocation);
	else if (step == STEP_PEER)
		ask_permission(b, p);
	else if (step == STEP_PERMISSION_IN && index != 0 &&
		 permission_check(b, p, e, pkt_cold(b, p)->quote.dst.port_be) == TP_DROP_none)
		report(b, p, p->allocation);
	else if (step != STEP_CLIENT || !ask_dtls_client(b, p))
		pkt_drop(b, p, TP_DROP_icmp_stale);
}
