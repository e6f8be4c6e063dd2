// SPDX-License-Identifier: BSD-3-Clause
#include "stun_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER_LEN 20u

void msg_key(const char *user, const char *realm, const char *password, uint8_t key[16])
{
	char text[2048];
	int len = snprintf(text, sizeof(text), "%s:%s:%s", user, realm, password);

	if (len < 0 || (size_t)len >= sizeof(text) ||
		EVP_Digest(text, (size_t)len, key, NULL, EVP_md5(), NULL) != 1)
		abort();
}

static void length_set(struct msg *m)
{
	tp_store_be16(m->octets + 2, (uint16_t)(m->len - HEADER_LEN));
}

void msg_start(struct msg *m, uint16_t type, const uint8_t txid[12])
{
	tp_store_be16(m->octets, type);
	tp_store_be32(m->octets + 4, 0x2112a442);
	memcpy(m->octets + 8, txid, 12);
	m->len = HEADER_LEN;
	length_set(m);
}

void msg_attr(struct msg *m, uint16_t type, const void *value, size_t len)
{
	if (m->len + 8 + len > MSG_MAX)
		abort();
	tp_store_be16(m->octets + m->len, type);
	tp_store_be16(m->octets + m->len + 2, (uint16_t)len);
	m->len += 4;
	if (len > 0)
		memcpy(m->octets + m->len, value, len);
	// Not zeros, as some clients do: nobody may look at padding.
	for (m->len += len; m->len % 4 != 0; m->len++)
		m->octets[m->len] = 0xa5;
	length_set(m);
}

void msg_text(struct msg *m, uint16_t type, const char *text)
{
	msg_attr(m, type, text, strlen(text));
}

void msg_u32(struct msg *m, uint16_t type, uint32_t value)
{
	uint8_t octets[4];

	tp_store_be32(octets, value);
	msg_attr(m, type, octets, sizeof(octets));
}

static void xor_mask(const uint8_t *octets, uint8_t value[20])
{
	value[2] ^= 0x21;
	value[3] ^= 0x12;
	for (unsigned i = 0; i < 16; i++)
		value[4 + i] ^= octets[4 + i];
}

void msg_xor_addr(struct msg *m, uint16_t type, const struct tp_addr *addr)
{
	uint8_t value[20] = {0, addr->family};

	memcpy(value + 2, &addr->port_be, 2);
	memcpy(value + 4, addr->ip, 16);
	xor_mask(m->octets, value);
	msg_attr(m, type, value, addr->family == TP_FAMILY_IPV6 ? 20 : 8);
}

static void integrity(struct msg *m, uint16_t type, const EVP_MD *md, const uint8_t key[16])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = (unsigned)EVP_MD_get_size(md);

	tp_store_be16(m->octets + 2, (uint16_t)(m->len + 4 + mac_len - HEADER_LEN));
	if (HMAC(md, key, 16, m->octets, m->len, mac, &mac_len) == NULL)
		abort();
	msg_attr(m, type, mac, mac_len);
}

void msg_integrity(struct msg *m, const uint8_t key[16])
{
	integrity(m, ATTR_MESSAGE_INTEGRITY, EVP_sha1(), key);
}

void msg_integrity_sha256(struct msg *m, const uint8_t key[16])
{
	integrity(m, ATTR_MESSAGE_INTEGRITY_SHA256, EVP_sha256(), key);
}

static uint32_t crc32_bitwise(const uint8_t *octets, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < 8 * len; i++) {
		uint32_t bit = (crc ^ (uint32_t)octets[i / 8] >> i % 8) & 1;

		crc = crc >> 1 ^ (bit != 0 ? 0xedb88320 : 0);
	}
	return ~crc;
}

void msg_fingerprint(struct msg *m)
{
	tp_store_be16(m->octets + 2, (uint16_t)(m->len + 8 - HEADER_LEN));
	msg_u32(m, ATTR_FINGERPRINT, crc32_bitwise(m->octets, m->len) ^ 0x5354554e);
}

const uint8_t *reply_attr(
	const uint8_t *octets, size_t len, uint16_t type, unsigned nth, uint16_t *value_len)
{
	size_t at = HEADER_LEN;

	while (at + 4 <= len) {
		uint16_t l = tp_load_be16(octets + at + 2);

		if (at + 4 + l > len)
			return NULL;
		if (tp_load_be16(octets + at) == type && nth-- == 0) {
			*value_len = l;
			return octets + at + 4;
		}
		at += 4 + (l + 3u) / 4 * 4;
	}
	return NULL;
}

unsigned reply_code(const uint8_t *octets, size_t len)
{
	uint16_t value_len;
	const uint8_t *value;

	if (len < HEADER_LEN || len != HEADER_LEN + tp_load_be16(octets + 2) || len % 4 != 0)
		return 1;
	switch (tp_load_be16(octets) & 0x0110) {
	case 0x0100:
		return 0;
	case 0x0110:
		value = reply_attr(octets, len, ATTR_ERROR_CODE, 0, &value_len);
		if (value == NULL || value_len < 4)
			return 1;
		return value[2] * 100u + value[3];
	default:
		return 1;
	}
}

bool reply_xor_addr(
	const uint8_t *octets, size_t len, uint16_t type, unsigned nth, struct tp_addr *addr)
{
	uint8_t value[20] = {0};
	uint16_t value_len;
	const uint8_t *p = reply_attr(octets, len, type, nth, &value_len);

	if (p == NULL || (value_len != 8 && value_len != 20))
		return false;
	memcpy(value, p, value_len);
	xor_mask(octets, value);
	*addr = (struct tp_addr){.family = value[1]};
	memcpy(&addr->port_be, value + 2, 2);
	memcpy(addr->ip, value + 4, value_len - 4u);
	return value_len == (addr->family == TP_FAMILY_IPV6 ? 20 : 8);
}

bool reply_verifies(const uint8_t *octets, size_t len, const uint8_t key[16])
{
	uint8_t copy[MSG_MAX];
	uint8_t mac[20];
	uint16_t value_len;
	const uint8_t *value = reply_attr(octets, len, ATTR_MESSAGE_INTEGRITY, 0, &value_len);
	size_t at;

	if (value == NULL || value_len != 20 || len > sizeof(copy))
		return false;
	at = (size_t)(value - octets) - 4;
	memcpy(copy, octets, at);
	tp_store_be16(copy + 2, (uint16_t)(at + 24 - HEADER_LEN));
	if (HMAC(EVP_sha1(), key, 16, copy, at, mac, NULL) == NULL)
		abort();
	return memcmp(mac, value, sizeof(mac)) == 0;
}

bool reply_fingerprint_ok(const uint8_t *octets, size_t len)
{
	uint16_t value_len;
	const uint8_t *value = reply_attr(octets, len, ATTR_FINGERPRINT, 0, &value_len);

	return value != NULL && value_len == 4 && value + 4 == octets + len &&
	       tp_load_be32(value) == (crc32_bitwise(octets, len - 8) ^ 0x5354554e);
}
