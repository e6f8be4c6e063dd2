// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

#include <arpa/inet.h>
#include <string.h>

#define UDP_TRANSPORT (17u << 24)
#define FAMILY_IPV6   (2u << 24)

static void sign(const struct load_request *r, const struct load_slot *s, struct tc_stun *m)
{
	tc_stun_put_text(m, TC_A_USERNAME, r->user);
	tc_stun_put_text(m, TC_A_REALM, r->realm);
	tc_stun_put(m, TC_A_NONCE, s->nonce, s->nonce_len);
	tc_stun_put_integrity(m, r->key);
}

static void put_peer(const struct load_request *r, const struct load_slot *s, struct tc_stun *m)
{
	const struct load_population *p = r->population;
	struct load_addr peer = load_peer_at(p, r->id[0] * p->n_channels + s->channel);
	union tc_addr addr = {.v4 = {.sin_family = AF_INET,
				      .sin_port = htons(peer.port),
				      .sin_addr.s_addr = htonl(peer.ip)}};
	uint32_t low = htonl(peer.ip);

	if (peer.net.v6) {
		addr = (union tc_addr){
			.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(peer.port)}};
		memcpy(addr.v6.sin6_addr.s6_addr, peer.net.prefix, sizeof(peer.net.prefix));
		memcpy(addr.v6.sin6_addr.s6_addr + sizeof(peer.net.prefix), &low, sizeof(low));
	}
	tc_stun_put_addr(m, TC_A_XOR_PEER, &addr);
}

uint16_t load_request_method(uint8_t state)
{
	switch (state) {
	case LOAD_CHALLENGE:
	case LOAD_ALLOCATE:
		return TC_ALLOCATE;
	case LOAD_PERMIT:
		return TC_PERMISSION;
	case LOAD_BIND:
	case LOAD_REBIND:
		return TC_CHANNEL;
	default:
		return TC_REFRESH;
	}
}

size_t load_request_build(const struct load_request *r, const struct load_slot *s, uint8_t *buf)
{
	uint32_t channel = (uint32_t)load_channel_at(r->population, s->channel) << 16;
	struct tc_stun m;

	tc_stun_init(&m, buf, TC_STUN_MAX, load_request_method(s->state), (const uint8_t *)r->id);
	switch (s->state) {
	case LOAD_CHALLENGE:
	case LOAD_ALLOCATE:
		tc_stun_put_u32(&m, TC_A_TRANSPORT, UDP_TRANSPORT);
		if (r->population->peer_net.v6)
			tc_stun_put_u32(&m, TC_A_FAMILY, FAMILY_IPV6);
		tc_stun_put_u32(&m, TC_A_LIFETIME, r->lifetime_s);
		break;
	case LOAD_BIND:
	case LOAD_REBIND:
		tc_stun_put_u32(&m, TC_A_CHANNEL, channel);
		put_peer(r, s, &m);
		break;
	case LOAD_PERMIT:
		put_peer(r, s, &m);
		break;
	case LOAD_REFRESH:
		tc_stun_put_u32(&m, TC_A_LIFETIME, r->lifetime_s);
		break;
	default:
		tc_stun_put_u32(&m, TC_A_LIFETIME, 0);
		break;
	}
	if (s->state != LOAD_CHALLENGE)
		sign(r, s, &m);
	return m.len;
}
