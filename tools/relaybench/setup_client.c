// SPDX-License-Identifier: BSD-3-Clause
#include "setup_client.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

#include "setup_user.h"

#define COOKIE		 0x2112a442u
#define HEADER_LEN	 20u
#define MAC_LEN		 20u
#define NONCE_MAX	 80u
#define REST_EXPIRY	 "4000000000"
#define SUCCESS		 0x0100u
#define CHALLENGED	 0x0110u

#define A_USERNAME	 0x0006u
#define A_INTEGRITY	 0x0008u
#define A_CHANNEL_NUMBER 0x000cu
#define A_LIFETIME	 0x000du
#define A_PEER		 0x0012u
#define A_REALM		 0x0014u
#define A_NONCE		 0x0015u
#define A_RELAYED	 0x0016u
#define A_TRANSPORT	 0x0019u
#define A_MAPPED	 0x0020u

static const uint16_t types[BENCH_STAGES] = {0x0003, 0x0003, 0x0008, 0x0009};
static const char *const names[BENCH_STAGES] = {
	"challenge", "Allocate", "CreatePermission", "ChannelBind"};

struct bench_signer {
	EVP_MAC *hmac;
	EVP_MAC_CTX *mac;
	EVP_MD *md5;
	EVP_MD_CTX *md;
};

static void signer_free(struct bench_signer *s)
{
	if (s == NULL)
		return;
	EVP_MAC_CTX_free(s->mac);
	EVP_MAC_free(s->hmac);
	EVP_MD_CTX_free(s->md);
	EVP_MD_free(s->md5);
	free(s);
}

static struct bench_signer *signer_make(void)
{
	struct bench_signer *s = calloc(1, sizeof(*s));
	char digest[] = "SHA1";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()};

	if (s == NULL)
		return NULL;
	s->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	s->mac = s->hmac == NULL ? NULL : EVP_MAC_CTX_new(s->hmac);
	s->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	s->md = EVP_MD_CTX_new();
	if (s->mac != NULL && s->md5 != NULL && s->md != NULL &&
		EVP_MAC_CTX_set_params(s->mac, params) == 1)
		return s;
	signer_free(s);
	return NULL;
}

static void hmac(const struct bench_signer *s, const void *key, size_t key_len, const void *data,
	size_t len, uint8_t mac[MAC_LEN])
{
	size_t mac_len;

	if (EVP_MAC_init(s->mac, key, key_len, NULL) != 1 ||
		EVP_MAC_update(s->mac, data, len) != 1 ||
		EVP_MAC_final(s->mac, mac, &mac_len, MAC_LEN) != 1)
		abort();
}

// ---- who ----------------------------------------------------------------------------------------

struct credential {
	char name[48];
	uint8_t key[16];
};

// RFC 8489 9.2.2 over the password that a time-limited name has: base64 of an HMAC over the name.
static void rest_key(const struct bench_signer *s, struct credential *c)
{
	char password[29], text[128];
	uint8_t mac[MAC_LEN];
	int len;

	hmac(s, bench_rest_secret, strlen(bench_rest_secret), c->name, strlen(c->name), mac);
	EVP_EncodeBlock((unsigned char *)password, mac, sizeof(mac));
	len = snprintf(text, sizeof(text), "%s:" BENCH_REALM ":%s", c->name, password);
	if (EVP_DigestInit_ex2(s->md, s->md5, NULL) != 1 ||
		EVP_DigestUpdate(s->md, text, (size_t)len) != 1 ||
		EVP_DigestFinal_ex(s->md, c->key, NULL) != 1)
		abort();
}

static void credential_of(const struct bench_clients *c, uint32_t client, struct credential *out)
{
	uint32_t user = client % c->users;
	char name[BENCH_USER_NAME_MAX];

	bench_user_name(user, name);
	if (!c->rest) {
		strcpy(out->name, name);
		bench_user_key(user, out->key);
		return;
	}
	snprintf(out->name, sizeof(out->name), REST_EXPIRY ":%s", name);
	rest_key(c->signer, out);
}

// ---- requests -----------------------------------------------------------------------------------

static void put(struct bench_message *m, unsigned type, const void *value, size_t len)
{
	size_t padded = (len + 3) / 4 * 4;
	uint8_t *p = m->octets + m->len;

	if (m->len + 4 + padded > sizeof(m->octets))
		abort();
	tp_store_be16(p, (uint16_t)type);
	tp_store_be16(p + 2, (uint16_t)len);
	memset(p + 4, 0, padded);
	memcpy(p + 4, value, len);
	m->len = (uint16_t)(m->len + 4 + padded);
	tp_store_be16(m->octets + 2, (uint16_t)(m->len - HEADER_LEN));
}

