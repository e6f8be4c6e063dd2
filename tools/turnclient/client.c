// SPDX-License-Identifier: BSD-3-Clause
#include <turnclient/client.h>

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RTO_NS	     500000000ull
#define GIVE_UP_NS   32000000000ull
#define REBUILDS_MAX 3u

static const char *const tc_kind_names[TC_K_COUNT] = {
	[TC_K_ALLOCATE] = "allocate",
	[TC_K_ALLOCATE_AGAIN] = "allocate-again",
	[TC_K_REFRESH] = "refresh",
	[TC_K_REFRESH_ZERO] = "refresh-zero",
	[TC_K_PERMISSION] = "permission",
	[TC_K_CHANNEL] = "channel",
};

const char *tc_kind_name(enum tc_kind kind)
{
	return tc_kind_names[kind];
}

enum tc_kind tc_kind_parse(const char *text)
{
	for (unsigned k = 0; k < TC_K_COUNT; k++)
		if (strcmp(text, tc_kind_names[k]) == 0)
			return (enum tc_kind)k;
	return TC_K_COUNT;
}

int tc_client_init(struct tc_client *c, int fd, const struct tc_credential *credential, int family)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->credential = credential;
	c->family = family;
	c->requests = calloc(TC_REQUESTS_MAX, sizeof(*c->requests));
	return c->requests != NULL ? 0 : -ENOMEM;
}

void tc_client_fini(struct tc_client *c)
{
	free(c->requests);
	c->requests = NULL;
}

static uint16_t method_of(enum tc_kind kind)
{
	switch (kind) {
	case TC_K_REFRESH:
	case TC_K_REFRESH_ZERO:
		return TC_REFRESH;
	case TC_K_PERMISSION:
		return TC_PERMISSION;
	case TC_K_CHANNEL:
		return TC_CHANNEL;
	default:
		return TC_ALLOCATE;
	}
}

static void put_own_attributes(const struct tc_client *c, struct tc_stun *m, enum tc_kind kind)
{
	switch (kind) {
	case TC_K_ALLOCATE:
		tc_stun_put_u32(m, TC_A_TRANSPORT, 17u << 24);
		if (c->family != 0)
			tc_stun_put_u32(m, TC_A_FAMILY, (c->family == AF_INET6 ? 2u : 1u) << 24);
		break;
	case TC_K_REFRESH:
		tc_stun_put_u32(m, TC_A_LIFETIME, 600);
		break;
	case TC_K_REFRESH_ZERO:
		tc_stun_put_u32(m, TC_A_LIFETIME, 0);
		break;
	case TC_K_CHANNEL:
		tc_stun_put_u32(m, TC_A_CHANNEL, (uint32_t)TC_CHANNEL_FIRST << 16);
		tc_stun_put_addr(m, TC_A_XOR_PEER, &c->peer);
		break;
	default:
		tc_stun_put_addr(m, TC_A_XOR_PEER, &c->peer);
		break;
	}
}

static void request_build(const struct tc_client *c, struct tc_request *r)
{
	struct tc_stun m;

	if (r->kind == TC_K_ALLOCATE_AGAIN) {
		memcpy(r->id, c->allocate_id, TC_STUN_ID);
		memcpy(r->msg, c->allocate, c->allocate_len);
		r->msg_len = c->allocate_len;
		return;
	}
	RAND_bytes(r->id, TC_STUN_ID);
	tc_stun_init(&m, r->msg, sizeof(r->msg), method_of(r->kind), r->id);
	put_own_attributes(c, &m, r->kind);
	if (c->has_key) {
		tc_stun_put_text(&m, TC_A_USERNAME, c->credential->user);
		tc_stun_put_text(&m, TC_A_REALM, c->realm);
		tc_stun_put_text(&m, TC_A_NONCE, c->nonce);
		tc_stun_put_integrity(&m, c->key);
	}
	r->msg_len = m.len;
}

static void request_transmit(const struct tc_client *c, struct tc_request *r, uint64_t now_ns)
{
	// A refused or unreachable server is no answer: the retransmission asks again.
	(void)send(c->fd, r->msg, r->msg_len, 0);
	r->next_ns = now_ns + (RTO_NS << (r->tries < 4 ? r->tries : 4));
	r->tries++;
}

struct tc_request *tc_client_request(struct tc_client *c, enum tc_kind kind, uint64_t now_ns)
{
	struct tc_request *r;

	// Keep-alives of a long run reuse the records of answered ones.
	for (unsigned i = 0; i < c->n_requests; i++) {
		r = &c->requests[i];
		if (!r->reported && r->answer != TC_WAITING)
			goto found;
	}
	if (c->n_requests == TC_REQUESTS_MAX)
		return NULL;
	r = &c->requests[c->n_requests++];
found:
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->sent_ns = now_ns;
	request_build(c, r);
	request_transmit(c, r, now_ns);
	return r;
}

void tc_client_tick(struct tc_client *c, uint64_t now_ns)
{
	for (unsigned i = 0; i < c->n_requests; i++) {
		struct tc_request *r = &c->requests[i];

		if (r->answer != TC_WAITING || now_ns < r->next_ns)
			continue;
		if (now_ns - r->sent_ns >= GIVE_UP_NS)
			r->answer = TC_UNANSWERED;
		else
			request_transmit(c, r, now_ns);
	}
}

static bool take_text(const uint8_t *msg, size_t len, uint16_t attr, char *to, size_t to_len)
{
	size_t n = 0;
	const uint8_t *v = tc_stun_find(msg, len, attr, &n);

	if (v == NULL || n >= to_len)
		return false;
	memcpy(to, v, n);
	to[n] = '\0';
	return true;
}

