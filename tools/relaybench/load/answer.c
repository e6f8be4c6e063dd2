// SPDX-License-Identifier: BSD-3-Clause
#include "client_private.h"

#include <arpa/inet.h>
#include <string.h>

#include "request.h"

// Takes realm and nonce of a 401 or 438; false if they are missing or too long for us.
static bool challenge_take(
	struct load_client *c, struct load_slot *s, const uint8_t *msg, size_t len)
{
	size_t realm_len = 0, nonce_len = 0;
	const uint8_t *realm = tc_stun_find(msg, len, TC_A_REALM, &realm_len);
	const uint8_t *nonce = tc_stun_find(msg, len, TC_A_NONCE, &nonce_len);

	if (nonce == NULL || nonce_len > LOAD_NONCE_MAX)
		return false;
	memcpy(s->nonce, nonce, nonce_len);
	s->nonce_len = (uint16_t)nonce_len;
	if (c->realm[0] == '\0') {
		if (realm == NULL || realm_len >= sizeof(c->realm))
			return false;
		memcpy(c->realm, realm, realm_len);
		return tc_key(c->o.user, c->realm, c->o.password, c->key);
	}
	return true;
}

static void on_error(
	struct load_client *c, struct load_slot *s, const uint8_t *msg, size_t len, uint64_t now_ns)
{
	int code = tc_stun_error(msg, len);
	bool first = code == 401 && s->state == LOAD_CHALLENGE;

	if (code >= 0 && code < (int)LOAD_CODES_MAX)
		c->counts.codes[code]++;
	if ((first || code == 438) && challenge_take(c, s, msg, len)) {
		load_client_begin(c, s, first ? LOAD_ALLOCATE : s->state, now_ns);
		return;
	}
	// An allocation to be deleted is gone, with any answer.
	if (s->state == LOAD_DELETE) {
		load_client_end(c, s, LOAD_ABSENT);
		return;
	}
	load_client_give_up(c, s);
}

static void on_bound(struct load_client *c, struct load_slot *s, uint64_t now_ns)
{
	bool renewed = s->state == LOAD_REBIND;

	if (++s->channel < c->o.population.n_channels) {
		load_client_begin(c, s, renewed ? LOAD_REBIND : LOAD_BIND, now_ns);
		return;
	}
	load_client_end(c, s, LOAD_LIVE);
	s->renewed_ns = now_ns;
	if (renewed) {
		c->counts.refreshed++;
		return;
	}
	s->media = true;
	c->live++;
	c->counts.set_up++;
	c->counts.replaced += s->replace;
	c->counts.setup_ns += now_ns - s->started_ns;
	s->replace = false;
}

static void on_deleted(struct load_client *c, struct load_slot *s)
{
	load_client_end(c, s, LOAD_ABSENT);
	c->counts.deleted++;
	s->nonce_len = 0;
	if (!s->replace)
		return;
	s->client = c->next_client++ % load_clients_max(&c->o.population);
	load_client_queue(c, s);
}

// False for an address of another family than the peers'.
static bool relayed_take(const struct load_client *c, const union tc_addr *a, struct load_addr *out)
{
	const uint8_t *ip = a->v6.sin6_addr.s6_addr;
	uint32_t low;

	*out = (struct load_addr){
		.port = tc_addr_port(a), .net = {.v6 = a->sa.sa_family == AF_INET6}};
	if (out->net.v6) {
		memcpy(out->net.prefix, ip, sizeof(out->net.prefix));
		memcpy(&low, ip + sizeof(out->net.prefix), sizeof(low));
	} else {
		low = a->v4.sin_addr.s_addr;
	}
	out->ip = ntohl(low);
	return out->net.v6 == c->o.population.peer_net.v6;
}

static void on_success(
	struct load_client *c, struct load_slot *s, const uint8_t *msg, size_t len, uint64_t now_ns)
{
	union tc_addr relayed;

	if (!tc_stun_integrity_ok(msg, len, c->key)) {
		c->counts.bad_integrity++;
		return;
	}
	switch (s->state) {
	case LOAD_CHALLENGE:
		c->counts.strange++; // a server that asks for no credentials
		break;
	case LOAD_ALLOCATE:
		if (!tc_stun_find_addr(msg, len, TC_A_XOR_RELAYED, &relayed) ||
			!relayed_take(c, &relayed, &s->relayed)) {
			load_client_give_up(c, s);
			return;
		}
		load_client_begin(c, s, LOAD_PERMIT, now_ns);
		break;
	case LOAD_PERMIT:
		load_client_begin(c, s, LOAD_BIND, now_ns);
		break;
	case LOAD_REFRESH:
		load_client_begin(c, s, LOAD_REBIND, now_ns);
		break;
	case LOAD_BIND:
	case LOAD_REBIND:
		on_bound(c, s, now_ns);
		break;
	default:
		on_deleted(c, s);
		break;
	}
}

bool load_client_input(
	struct load_client *c, uint32_t client, const uint8_t *msg, size_t len, uint64_t now_ns)
{
	uint32_t id[3];
	struct load_slot *s;
	uint16_t type;

	if (!tc_stun_valid(msg, len))
		return false;
	type = tc_stun_type(msg);
	memcpy(id, msg + 8, sizeof(id));
	s = id[0] < c->n ? &c->slots[id[0]] : NULL;
	// A late answer to a request that was sent again is one of those nobody waits for.
	if (s == NULL || id[1] != s->serial || id[2] != c->o.run || s->client != client ||
		s->flight == LOAD_NO_FLIGHT) {
		c->counts.strange++;
		return true;
	}
	if (type == (load_request_method(s->state) | TC_ERROR))
		on_error(c, s, msg, len, now_ns);
	else if (type == (load_request_method(s->state) | TC_SUCCESS))
		on_success(c, s, msg, len, now_ns);
	else
		c->counts.strange++;
	return true;
}
