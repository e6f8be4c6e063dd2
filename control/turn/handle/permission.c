// SPDX-License-Identifier: BSD-3-Clause
// CreatePermission (RFC 8656 10.2): all of its peers or none.
#include "request.h"

#include "allocation.h"
#include "permission.h"

// As many as a request can name; one that names more is answered 508.
#define PEERS_MAX 128u

struct peers {
	struct tp_addr addr[PEERS_MAX];
	struct turn_permission *permission[PEERS_MAX];
	bool is_new[PEERS_MAX]; // made by this request
	size_t n;
};

static unsigned peers_read(const struct turn_request *r, struct peers *peers)
{
	struct stun_value value;
	size_t offset = 0;

	peers->n = 0;
	while (stun_message_next(r->m, STUN_XOR_PEER_ADDRESS, &offset, &value)) {
		if (peers->n == PEERS_MAX)
			return 508;
		if (!stun_value_xor_address(r->m, value, &peers->addr[peers->n++]))
			return 400;
	}
	return peers->n > 0 ? 0 : 400;
}

static unsigned peers_check(struct turn_request *r, struct peers *peers)
{
	for (size_t i = 0; i < peers->n; i++) {
		if (!turn_allocation_has_family(r->s, r->a, peers->addr[i].family))
			return 443;
	}
	for (size_t i = 0; i < peers->n; i++) {
		unsigned code = turn_peer_check(r, &peers->addr[i], false);

		if (code != 0)
			return code;
	}
	return 0;
}

static void peers_undo(struct turn_request *r, struct peers *peers)
{
	for (size_t i = 0; i < peers->n; i++) {
		if (peers->is_new[i])
			turn_permission_end(r->s, peers->permission[i]);
	}
}

// A bucket that is not empty passes, and may be left with a debt: a request of many peers is one.
unsigned turn_peers_bill(struct turn_request *r, uint32_t n)
{
	const struct turn_conf *conf = &r->s->conf;
	uint64_t cost_ns, *next_ns = &r->a->next_peer_ns;

	if (conf->peer_rate == 0 || n == 0)
		return 0;
	cost_ns = TP_NS_PER_S / conf->peer_rate;
	if (*next_ns < r->now_ns)
		*next_ns = r->now_ns;
	if (*next_ns - r->now_ns >= cost_ns * conf->peer_burst) {
		r->s->counters.peers_refused++;
		return turn_refuse(r, TURN_REFUSED_PEERS, 508);
	}
	*next_ns += cost_ns * n;
	return 0;
}

static uint32_t peers_count_new(const struct turn_request *r, const struct peers *peers)
{
	uint32_t n = 0;

	for (size_t i = 0; i < peers->n; i++) {
		const struct turn_permission *p = turn_permission_of(r->s, r->a, &peers->addr[i]);

		n += p == NULL || !p->in_store;
	}
	return n;
}

unsigned turn_permission_refuse(struct turn_request *r)
{
	bool left = turn_entries_are_left(r->s, r->a->account, TURN_ENTRIES_PERMISSION);

	return turn_refuse(r, left ? TURN_REFUSED_TABLES : TURN_REFUSED_SHARE, 508);
}

// All of them in the store, or as it was before.
static unsigned peers_add(struct turn_request *r, struct peers *peers, uint32_t expires_s)
{
	memset(peers->is_new, 0, sizeof(peers->is_new));
	for (size_t i = 0; i < peers->n; i++) {
		peers->permission[i] = turn_permission_ensure(
			r->s, r->a, &peers->addr[i], expires_s, &peers->is_new[i]);
		if (peers->permission[i] == NULL) {
			unsigned code = turn_permission_refuse(r);

			peers_undo(r, peers);
			return code;
		}
	}
	return 0;
}

unsigned turn_handle_permission(struct turn_request *r, struct stun_writer *w)
{
	uint32_t expires_s = tp_expiry_s(r->now_ns, r->s->conf.permission_lifetime_s);
	struct peers peers;
	unsigned code;

	(void)w;
	code = peers_read(r, &peers);
	if (code == 0)
		code = peers_check(r, &peers);
	if (code == 0)
		code = turn_peers_bill(r, peers_count_new(r, &peers));
	if (code == 0)
		code = peers_add(r, &peers, expires_s);
	if (code != 0)
		return code;
	// Those that were there already are extended only now that nothing can fail.
	for (size_t i = 0; i < peers.n; i++)
		turn_permission_extend(r->s, peers.permission[i], expires_s);
	return 0;
}