static void start(struct bench_message *m, enum bench_stage stage, uint32_t client)
{
	memset(m->octets, 0, HEADER_LEN);
	tp_store_be16(m->octets, types[stage]);
	tp_store_be32(m->octets + 4, COOKIE);
	tp_store_be32(m->octets + 8, 0x5e709a11u);
	tp_store_be32(m->octets + 12, client);
	tp_store_be32(m->octets + 16, stage);
	m->len = HEADER_LEN;
}

static void put_transport(struct bench_message *m)
{
	static const uint8_t udp[4] = {17};

	put(m, A_TRANSPORT, udp, sizeof(udp));
}

static void put_peer(struct bench_message *m, const struct tp_addr *peer)
{
	uint8_t v[8] = {0, 1};

	tp_store_be16(v + 2, (uint16_t)(tp_addr_port(peer) ^ COOKIE >> 16));
	tp_store_be32(v + 4, tp_load_be32(peer->ip) ^ COOKIE);
	put(m, A_PEER, v, sizeof(v));
}

static void put_integrity(
	struct bench_message *m, const struct bench_signer *s, const uint8_t key[16])
{
	static const uint8_t none[MAC_LEN];
	size_t covered = m->len;

	put(m, A_INTEGRITY, none, sizeof(none));
	hmac(s, key, 16, m->octets, covered, m->octets + covered + 4);
}

// One request after its nonce is known.
static void request_sign(const struct bench_clients *c, uint32_t i, enum bench_stage stage,
	const struct credential *who, const uint8_t *nonce, size_t nonce_len)
{
	static const struct bench_population population = {.family = BENCH_IPV4};
	struct bench_message *m = &c->all[i].requests[stage];
	struct bench_flow flow;
	uint8_t number[4] = {0};

	bench_flow_at(&population, c->first + i, &flow);
	start(m, stage, c->first + i);
	if (stage == BENCH_ALLOCATE)
		put_transport(m);
	tp_store_be16(number, flow.number);
	if (stage == BENCH_CHANNEL)
		put(m, A_CHANNEL_NUMBER, number, sizeof(number));
	if (stage != BENCH_ALLOCATE)
		put_peer(m, &flow.peer);
	put(m, A_USERNAME, who->name, strlen(who->name));
	put(m, A_REALM, BENCH_REALM, strlen(BENCH_REALM));
	put(m, A_NONCE, nonce, nonce_len);
	put_integrity(m, c->signer, who->key);
}

// ---- answers ------------------------------------------------------------------------------------

// The value of an attribute; NULL: absent, or the message ends before.
static const uint8_t *value_of(const struct bench_message *m, unsigned type, uint16_t *len)
{
	size_t at = HEADER_LEN;

	while (at + 4 <= m->len) {
		uint16_t have = tp_load_be16(m->octets + at);

		*len = tp_load_be16(m->octets + at + 2);
		if (at + 4 + *len > m->len)
			return NULL;
		if (have == type)
			return m->octets + at + 4;
		at += 4 + (size_t)((*len + 3) / 4 * 4);
	}
	return NULL;
}

static int wrong(struct bench_clients *c, uint32_t i, enum bench_stage stage, const char *what)
{
	snprintf(c->wrong, sizeof(c->wrong), "client %u: the answer to its %s %s", c->first + i,
		names[stage], what);
	return -EPROTO;
}

static int head_judge(struct bench_clients *c, uint32_t i, enum bench_stage stage, unsigned class)
{
	const struct bench_message *question = &c->all[i].requests[stage];
	const struct bench_message *m = &c->all[i].answers[stage];

	if (m->len < HEADER_LEN)
		return wrong(c, i, stage, "is missing");
	if (tp_load_be16(m->octets) != (types[stage] | class))
		return wrong(c, i, stage, "has another type");
	if (tp_load_be16(m->octets + 2) != m->len - HEADER_LEN ||
		memcmp(m->octets + 4, question->octets + 4, 16) != 0)
		return wrong(c, i, stage, "is not of this transaction");
	return 0;
}

