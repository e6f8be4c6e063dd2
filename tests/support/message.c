// SPDX-License-Identifier: BSD-3-Clause
#include "message.h"

void message_begin(struct message *m, uint16_t type, const uint8_t txid[12])
{
	tp_store_be16(m->data, type);
	tp_store_be16(m->data + 2, 0);
	tp_store_be32(m->data + 4, 0x2112a442);
	memcpy(m->data + 8, txid, 12);
	m->len = 20;
}

void message_attribute(struct message *m, uint16_t type, const void *value, uint16_t len)
{
	tp_store_be16(m->data + m->len, type);
	tp_store_be16(m->data + m->len + 2, len);
	if (len != 0)
		memcpy(m->data + m->len + 4, value, len);
	m->len = (uint16_t)(m->len + 4 + len);
	while (m->len % 4 != 0)
		m->data[m->len++] = 0x20; // any value may pad (RFC 8489 14)
	tp_store_be16(m->data + 2, (uint16_t)(m->len - 20));
}

static void xor_address(uint8_t *out, const uint8_t *in, unsigned ip_len, const uint8_t *header)
{
	out[0] = 0;
	out[1] = in[1];
	out[2] = in[2] ^ 0x21;
	out[3] = in[3] ^ 0x12;
	for (unsigned i = 0; i < ip_len; i++)
		out[4 + i] = in[4 + i] ^ header[4 + i];
}

void message_address(struct message *m, uint16_t type, const struct tp_addr *a)
{
	unsigned ip_len = a->family == TP_FAMILY_IPV4 ? 4 : 16;
	uint8_t plain[20] = {0, a->family}, value[20];

	memcpy(plain + 2, &a->port_be, 2);
	memcpy(plain + 4, a->ip, ip_len);
	xor_address(value, plain, ip_len, m->data);
	message_attribute(m, type, value, (uint16_t)(4 + ip_len));
}

static uint32_t crc32_bitwise(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

void message_fingerprint(struct message *m)
{
	uint8_t value[4];

	tp_store_be16(m->data + 2, (uint16_t)(m->len - 20 + 8));
	tp_store_be32(value, crc32_bitwise(m->data, m->len) ^ 0x5354554e);
	message_attribute(m, 0x8028, value, 4);
}

void message_channel(
	struct message *m, uint16_t number, const void *data, uint16_t len, unsigned pad)
{
	tp_store_be16(m->data, number);
	tp_store_be16(m->data + 2, len);
	if (len != 0)
		memcpy(m->data + 4, data, len);
	memset(m->data + 4 + len, 0xa5, pad);
	m->len = (uint16_t)(4 + len + pad);
}

static const char *read_address(
	const uint8_t *msg, const uint8_t *attribute, struct tp_addr *a, unsigned *used)
{
	uint8_t plain[20];
	unsigned ip_len = tp_load_be16(attribute + 2) - 4u;

	if (!((ip_len == 4 && attribute[5] == 1) || (ip_len == 16 && attribute[5] == 2)))
		return "address has a wrong length or family";
	xor_address(plain, attribute + 4, ip_len, msg);
	*a = ip_len == 4 ? tp_addr_ipv4(tp_load_be32(plain + 4), tp_load_be16(plain + 2))
			 : tp_addr_ipv6(plain + 4, tp_load_be16(plain + 2));
	*used = 8 + ip_len;
	return NULL;
}

static const char *read_header(const uint8_t *msg, size_t len, uint16_t type)
{
	if (len < 44 - 12 || tp_load_be16(msg) != type)
		return "too short, or another type";
	if (tp_load_be16(msg + 2) != len - 20 || len % 4 != 0)
		return "message length is wrong";
	return tp_load_be32(msg + 4) == 0x2112a442 ? NULL : "no magic cookie";
}

const char *message_read_data(const uint8_t *msg, size_t len, struct tp_addr *peer,
	const uint8_t **data, uint16_t *data_len)
{
	const char *wrong = read_header(msg, len, 0x0017);
	const uint8_t *a = msg + 20;
	unsigned used;

	if (wrong != NULL)
		return wrong;
	if (tp_load_be16(a) != 0x0012)
		return "XOR-PEER-ADDRESS is not first";
	wrong = read_address(msg, a, peer, &used);
	if (wrong != NULL)
		return wrong;
	a += used;
	if ((size_t)(msg + len - a) < 4 || tp_load_be16(a) != 0x0013)
		return "DATA does not follow";
	*data_len = tp_load_be16(a + 2);
	*data = a + 4;
	if (msg + len != *data + ((*data_len + 3u) & ~3u))
		return "something follows DATA, or it is cut off";
	for (const uint8_t *pad = *data + *data_len; pad < msg + len; pad++)
		if (*pad != 0)
			return "padding shows old memory";
	return NULL;
}

const char *message_read_binding(const uint8_t *msg, size_t len, const uint8_t txid[12],
	bool fingerprint, struct tp_addr *mapped)
{
	const char *wrong = read_header(msg, len, 0x0101);
	unsigned used;

	if (wrong != NULL)
		return wrong;
	if (memcmp(msg + 8, txid, 12) != 0)
		return "another transaction";
	if (tp_load_be16(msg + 20) != 0x0020)
		return "XOR-MAPPED-ADDRESS is not first";
	wrong = read_address(msg, msg + 20, mapped, &used);
	if (wrong != NULL)
		return wrong;
	if (len != 20 + used + (fingerprint ? 8u : 0u))
		return "has an attribute too many or too few";
	if (fingerprint &&
		tp_load_be32(msg + len - 4) != (crc32_bitwise(msg, len - 8) ^ 0x5354554e))
		return "FINGERPRINT is wrong";
	return NULL;
}
