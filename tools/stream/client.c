// SPDX-License-Identifier: BSD-3-Clause
#include "client.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RTO_NS	     500000000ull
#define GIVE_UP_NS   32000000000ull
#define REBUILDS_MAX 3u

static const char *const sm_kind_names[SM_K_COUNT] = {
	[SM_K_ALLOCATE] = "allocate",
	[SM_K_ALLOCATE_AGAIN] = "allocate-again",
	[SM_K_REFRESH] = "refresh",
	[SM_K_REFRESH_ZERO] = "refresh-zero",
	[SM_K_PERMISSION] = "permission",
	[SM_K_CHANNEL] = "channel",
};

const char *sm_kind_name(enum sm_kind kind)
{
	return sm_kind_names[kind];
}

enum sm_kind sm_kind_parse(const char *text)
{
	for (unsigned k = 0; k < SM_K_COUNT; k++)
		if (strcmp(text, sm_kind_names[k]) == 0)
			return (enum sm_kind)k;
	return SM_K_COUNT;
}

int sm_client_init(struct sm_client *c, int fd, const struct sm_credential *credential, int family)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->credential = credential;
	c->family = family;
	c->requests = calloc(SM_REQUESTS_MAX, sizeof(*c->requests));
	return c->requests != NULL ? 0 : -ENOMEM;
}

void sm_client_fini(struct sm_client *c)
{
	free(c->requests);
	c->requests = NULL;
}

static uint16_t method_of(enum sm_kind kind)
{
	switch (kind) {
	case SM_K_REFRESH:
	case SM_K_REFRESH_ZERO:
		return SM_REFRESH;
	case SM_K_PERMISSION:
		return SM_PERMISSION;
	case SM_K_CHANNEL:
		return SM_CHANNEL;
	default:
		return SM_ALLOCATE;
	}
}

static void put_own_attributes(const struct sm_client *c, struct sm_stun *m, enum sm_kind kind)
{
	switch (kind) {
	case SM_K_ALLOCATE:
		sm_stun_put_u32(m, SM_A_TRANSPORT, 17u << 24);
		if (c->family != 0)
			sm_stun_put_u32(m, SM_A_FAMILY, (c->family == AF_INET6 ? 2u : 1u) << 24);
		break;
	case SM_K_REFRESH:
		sm_stun_put_u32(m, SM_A_LIFETIME, 600);
		break;
	case SM_K_REFRESH_ZERO:
		sm_stun_put_u32(m, SM_A_LIFETIME, 0);
		break;
	case SM_K_CHANNEL:
		sm_stun_put_u32(m, SM_A_CHANNEL, (uint32_t)SM_CHANNEL_FIRST << 16);
		sm_stun_put_addr(m, SM_A_XOR_PEER, &c->peer);
		break;
	default:
		sm_stun_put_addr(m, SM_A_XOR_PEER, &c->peer);
		break;
	}
}

static void request_build(const struct sm_client *c, struct sm_request *r)
{
	struct sm_stun m;

	if (r->kind == SM_K_ALLOCATE_AGAIN) {
		memcpy(r->id, c->allocate_id, SM_STUN_ID);
		memcpy(r->msg, c->allocate, c->allocate_len);
		r->msg_len = c->allocate_len;
		return;
	}
	RAND_bytes(r->id, SM_STUN_ID);
	sm_stun_init(&m, r->msg, method_of(r->kind), r->id);
	put_own_attributes(c, &m, r->kind);
	if (c->has_key) {
		sm_stun_put(&m, SM_A_USERNAME, c->credential->user, strlen(c->credential->user));
		sm_stun_put(&m, SM_A_REALM, c->realm, strlen(c->realm));
		sm_stun_put(&m, SM_A_NONCE, c->nonce, strlen(c->nonce));
		sm_stun_put_integrity(&m, c->key);
	}
	r->msg_len = m.len;
}

static void request_transmit(const struct sm_client *c, struct sm_request *r, uint64_t now_ns)
{
	// A refused or unreachable server is no answer: the retransmission asks again.
	(void)send(c->fd, r->msg, r->msg_len, 0);
	r->next_ns = now_ns + (RTO_NS << (r->tries < 4 ? r->tries : 4));
	r->tries++;
}

struct sm_request *sm_client_request(struct sm_client *c, enum sm_kind kind, uint64_t now_ns)
{
	struct sm_request *r;

