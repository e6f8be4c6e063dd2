// SPDX-License-Identifier: BSD-3-Clause
#include "stun.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static const uint8_t sm_cookie[4] = {0x21, 0x12, 0xa4, 0x42};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

void sm_stun_init(struct sm_stun *m, uint8_t *buf, uint16_t type, const uint8_t id[SM_STUN_ID])
{
	m->buf = buf;
	m->len = SM_STUN_HEADER;
	m->full = false;
	put16(buf, type);
	put16(buf + 2, 0);
	memcpy(buf + 4, sm_cookie, 4);
	memcpy(buf + 8, id, SM_STUN_ID);
}

void sm_stun_put(struct sm_stun *m, uint16_t attr, const void *value, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	if (m->len + 4 + padded > SM_STUN_MAX) {
		m->full = true;
		return;
	}
	put16(m->buf + m->len, attr);
	put16(m->buf + m->len + 2, (unsigned)len);
	memset(m->buf + m->len + 4, 0, padded);
	if (len > 0)
		memcpy(m->buf + m->len + 4, value, len);
	m->len += 4 + padded;
	put16(m->buf + 2, (unsigned)(m->len - SM_STUN_HEADER));
}

void sm_stun_put_u32(struct sm_stun *m, uint16_t attr, uint32_t value)
{
	uint8_t v[4];

	put16(v, value >> 16);
	put16(v + 2, value & 0xffff);
	sm_stun_put(m, attr, v, sizeof(v));
}

// XOR with the cookie, and for IPv6 with the transaction id after it: both stand at msg + 4.
static void xor_bytes(uint8_t *to, const uint8_t *from, const uint8_t *msg, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i] ^ msg[4 + i];
}

void sm_stun_put_addr(struct sm_stun *m, uint16_t attr, const union sm_addr *addr)
{
	uint8_t v[20] = {0};
	bool v6 = addr->sa.sa_family == AF_INET6;
	const uint8_t *ip =
		v6 ? addr->v6.sin6_addr.s6_addr : (const uint8_t *)&addr->v4.sin_addr.s_addr;

	v[1] = v6 ? 2 : 1;
	put16(v + 2, sm_addr_port(addr) ^ 0x2112u);
	xor_bytes(v + 4, ip, m->buf, v6 ? 16 : 4);
	sm_stun_put(m, attr, v, v6 ? 20 : 8);
}

// HMAC over the first `end` octets, with the header's length as if the message ended `after`.
static void integrity(const uint8_t *msg, size_t end, size_t after, const uint8_t key[16],
	uint8_t mac[SM_STUN_SHA1])
{
	uint8_t copy[SM_STUN_MAX];
	unsigned mac_len = SM_STUN_SHA1;

	memcpy(copy, msg, end);
	put16(copy + 2, (unsigned)(after - SM_STUN_HEADER));
	HMAC(EVP_sha1(), key, 16, copy, end, mac, &mac_len);
}

void sm_stun_put_integrity(struct sm_stun *m, const uint8_t key[16])
{
	uint8_t mac[SM_STUN_SHA1];

	integrity(m->buf, m->len, m->len + 4 + SM_STUN_SHA1, key, mac);
	sm_stun_put(m, SM_A_INTEGRITY, mac, sizeof(mac));
}

bool sm_stun_valid(const uint8_t *msg, size_t len)
{
	size_t at = SM_STUN_HEADER;

	if (len < SM_STUN_HEADER || len > SM_STUN_MAX || (msg[0] & 0xc0) != 0)
		return false;
	if (memcmp(msg + 4, sm_cookie, 4) != 0 || get16(msg + 2) != len - SM_STUN_HEADER)
		return false;
	while (at + 4 <= len)
		at += 4 + ((get16(msg + at + 2) + 3u) & ~3u);
	return at == len;
}

uint16_t sm_stun_type(const uint8_t *msg)
{
	return (uint16_t)get16(msg);
}

const uint8_t *sm_stun_find(const uint8_t *msg, size_t len, uint16_t attr, size_t *value_len)
{
	for (size_t at = SM_STUN_HEADER; at + 4 <= len;
		at += 4 + ((get16(msg + at + 2) + 3u) & ~3u)) {
		if (get16(msg + at) == attr) {
			*value_len = get16(msg + at + 2);
			return msg + at + 4;
		}
	}
	return NULL;
}

bool sm_stun_find_addr(const uint8_t *msg, size_t len, uint16_t attr, union sm_addr *addr)
{
	size_t n = 0;
	const uint8_t *v = sm_stun_find(msg, len, attr, &n);

	memset(addr, 0, sizeof(*addr));
	if (v != NULL && n == 8 && v[1] == 1) {
		addr->v4.sin_family = AF_INET;
		addr->v4.sin_port = htons((uint16_t)(get16(v + 2) ^ 0x2112u));
		xor_bytes((uint8_t *)&addr->v4.sin_addr.s_addr, v + 4, msg, 4);
		return true;
	}
	if (v != NULL && n == 20 && v[1] == 2) {
		addr->v6.sin6_family = AF_INET6;
		addr->v6.sin6_port = htons((uint16_t)(get16(v + 2) ^ 0x2112u));
		xor_bytes(addr->v6.sin6_addr.s6_addr, v + 4, msg, 16);
		return true;
	}
	return false;
}

int sm_stun_error(const uint8_t *msg, size_t len)
{
	size_t n = 0;
	const uint8_t *v = sm_stun_find(msg, len, SM_A_ERROR, &n);

	return v != NULL && n >= 4 ? (v[2] & 7) * 100 + v[3] : 0;
}

bool sm_stun_integrity_ok(const uint8_t *msg, size_t len, const uint8_t key[16])
{
	uint8_t mac[SM_STUN_SHA1];
	size_t n = 0;
	const uint8_t *v = sm_stun_find(msg, len, SM_A_INTEGRITY, &n);

	if (v == NULL || n != SM_STUN_SHA1)
		return false;
	integrity(msg, (size_t)(v - msg) - 4, (size_t)(v - msg) + SM_STUN_SHA1, key, mac);
	return memcmp(mac, v, SM_STUN_SHA1) == 0;
}