static bool integrity_good(
	const struct bench_message *m, const struct bench_signer *s, const uint8_t key[16])
{
	uint16_t len;
	const uint8_t *v = value_of(m, A_INTEGRITY, &len);
	uint8_t mac[MAC_LEN];

	// The relay puts nothing behind it but FINGERPRINT, and that only where it was asked for.
	if (v == NULL || len != MAC_LEN || v + MAC_LEN != m->octets + m->len)
		return false;
	hmac(s, key, 16, m->octets, (size_t)(v - m->octets) - 4, mac);
	return memcmp(mac, v, MAC_LEN) == 0;
}

static struct tp_addr xor_address(const uint8_t *v)
{
	return tp_addr_ipv4(
		tp_load_be32(v + 4) ^ COOKIE, (uint16_t)(tp_load_be16(v + 2) ^ COOKIE >> 16));
}

static int allocated_judge(struct bench_clients *c, uint32_t i)
{
	const struct bench_message *m = &c->all[i].answers[BENCH_ALLOCATE];
	struct tp_addr first = bench_relay_address(BENCH_IPV4, 0), a;
	uint16_t len;
	const uint8_t *v = value_of(m, A_RELAYED, &len);

	if (v == NULL || len != 8)
		return wrong(c, i, BENCH_ALLOCATE, "has no relayed address");
	a = xor_address(v);
	if (tp_load_be32(a.ip) - tp_load_be32(first.ip) >= BENCH_RELAYS_MAX ||
		tp_addr_port(&a) < BENCH_RELAY_PORT_MIN)
		return wrong(c, i, BENCH_ALLOCATE, "has a relayed address that is not the relay's");
	v = value_of(m, A_MAPPED, &len);
	if (v == NULL || len != 8)
		return wrong(c, i, BENCH_ALLOCATE, "has no mapped address");
	a = xor_address(v);
	if (!tp_addr_equal(&a, &c->all[i].addr))
		return wrong(c, i, BENCH_ALLOCATE, "was made for another client");
	v = value_of(m, A_LIFETIME, &len);
	if (v == NULL || len != 4 || tp_load_be32(v) == 0)
		return wrong(c, i, BENCH_ALLOCATE, "has no lifetime");
	return 0;
}

// ---- the clients of a batch ---------------------------------------------------------------------

int bench_clients_init(struct bench_clients *c, uint32_t n, uint32_t users, bool rest)
{
	*c = (struct bench_clients){.users = users, .rest = rest};
	c->all = calloc(n, sizeof(*c->all));
	c->signer = signer_make();
	return c->all == NULL || c->signer == NULL ? -ENOMEM : 0;
}

void bench_clients_fini(struct bench_clients *c)
{
	free(c->all);
	signer_free(c->signer);
	*c = (struct bench_clients){0};
}

void bench_clients_begin(struct bench_clients *c, uint32_t first, uint32_t n)
{
	static const struct bench_population population = {.family = BENCH_IPV4};

	c->first = first;
	c->n = n;
	for (uint32_t i = 0; i < n; i++) {
		struct bench_message *m = &c->all[i].requests[BENCH_CHALLENGE];
		struct bench_flow flow;

		bench_flow_at(&population, first + i, &flow);
		c->all[i].addr = flow.client;
		for (unsigned s = 0; s < BENCH_STAGES; s++)
			c->all[i].answers[s].len = 0;
		start(m, BENCH_CHALLENGE, first + i);
		put_transport(m);
	}
}

int bench_clients_sign(struct bench_clients *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		uint16_t len = 0;
		const uint8_t *nonce = value_of(&c->all[i].answers[BENCH_CHALLENGE], A_NONCE, &len);
		struct credential who;
		int rc = head_judge(c, i, BENCH_CHALLENGE, CHALLENGED);

		if (rc == 0 && (nonce == NULL || len > NONCE_MAX))
			rc = wrong(c, i, BENCH_CHALLENGE, "brings no nonce");
		if (rc != 0)
			return rc;
		credential_of(c, c->first + i, &who);
		for (unsigned s = BENCH_ALLOCATE; s < BENCH_STAGES; s++)
			request_sign(c, i, s, &who, nonce, len);
	}
	return 0;
}

int bench_clients_judge(struct bench_clients *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		struct credential who;
		int rc = 0;

		credential_of(c, c->first + i, &who);
		for (unsigned s = BENCH_ALLOCATE; s < BENCH_STAGES && rc == 0; s++) {
			rc = head_judge(c, i, s, SUCCESS);
			if (rc == 0 && !integrity_good(&c->all[i].answers[s], c->signer, who.key))
				rc = wrong(c, i, s, "is not under the user's key");
		}
		if (rc == 0)
			rc = allocated_judge(c, i);
		if (rc != 0)
			return rc;
	}
	return 0;
}