	// Keep-alives of a long run reuse the records of answered ones.
	for (unsigned i = 0; i < c->n_requests; i++) {
		r = &c->requests[i];
		if (!r->reported && r->answer != SM_WAITING)
			goto found;
	}
	if (c->n_requests == SM_REQUESTS_MAX)
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

void sm_client_tick(struct sm_client *c, uint64_t now_ns)
{
	for (unsigned i = 0; i < c->n_requests; i++) {
		struct sm_request *r = &c->requests[i];

		if (r->answer != SM_WAITING || now_ns < r->next_ns)
			continue;
		if (now_ns - r->sent_ns >= GIVE_UP_NS)
			r->answer = SM_UNANSWERED;
		else
			request_transmit(c, r, now_ns);
	}
}

static bool take_text(const uint8_t *msg, size_t len, uint16_t attr, char *to, size_t to_len)
{
	size_t n = 0;
	const uint8_t *v = sm_stun_find(msg, len, attr, &n);

	if (v == NULL || n >= to_len)
		return false;
	memcpy(to, v, n);
	to[n] = '\0';
	return true;
}

// Takes realm and nonce of a 401 or 438 and sends the request anew. False if that can't help.
static bool request_again(struct sm_client *c, struct sm_request *r, const uint8_t *msg, size_t len,
	int code, uint64_t now_ns)
{
	char text[sizeof(c->credential->user) * 2 + sizeof(c->realm) + 3];
	unsigned key_len = sizeof(c->key);

	if (r->kind == SM_K_ALLOCATE_AGAIN || r->rebuilt == REBUILDS_MAX)
		return false;
	if (code == 401 && c->has_key)
		return false;
	if (!take_text(msg, len, SM_A_NONCE, c->nonce, sizeof(c->nonce)))
		return false;
	if (!c->has_key) {
		if (!take_text(msg, len, SM_A_REALM, c->realm, sizeof(c->realm)))
			return false;
		snprintf(text, sizeof(text), "%s:%s:%s", c->credential->user, c->realm,
			c->credential->password);
		if (EVP_Digest(text, strlen(text), c->key, &key_len, EVP_md5(), NULL) != 1)
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
	struct sm_client *c, struct sm_request *r, const uint8_t *msg, size_t len)
{
	size_t n = 0;
	const uint8_t *v = sm_stun_find(msg, len, SM_A_LIFETIME, &n);
	union sm_addr relayed;

	if (!sm_stun_find_addr(msg, len, SM_A_XOR_RELAYED, &relayed)) {
		r->answer = SM_FAILED;
		return;
	}
	if (r->kind == SM_K_ALLOCATE_AGAIN) {
		r->same_relayed = sm_addr_equal(&relayed, &c->relayed);
		return;
	}
	c->relayed = relayed;
	if (v != NULL && n == 4)
		c->lifetime_s =
			(uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3];
	memcpy(c->allocate, r->msg, r->msg_len);
	memcpy(c->allocate_id, r->id, SM_STUN_ID);
	c->allocate_len = r->msg_len;
}

static void take_answer(
	struct sm_client *c, struct sm_request *r, const uint8_t *msg, size_t len, uint64_t now_ns)
{
	uint16_t method = method_of(r->kind);
	uint16_t type = sm_stun_type(msg);
	int code = sm_stun_error(msg, len);

	if (type != (method | SM_SUCCESS) && type != (method | SM_ERROR)) {
		c->strange++;
		return;
	}
	if (type == (method | SM_ERROR) && (code == 401 || code == 438) &&
		request_again(c, r, msg, len, code, now_ns))
		return;
	r->answered_ns = now_ns;
	r->error_code = code;
	r->integrity_ok = c->has_key && sm_stun_integrity_ok(msg, len, c->key);
	r->answer = type == (method | SM_SUCCESS) ? SM_SUCCEEDED : SM_FAILED;
	// A success without valid integrity must not be believed (RFC 8489 section 9.2.5).
	if (r->answer == SM_SUCCEEDED && !r->integrity_ok)
		r->answer = SM_FAILED;
	if (r->answer != SM_SUCCEEDED)
		return;
	if (method == SM_ALLOCATE)
		allocate_succeeded(c, r, msg, len);
}

int sm_client_input(struct sm_client *c, const uint8_t *msg, size_t len, uint64_t now_ns,
	const uint8_t **payload)
{
	union sm_addr from;
	size_t n = 0;

	if (len >= 4 && (msg[0] & 0xc0) == 0x40) {
		n = (size_t)msg[2] << 8 | msg[3];
		*payload = msg + 4;
		if (((unsigned)msg[0] << 8 | msg[1]) != SM_CHANNEL_FIRST || n + 4 > len) {
			c->strange++;
			return -1;
		}
		return (int)n;
	}
	if (!sm_stun_valid(msg, len)) {
		c->strange++;
		return -1;
	}
	if (sm_stun_type(msg) == SM_DATA) {
		*payload = sm_stun_find(msg, len, SM_A_DATA, &n);
		if (*payload == NULL || !sm_stun_find_addr(msg, len, SM_A_XOR_PEER, &from) ||
			!sm_addr_equal(&from, &c->peer)) {
			c->strange++;
			return -1;
		}
		return (int)n;
	}
	for (unsigned i = 0; i < c->n_requests; i++) {
		struct sm_request *r = &c->requests[i];

		if (r->answer == SM_WAITING && memcmp(r->id, msg + 8, SM_STUN_ID) == 0) {
			take_answer(c, r, msg, len, now_ns);
			return -1;
		}
	}
	// The second answer to a retransmitted request is no fault.
	return -1;
}

int sm_client_send(struct sm_client *c, const uint8_t *payload, size_t len)
{
	uint8_t msg[SM_STUN_MAX];
	uint8_t id[SM_STUN_ID];
	struct sm_stun m;

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
	// The payload's own octets make the id unique enough; it is never answered.
	memcpy(id, payload + 8, sizeof(id));
	sm_stun_init(&m, msg, SM_SEND, id);
	sm_stun_put_addr(&m, SM_A_XOR_PEER, &c->peer);
	sm_stun_put(&m, SM_A_DATA, payload, len);
	if (m.full)
		return -EMSGSIZE;
	return send(c->fd, msg, m.len, MSG_DONTWAIT) < 0 ? -errno : 0;
}
