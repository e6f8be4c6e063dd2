// SPDX-License-Identifier: BSD-3-Clause
#include <turnclient/stun.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#define FINGERPRINT_XOR 0x5354554eu
#define MAC_MAX		32u // HMAC-SHA256

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

// ---- cryptography -------------------------------------------------------------------------------

// Fetching an algorithm costs more than using it: one context per digest and thread, never freed.
static EVP_MAC_CTX *hmac_context(const char *digest, unsigned which)
{
	static _Thread_local EVP_MAC_CTX *contexts[2];
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac;

	if (contexts[which] != NULL)
		return contexts[which];
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	contexts[which] = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	if (contexts[which] != NULL && EVP_MAC_CTX_set_params(contexts[which], params) != 1) {
		EVP_MAC_CTX_free(contexts[which]);
		contexts[which] = NULL;
	}
	return contexts[which];
}

// HMAC over the first `end` bytes, with the header's length as if the message ended at `after`.
static bool integrity(const uint8_t *msg, size_t end, size_t after, unsigned mac_len,
	const uint8_t key[16], uint8_t mac[MAC_MAX])
{
	bool sha1 = mac_len == TC_SHA1_LEN;
	EVP_MAC_CTX *c = hmac_context(sha1 ? "SHA1" : "SHA256", !sha1);
	uint8_t head[4];
	size_t n;

	memcpy(head, msg, 2);
	put16(head + 2, (unsigned)(after - TC_STUN_HEADER));
	return c != NULL && EVP_MAC_init(c, key, 16, NULL) == 1 &&
	       EVP_MAC_update(c, head, sizeof(head)) == 1 &&
	       EVP_MAC_update(c, msg + sizeof(head), end - sizeof(head)) == 1 &&
	       EVP_MAC_final(c, mac, &n, MAC_MAX) == 1;
}

bool tc_key(const char *user, const char *realm, const char *password, uint8_t key[16])
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "%s:%s:%s", user, realm, password);

	return n > 0 && (size_t)n < sizeof(text) &&
	       EVP_Digest(text, (size_t)n, key, NULL, EVP_md5(), NULL) == 1;
}

bool tc_rest_password(const char *secret, const char *name, char password[TC_REST_PASSWORD])
{
	EVP_MAC_CTX *c = hmac_context("SHA1", 0);
	uint8_t mac[MAC_MAX];
	size_t n;

	return c != NULL && EVP_MAC_init(c, (const uint8_t *)secret, strlen(secret), NULL) == 1 &&
	       EVP_MAC_update(c, (const uint8_t *)name, strlen(name)) == 1 &&
	       EVP_MAC_final(c, mac, &n, sizeof(mac)) == 1 &&
	       EVP_EncodeBlock((uint8_t *)password, mac, TC_SHA1_LEN) == (int)TC_REST_PASSWORD - 1;
}

// The CRC-32 of ITU-T V.42, bit by bit: nothing here is in a hurry.
static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < 8 * len; i++) {
		uint32_t bit = (crc ^ (uint32_t)p[i / 8] >> i % 8) & 1;

		crc = crc >> 1 ^ (bit != 0 ? 0xedb88320 : 0);
	}
	return ~crc;
}

// ---- writing ------------------------------------------------------------------------------------

void tc_stun_init(
	struct tc_stun *m, uint8_t *buf, size_t size, uint16_t type, const uint8_t id[TC_STUN_ID])
{
	*m = (struct tc_stun){.buf = buf, .size = size, .len = TC_STUN_HEADER};
	put16(buf, type);
	put16(buf + 2, 0);
	put32(buf + 4, TC_STUN_COOKIE);
	memcpy(buf + 8, id, TC_STUN_ID);
}

void tc_stun_put(struct tc_stun *m, uint16_t attr, const void *value, size_t len)
{
	uint8_t *p = m->buf + m->len;

	if (len > UINT16_MAX || m->len + 4 + padded(len) > m->size) {
		m->full = true;
		return;
	}
	put16(p, attr);
	put16(p + 2, (unsigned)len);
	memset(p + 4, m->padding, padded(len));
	if (len > 0)
		memcpy(p + 4, value, len);
	m->len += 4 + padded(len);
	put16(m->buf + 2, (unsigned)(m->len - TC_STUN_HEADER));
}

void tc_stun_put_text(struct tc_stun *m, uint16_t attr, const char *text)
{
	tc_stun_put(m, attr, text, strlen(text));
}

void tc_stun_put_u32(struct tc_stun *m, uint16_t attr, uint32_t value)
{
	uint8_t v[4];

	put32(v, value);
	tc_stun_put(m, attr, v, sizeof(v));
}

// XOR with the cookie, and for IPv6 with the transaction id after it: both are at msg + 4.
static void xor_bytes(uint8_t *to, const uint8_t *from, const uint8_t *msg, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i] ^ msg[4 + i];
}

void tc_stun_put_addr(struct tc_stun *m, uint16_t attr, const union tc_addr *addr)
{
	uint8_t v[20] = {0};
	bool v6 = addr->sa.sa_family == AF_INET6;
	const uint8_t *ip =
		v6 ? addr->v6.sin6_addr.s6_addr : (const uint8_t *)&addr->v4.sin_addr.s_addr;

	v[1] = v6 ? 2 : 1;
	put16(v + 2, tc_addr_port(addr) ^ TC_STUN_COOKIE >> 16);
	xor_bytes(v + 4, ip, m->buf, v6 ? 16 : 4);
	tc_stun_put(m, attr, v, v6 ? 20 : 8);
}

