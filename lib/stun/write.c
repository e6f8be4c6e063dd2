// SPDX-License-Identifier: BSD-3-Clause
#include <stun/write.h>

#include <stun/fingerprint.h>

#define ATTR_HEADER_LEN 4u

void stun_writer_start(
	struct stun_writer *w, uint8_t *octets, size_t cap, uint16_t type, const uint8_t *txid)
{
	*w = (struct stun_writer){.octets = octets, .cap = cap};
	if (cap < TP_STUN_HEADER_LEN) {
		w->failed = true;
		return;
	}
	tp_store_be16(octets, type);
	tp_store_be16(octets + 2, 0);
	tp_store_be32(octets + 4, TP_STUN_MAGIC_COOKIE);
	memcpy(octets + 8, txid, TP_STUN_TXID_LEN);
	w->len = TP_STUN_HEADER_LEN;
}

size_t stun_writer_len(const struct stun_writer *w)
{
	return w->failed ? 0 : w->len;
}

// Room for one attribute, with header and zeroed padding; NULL when it does not fit.
static uint8_t *attr_reserve(struct stun_writer *w, uint16_t type, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;
	uint8_t *p = w->octets + w->len;

	if (w->failed || len > UINT16_MAX - 3 || w->cap - w->len < ATTR_HEADER_LEN + padded ||
		w->len + ATTR_HEADER_LEN + padded - TP_STUN_HEADER_LEN > UINT16_MAX) {
		w->failed = true;
		return NULL;
	}
	tp_store_be16(p, type);
	tp_store_be16(p + 2, (uint16_t)len);
	memset(p + ATTR_HEADER_LEN + len, 0, padded - len);
	w->len += ATTR_HEADER_LEN + padded;
	tp_store_be16(w->octets + 2, (uint16_t)(w->len - TP_STUN_HEADER_LEN));
	return p + ATTR_HEADER_LEN;
}

void stun_put(struct stun_writer *w, uint16_t type, const void *value, size_t len)
{
	uint8_t *p = attr_reserve(w, type, len);

	if (p != NULL && len > 0)
		memcpy(p, value, len);
}

void stun_put_u32(struct stun_writer *w, uint16_t type, uint32_t value)
{
	uint8_t *p = attr_reserve(w, type, 4);

	if (p != NULL)
		tp_store_be32(p, value);
}

void stun_put_text(struct stun_writer *w, uint16_t type, const char *text)
{
	stun_put(w, type, text, strlen(text));
}

void stun_put_address(struct stun_writer *w, uint16_t type, const struct tp_addr *addr)
{
	unsigned ip_len = tp_family_ip_len(addr->family);
	uint8_t *p = attr_reserve(w, type, 4 + ip_len);

	if (p == NULL)
		return;
	p[0] = 0;
	p[1] = addr->family;
	memcpy(p + 2, &addr->port_be, sizeof(addr->port_be));
	memcpy(p + 4, addr->ip, ip_len);
}

void stun_put_xor_address(struct stun_writer *w, uint16_t type, const struct tp_addr *addr)
{
	unsigned ip_len = tp_family_ip_len(addr->family);
	const uint8_t *mask = w->octets + 4; // magic cookie, then transaction id
	uint8_t *p = attr_reserve(w, type, 4 + ip_len);

	if (p == NULL)
		return;
	p[0] = 0;
	p[1] = addr->family;
	tp_store_be16(p + 2, tp_addr_port(addr) ^ (uint16_t)(TP_STUN_MAGIC_COOKIE >> 16));
	for (unsigned i = 0; i < ip_len; i++)
		p[4 + i] = addr->ip[i] ^ mask[i];
}

void stun_put_error(struct stun_writer *w, unsigned code, const char *reason)
{
	size_t len = strlen(reason);
	uint8_t *p = attr_reserve(w, stun_attr_table[STUN_ERROR_CODE].type, 4 + len);

	if (p == NULL)
		return;
	tp_store_be32(p, (code / 100) << 8 | code % 100);
	memcpy(p + 4, reason, len);
}

void stun_put_unknown(struct stun_writer *w, const uint16_t *types, size_t n)
{
	uint8_t *p = attr_reserve(w, stun_attr_table[STUN_UNKNOWN_ATTRIBUTES].type, 2 * n);

	for (size_t i = 0; p != NULL && i < n; i++)
		tp_store_be16(p + 2 * i, types[i]);
}

void stun_put_integrity(struct stun_writer *w, struct stun_crypto *x, const uint8_t *key,
	size_t key_len, size_t mac_len)
{
	uint16_t type = mac_len == STUN_HMAC_SHA256_LEN ? TP_ATTR_MESSAGE_INTEGRITY_SHA256
							: TP_ATTR_MESSAGE_INTEGRITY;
	size_t offset = w->len;
	uint8_t *p = attr_reserve(w, type, mac_len);

	if (p != NULL &&
		stun_integrity_compute(x, w->octets, offset, key, key_len, p, mac_len) != 0)
		w->failed = true;
}

void stun_put_fingerprint(struct stun_writer *w)
{
	size_t offset = w->len;
	uint8_t *p = attr_reserve(w, TP_ATTR_FINGERPRINT, 4);

	if (p != NULL)
		tp_store_be32(p, stun_fingerprint(w->octets, offset));
}
