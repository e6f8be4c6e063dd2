// SPDX-License-Identifier: BSD-3-Clause
// Connect and ConnectionBind (RFC 6062 5.2, 5.4).
#include "request.h"

#include "allocation.h"
#include "data.h"

// The address that the edge connects to: that of an own relay address as it is on this host.
// Another own address has nothing for peers, and a relay address only the ports of live TCP
// allocations.
static unsigned target_find(struct turn_request *r, struct tp_addr *peer, struct tp_addr *target)
{
	struct turn_server *s = r->s;
	const struct turn_allocation *to = NULL;
	unsigned code = turn_peer_check(r, peer, true);

	*target = *peer;
	if (code != 0 || turn_locals_find(&s->locals, peer) == NULL)
		return code;
	for (size_t i = 0; i < s->conf.n_relays && to == NULL; i++) {
		if (!tp_addr_same_ip(&s->conf.relays[i].advertised, peer))
			continue;
		memcpy(target->ip, s->conf.relays[i].local.ip, sizeof(target->ip));
		to = turn_data_allocation_at(s, target);
	}
	if (to != NULL && to != r->a)
		return 0;
	r->refusal.peer = *peer;
	return turn_refuse(r, TURN_REFUSED_NO_TCP_PORT, 403);
}

static unsigned connect_check(struct turn_request *r, struct tp_addr *peer, struct tp_addr *target)
{
	const struct stun_message *m = r->m;
	unsigned code;

	if (!r->a->is_tcp)
		return turn_refuse(r, TURN_REFUSED_NOT_TCP, 437);
	if (!stun_has(m, STUN_XOR_PEER_ADDRESS) ||
		!stun_value_xor_address(m, m->attr[STUN_XOR_PEER_ADDRESS], peer) ||
		peer->port_be == 0)
		return 400;
	if (!turn_allocation_has_family(r->s, r->a, peer->family))
		return 443;
	// Each answer tells of a port, a refused one too.
	code = turn_peers_bill(r, 1);
	if (code == 0)
		code = target_find(r, peer, target);
	if (code != 0)
		return code;
	if (turn_data_by_peer(r->a, peer) != NULL)
		return turn_refuse(r, TURN_REFUSED_CONNECTED, 446);
	switch (turn_data_room(r->s, r->a)) {
	case TURN_DATA_LEFT:
		break;
	case TURN_DATA_QUOTA:
		return turn_refuse(r, TURN_REFUSED_DATA_QUOTA, 486);
	case TURN_DATA_SHARED:
		return turn_refuse(r, TURN_REFUSED_DATA_SHARE, 508);
	}
	return 0;
}

unsigned turn_handle_connect(struct turn_request *r, struct stun_writer *w)
{
	struct turn_server *s = r->s;
	struct tp_addr peer, target;
	struct turn_data *d;
	unsigned code = connect_check(r, &peer, &target);

	(void)w;
	if (code != 0)
		return code;
	d = turn_data_new(s, r->a, 0, &peer);
	if (d == NULL)
		return 508;
	d->state = TP_PEER_CONNECTS;
	d->note.flags = TURN_NOTE_CONNECT | (r->negotiated ? TURN_NOTE_SHA256 : 0) |
			(stun_has(r->m, STUN_FINGERPRINT) ? TURN_NOTE_FINGERPRINT : 0);
	memcpy(d->note.txid, r->m->txid, sizeof(d->note.txid));
	if (!turn_data_connect(s, d, &target)) {
		turn_data_forget(s, d);
		return 508;
	}
	s->counters.data_connects++;
	return TURN_LATE;
}

static bool comes_by_tcp(const struct turn_request *r)
{
	const struct turn_listener *l = turn_locals_listener(&r->s->locals, r->from->listener_id);

	return l != NULL && (l->transport == TP_TRANSPORT_TCP || l->transport == TP_TRANSPORT_TLS);
}

static bool is_framed(const struct turn_request *r)
{
	const struct turn_connection *c = turn_connection_find(&r->s->connections, r->from);

	return c != NULL && c->framed;
}

// The success response is the order's data: the edge sends it, and then the peer's bytes.
unsigned turn_handle_connection_bind(struct turn_request *r, struct stun_writer *w)
{
	struct turn_server *s = r->s;
	struct turn_data *d;
	uint32_t id;

	(void)w;
	if (is_framed(r))
		return turn_refuse(r, TURN_REFUSED_FRAMED, 400);
	// A connection with an allocation stays its control connection.
	if (!comes_by_tcp(r) || r->a != NULL || !stun_get_u32(r->m, STUN_CONNECTION_ID, &id))
		return 400;
	d = turn_data_by_id(s, id);
	if (d == NULL || d->state != TP_PEER_WAITS)
		return turn_refuse(r, TURN_REFUSED_CONNECTION_ID, 400);
	if (!turn_identity_is(d->allocation->user, &r->principal))
		return 441;
	d->state = TP_PEER_JOINED;
	s->outs.join = (struct tp_session_order){
		.kind = TP_ORDER_JOIN, .key = d->key, .connection = r->from->connection};
	s->counters.data_joined++;
	return 0;
}