static void put_mac(struct tc_stun *m, uint16_t attr, unsigned mac_len, const uint8_t key[16])
{
	uint8_t mac[MAC_MAX];

	if (!integrity(m->buf, m->len, m->len + 4 + mac_len, mac_len, key, mac))
		m->full = true;
	else
		tc_stun_put(m, attr, mac, mac_len);
}

void tc_stun_put_integrity(struct tc_stun *m, const uint8_t key[16])
{
	put_mac(m, TC_A_INTEGRITY, TC_SHA1_LEN, key);
}

void tc_stun_put_integrity_sha256(struct tc_stun *m, const uint8_t key[16])
{
	put_mac(m, TC_A_INTEGRITY2, MAC_MAX, key);
}

void tc_stun_put_fingerprint(struct tc_stun *m)
{
	put16(m->buf + 2, (unsigned)(m->len + 8 - TC_STUN_HEADER));
	tc_stun_put_u32(m, TC_A_FINGERPRINT, crc32_of(m->buf, m->len) ^ FINGERPRINT_XOR);
}

// ---- reading ------------------------------------------------------------------------------------

bool tc_stun_valid(const uint8_t *msg, size_t len)
{
	size_t at = TC_STUN_HEADER;

	if (len < TC_STUN_HEADER || (msg[0] & 0xc0) != 0)
		return false;
	if (get32(msg + 4) != TC_STUN_COOKIE || get16(msg + 2) != len - TC_STUN_HEADER)
		return false;
	while (at + 4 <= len)
		at += 4 + padded(get16(msg + at + 2));
	return at == len;
}

uint16_t tc_stun_type(const uint8_t *msg)
{
	return (uint16_t)get16(msg);
}

const uint8_t *tc_stun_find_nth(
	const uint8_t *msg, size_t len, uint16_t attr, unsigned nth, size_t *value_len)
{
	size_t n;

	for (size_t at = TC_STUN_HEADER; at + 4 <= len; at += 4 + padded(n)) {
		n = get16(msg + at + 2);
		if (at + 4 + n > len)
			return NULL;
		if (get16(msg + at) == attr && nth-- == 0) {
			*value_len = n;
			return msg + at + 4;
		}
	}
	return NULL;
}

const uint8_t *tc_stun_find(const uint8_t *msg, size_t len, uint16_t attr, size_t *value_len)
{
	return tc_stun_find_nth(msg, len, attr, 0, value_len);
}

bool tc_stun_read_addr(
	const uint8_t *msg, const uint8_t *value, size_t value_len, union tc_addr *addr)
{
	bool v6 = value_len == 20 && value[1] == 2;
	uint16_t port;

	memset(addr, 0, sizeof(*addr));
	if (!v6 && (value_len != 8 || value[1] != 1))
		return false;
	port = htons((uint16_t)(get16(value + 2) ^ TC_STUN_COOKIE >> 16));
	if (v6) {
		addr->v6.sin6_family = AF_INET6;
		addr->v6.sin6_port = port;
		xor_bytes(addr->v6.sin6_addr.s6_addr, value + 4, msg, 16);
	} else {
		addr->v4.sin_family = AF_INET;
		addr->v4.sin_port = port;
		xor_bytes((uint8_t *)&addr->v4.sin_addr.s_addr, value + 4, msg, 4);
	}
	return true;
}

bool tc_stun_find_addr(const uint8_t *msg, size_t len, uint16_t attr, union tc_addr *addr)
{
	size_t n = 0;
	const uint8_t *v = tc_stun_find(msg, len, attr, &n);

	memset(addr, 0, sizeof(*addr));
	return v != NULL && tc_stun_read_addr(msg, v, n, addr);
}

int tc_stun_error(const uint8_t *msg, size_t len)
{
	size_t n = 0;
	const uint8_t *v = tc_stun_find(msg, len, TC_A_ERROR, &n);

	return v != NULL && n >= 4 ? (v[2] & 7) * 100 + v[3] : 0;
}

bool tc_stun_integrity_ok(const uint8_t *msg, size_t len, const uint8_t key[16])
{
	uint8_t mac[MAC_MAX];
	size_t n = 0;
	const uint8_t *v = tc_stun_find(msg, len, TC_A_INTEGRITY, &n);

	return v != NULL && n == TC_SHA1_LEN &&
	       integrity(
		       msg, (size_t)(v - msg) - 4, (size_t)(v - msg) + n, TC_SHA1_LEN, key, mac) &&
	       memcmp(mac, v, n) == 0;
}

bool tc_stun_fingerprint_ok(const uint8_t *msg, size_t len)
{
	size_t n = 0;
	const uint8_t *v = tc_stun_find(msg, len, TC_A_FINGERPRINT, &n);

	return v != NULL && n == 4 && v + 4 == msg + len &&
	       get32(v) == (crc32_of(msg, len - 8) ^ FINGERPRINT_XOR);
}
