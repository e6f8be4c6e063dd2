// SPDX-License-Identifier: BSD-3-Clause
// ChannelBind (RFC 8656 12.2).
#include "request.h"

#include "allocation.h"
#include "channel.h"
#include "permission.h"

// Expired, but turn_advance has not come to it yet: out of the way.
static struct turn_channel *still_bound(const struct turn_request *r, struct turn_channel *c)
{
	if (c == NULL || c->expires_s > r->now_s)
		return c;
	turn_channel_end(r->s, c);
	return NULL;
}

struct binding {
	struct tp_addr peer;
	struct turn_channel *existing;
	uint16_t number;
};

// A channel from before a lower limit goes on.
static bool number_is_wrong(const struct turn_request *r, const struct binding *b)
{
	return b->existing == NULL &&
	       (b->number < TP_CHANNEL_MIN || b->number > r->s->conf.channel_max);
}

// The request's own validity, then existing bindings of the channel or peer.
static unsigned binding_read(struct turn_request *r, struct binding *b)
{
	const struct stun_message *m = r->m;
	const struct turn_local *local;
	struct turn_channel *of_peer;

	if (!stun_get_u16(m, STUN_CHANNEL_NUMBER, &b->number) ||
		!stun_has(m, STUN_XOR_PEER_ADDRESS) ||
		!stun_value_xor_address(m, m->attr[STUN_XOR_PEER_ADDRESS], &b->peer))
		return 400;
	b->existing = still_bound(r, turn_channel_by_number(r->s, r->a, b->number));
	if (number_is_wrong(r, b))
		return 400;
	local = turn_locals_find(&r->s->locals, &b->peer);
	if (local != NULL)
		memcpy(b->peer.ip, local->advertised.ip, sizeof(b->peer.ip));
	if (b->existing != NULL && !tp_addr_equal(&b->existing->peer, &b->peer))
		return turn_refuse(r, TURN_REFUSED_CHANNEL, 400);
	of_peer = still_bound(r, turn_channel_by_peer(r->s, r->a, &b->peer));
	return of_peer == b->existing ? 0 : turn_refuse(r, TURN_REFUSED_CHANNEL, 400);
}

static unsigned binding_check(struct turn_request *r, struct binding *b)
{
	unsigned code;

	if (r->a->is_tcp)
		return turn_refuse(r, TURN_REFUSED_NOT_UDP, 403);
	if (policy_client_is_tunnel(&r->from->remote))
		return turn_refuse(r, TURN_REFUSED_TUNNEL, 403);
	code = binding_read(r, b);
	if (code != 0)
		return code;
	if (!turn_allocation_has_family(r->s, r->a, b->peer.family))
		return 443;
	return turn_peer_check(r, &b->peer, true);
}

static uint32_t channel_expiry_s(const struct turn_request *r)
{
	return tp_expiry_s(r->now_ns, r->s->conf.channel_lifetime_s);
}

// RFC 8656 9: a ChannelBind gives the permission the permission's lifetime. Clients that never send
// CreatePermission need the channel's (the listed deviation).
static uint32_t permission_expiry_s(const struct turn_request *r)
{
	const struct turn_conf *conf = &r->s->conf;
	uint32_t lifetime_s = conf->permission_lifetime_s;

	if (conf->permission_follows_channel && conf->channel_lifetime_s > lifetime_s)
		lifetime_s = conf->channel_lifetime_s;
	return tp_expiry_s(r->now_ns, lifetime_s);
}

static uint32_t later(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static unsigned channel_open(struct turn_request *r, struct turn_permission *p, struct binding *b)
{
	struct turn_server *s = r->s;
	struct turn_channel *c;
	uint32_t ref;

	if (!turn_entries_are_left(
		    s, r->a->account, (uint32_t)turn_entries_times(r->a, TURN_ENTRIES_CHANNEL)))
		return turn_refuse(r, TURN_REFUSED_SHARE, 508);
	c = turn_channel_new(s, p, b->number, &b->peer);
	if (c == NULL)
		return turn_refuse(r, TURN_REFUSED_TABLES, 508);
	if (s->store.channel_add(s->store.ctx, r->a->ref, b->number, &b->peer, channel_expiry_s(r),
		    later(p->expires_s, permission_expiry_s(r)), &ref) != 0) {
		turn_channel_forget(s, c);
		return turn_refuse(r, TURN_REFUSED_TABLES, 508);
	}
	turn_channel_adopt(s, c, channel_expiry_s(r), ref);
	return 0;
}

unsigned turn_handle_channel(struct turn_request *r, struct stun_writer *w)
{
	struct turn_permission *p;
	struct binding b;
	unsigned code;
	bool is_new;

	(void)w;
	code = binding_check(r, &b);
	if (code == 0 && b.existing == NULL)
		code = turn_peers_bill(r, 1);
	if (code != 0)
		return code;
	p = turn_permission_ensure(r->s, r->a, &b.peer, permission_expiry_s(r), &is_new);
	if (p == NULL)
		return turn_permission_refuse(r);
	if (b.existing == NULL) {
		code = channel_open(r, p, &b);
		if (code != 0) {
			if (is_new)
				turn_permission_end(r->s, p);
			return code;
		}
	} else {
		turn_channel_extend(r->s, b.existing, channel_expiry_s(r));
	}
	turn_permission_extend(r->s, p, permission_expiry_s(r));
	return 0;
}