// Takes realm and nonce of a 401 or 438 and sends the request anew. False if that can't help.
static bool request_again(struct tc_client *c, struct tc_request *r, const uint8_t *msg, size_t len,
	int code, uint64_t now_ns)
{
	if (r->kind == TC_K_ALLOCATE_AGAIN || r->rebuilt == REBUILDS_MAX)
		return false;
	if (code == 401 && c->has_key)
		return false;
	if (!take_text(msg, len, TC_A_NONCE, c->nonce, sizeof(c->nonce)))
		return false;
	if (!c->has_key) {
		if (!take_text(msg, len, TC_A_REALM, c->realm, sizeof(c->realm)))
			return false;
		if (!tc_key(c->credential->user, c->realm, c->credential->password, c->key))
			return false;
		c->has_key = true;
	}
	r->rebuilt++;
	r->tries = 0;
	request_build(c, r);
	request_transmit(c, r, now_ns);
	return true;
}

static void allocate_succeeded(
	struct tc_client *c, struct tc_request *r, const uint8_t *msg, size_t len)
{
	size_t n = 0;
	const uint8_t *v = tc_stun_find(msg, len, TC_A_LIFETIME, &n);
	union tc_addr relayed;

	if (!tc_stun_find_addr(msg, len, TC_A_XOR_RELAYED, &relayed)) {
		r->answer = TC_FAILED;
		return;
	}
	if (r->kind == TC_K_ALLOCATE_AGAIN) {
		r->same_relayed = tc_addr_equal(&relayed, &c->relayed);
		return;
	}
	c->relayed = relayed;
	if (v != NULL && n == 4)
		c->lifetime_s =
			(uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3];
	memcpy(c->allocate, r->msg, r->msg_len);
	memcpy(c->allocate_id, r->id, TC_STUN_ID);
	c->allocate_len = r->msg_len;
}

static void take_answer(
	struct tc_client *c, struct tc_request *r, const uint8_t *msg, size_t len, uint64_t now_ns)
{
	uint16_t method = method_of(r->kind);
	uint16_t type = tc_stun_type(msg);
	int code = tc_stun_error(msg, len);

	if (type != (method | TC_SUCCESS) && type != (method | TC_ERROR)) {
		c->strange++;
		return;
	}
	if (type == (method | TC_ERROR) && (code == 401 || code == 438) &&
		request_again(c, r, msg, len, code, now_ns))
		return;
	r->answered_ns = now_ns;
	r->error_code = code;
	r->integrity_ok = c->has_key && tc_stun_integrity_ok(msg, len, c->key);
	r->answer = type == (method | TC_SUCCESS) ? TC_SUCCEEDED : TC_FAILED;
	// A success without valid integrity must not be believed (RFC 8489 section 9.2.5).
	if (r->answer == TC_SUCCEEDED && !r->integrity_ok)
		r->answer = TC_FAILED;
	if (r->answer != TC_SUCCEEDED)
		return;
	if (method == TC_ALLOCATE)
		allocate_succeeded(c, r, msg, len);
}

int tc_client_input(struct tc_client *c, const uint8_t *msg, size_t len, uint64_t now_ns,
	const uint8_t **payload)
{
	union tc_addr from;
	size_t n = 0;

	if (len >= 4 && (msg[0] & 0xc0) == 0x40) {
		n = (size_t)msg[2] << 8 | msg[3];
		*payload = msg + 4;
		if (((unsigned)msg[0] << 8 | msg[1]) != TC_CHANNEL_FIRST || n + 4 > len) {
			c->strange++;
			return -1;
		}
		return (int)n;
	}
	if (!tc_stun_valid(msg, len)) {
		c->strange++;
		return -1;
	}
	if (tc_stun_type(msg) == TC_DATA) {
		*payload = tc_stun_find(msg, len, TC_A_DATA, &n);
		if (*payload == NULL || !tc_stun_find_addr(msg, len, TC_A_XOR_PEER, &from) ||
			!tc_addr_equal(&from, &c->peer)) {
			c->strange++;
			return -1;
		}
		return (int)n;
	}
	for (unsigned i = 0; i < c->n_requests; i++) {
		struct tc_request *r = &c->requests[i];

		if (r->answer == TC_WAITING && memcmp(r->id, msg + 8, TC_STUN_ID) == 0) {
			take_answer(c, r, msg, len, now_ns);
			return -1;
		}
	}
	// The second answer to a retransmitted request is no fault.
	return -1;
}

int tc_client_send(struct tc_client *c, const uint8_t *payload, size_t len)
{
	uint8_t msg[TC_STUN_MAX];
	uint8_t id[TC_STUN_ID];
	struct tc_stun m;

	if (c->channel != 0) {
		if (len + 4 > sizeof(msg))
			return -EMSGSIZE;
		msg[0] = (uint8_t)(c->channel >> 8);
		msg[1] = (uint8_t)c->channel;
		msg[2] = (uint8_t)(len >> 8);
		msg[3] = (uint8_t)len;
		memcpy(msg + 4, payload, len);
		return send(c->fd, msg, len + 4, MSG_DONTWAIT) < 0 ? -errno : 0;
	}
	// The payload's own bytes make the id unique enough; it is never answered.
	memcpy(id, payload + 8, sizeof(id));
	tc_stun_init(&m, msg, sizeof(msg), TC_SEND, id);
	tc_stun_put_addr(&m, TC_A_XOR_PEER, &c->peer);
	tc_stun_put(&m, TC_A_DATA, payload, len);
	if (m.full)
		return -EMSGSIZE;
	return send(c->fd, msg, m.len, MSG_DONTWAIT) < 0 ? -errno : 0;
}
