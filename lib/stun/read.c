// SPDX-License-Identifier: BSD-3-Clause
#include <stun/read.h>

#include <stun/fingerprint.h>

const uint8_t *stun_cursor_bytes(struct stun_cursor *c, size_t n)
{
	const uint8_t *p = c->at;

	if (c->failed || stun_cursor_left(c) < n) {
		c->failed = true;
		return NULL;
	}
	c->at += n;
	return p;
}

uint8_t stun_cursor_u8(struct stun_cursor *c)
{
	const uint8_t *p = stun_cursor_bytes(c, 1);

	return p != NULL ? *p : 0;
}

uint16_t stun_cursor_u16(struct stun_cursor *c)
{
	const uint8_t *p = stun_cursor_bytes(c, 2);

	return p != NULL ? tp_load_be16(p) : 0;
}

uint32_t stun_cursor_u32(struct stun_cursor *c)
{
	const uint8_t *p = stun_cursor_bytes(c, 4);

	return p != NULL ? tp_load_be32(p) : 0;
}

// One attribute with its padding; false when it does not fit.
static bool attr_read(struct stun_cursor *c, uint16_t *type, struct stun_value *value)
{
	*type = stun_cursor_u16(c);
	value->len = stun_cursor_u16(c);
	value->octets = stun_cursor_bytes(c, value->len);
	stun_cursor_bytes(c, -(size_t)value->len & 3);
	return !c->failed;
}

static void unknown_add(struct stun_message *m, uint16_t type)
{
	for (unsigned i = 0; i < m->n_unknown; i++) {
		if (m->unknown[i] == type)
			return;
	}
	if (m->n_unknown < STUN_UNKNOWN_MAX)
		m->unknown[m->n_unknown++] = type;
}

// RFC 8489 9: behind MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT count; behind
// MESSAGE-INTEGRITY-SHA256 only FINGERPRINT. The two in reversed order are covered up to the first.
static bool attr_counts(const struct stun_message *m, enum stun_attr id)
{
	if (id == STUN_FINGERPRINT)
		return true;
	if (stun_has(m, STUN_MESSAGE_INTEGRITY))
		return id == STUN_MESSAGE_INTEGRITY_SHA256;
	if (stun_has(m, STUN_MESSAGE_INTEGRITY_SHA256))
		return id == STUN_MESSAGE_INTEGRITY;
	return true;
}

static void attr_note(struct stun_message *m, uint16_t type, struct stun_value value)
{
	enum stun_attr id = stun_attr_find(type);

	if (!attr_counts(m, id))
		return;
	if (id == STUN_ATTR_COUNT) {
		if (stun_attr_required(type))
			unknown_add(m, type);
		return;
	}
	if (stun_has(m, id))
		return;
	m->attr[id] = value;
	// 14.6: a truncated value is of whole words.
	if (value.len < stun_attr_table[id].min_len || value.len > stun_attr_table[id].max_len ||
		(id == STUN_MESSAGE_INTEGRITY_SHA256 && value.len % 4 != 0))
		m->malformed |= UINT64_C(1) << id;
	if ((id == STUN_MESSAGE_INTEGRITY || id == STUN_MESSAGE_INTEGRITY_SHA256) &&
		m->covered_len == m->len)
		m->covered_len = (size_t)(value.octets - m->octets) - 4;
}

static enum stun_parse_result fingerprint_check(const struct stun_message *m)
{
	struct stun_value fp = m->attr[STUN_FINGERPRINT];

	if (fp.octets == NULL)
		return STUN_PARSE_OK;
	if (fp.len != 4 || fp.octets + 4 != m->octets + m->len)
		return STUN_PARSE_BAD_FINGERPRINT;
	if (tp_load_be32(fp.octets) !=
		stun_fingerprint(m->octets, (size_t)(fp.octets - m->octets) - 4))
		return STUN_PARSE_BAD_FINGERPRINT;
	return STUN_PARSE_OK;
}

enum stun_parse_result stun_message_parse(struct stun_message *m, const uint8_t *octets, size_t len)
{
	struct stun_cursor c = stun_cursor_init(octets, len);
	struct stun_value value;
	uint16_t type;
	size_t body_len;
	uint32_t cookie;

	type = stun_cursor_u16(&c);
	body_len = stun_cursor_u16(&c);
	cookie = stun_cursor_u32(&c);
	memset(m, 0, sizeof(*m));
	m->txid = stun_cursor_bytes(&c, TP_STUN_TXID_LEN);
	if (c.failed)
		return STUN_PARSE_BAD_LENGTH;
	if ((type & 0xc000) != 0 || cookie != TP_STUN_MAGIC_COOKIE)
		return STUN_PARSE_NOT_STUN;
	if (body_len != stun_cursor_left(&c))
		return STUN_PARSE_BAD_LENGTH;
	m->octets = octets;
	m->len = len;
	m->covered_len = len;
	m->type = type;
	m->method = stun_type_method(type);
	m->class = stun_type_class(type);
	while (stun_cursor_left(&c) > 0) {
		if (!attr_read(&c, &type, &value))
			return STUN_PARSE_BAD_LENGTH;
		attr_note(m, type, value);
	}
	return fingerprint_check(m);
}

bool stun_message_next(
	const struct stun_message *m, enum stun_attr id, size_t *offset, struct stun_value *value)
{
	size_t start = *offset != 0 ? *offset : TP_STUN_HEADER_LEN;
	struct stun_cursor c = stun_cursor_init(m->octets + start, m->covered_len - start);
	uint16_t type;

	while (stun_cursor_left(&c) > 0 && attr_read(&c, &type, value)) {
		if (type == stun_attr_table[id].type) {
			*offset = (size_t)(c.at - m->octets);
			return true;
		}
	}
	return false;
}

// The value of an attribute that is there and as long as it must be, else NULL.
static const uint8_t *value_octets(const struct stun_message *m, enum stun_attr id)
{
	return stun_is_malformed(m, id) ? NULL : m->attr[id].octets;
}

bool stun_get_u32(const struct stun_message *m, enum stun_attr id, uint32_t *value)
{
	const uint8_t *p = value_octets(m, id);

	if (p == NULL || m->attr[id].len < 4)
		return false;
	*value = tp_load_be32(p);
	return true;
}

bool stun_get_u16(const struct stun_message *m, enum stun_attr id, uint16_t *value)
{
	const uint8_t *p = value_octets(m, id);

	if (p == NULL || m->attr[id].len < 2)
		return false;
	*value = tp_load_be16(p);
	return true;
}

bool stun_get_u8(const struct stun_message *m, enum stun_attr id, uint8_t *value)
{
	const uint8_t *p = value_octets(m, id);

	if (p == NULL || m->attr[id].len < 1)
		return false;
	*value = *p;
	return true;
}

bool stun_value_xor_address(
	const struct stun_message *m, struct stun_value value, struct tp_addr *addr)
{
	struct stun_cursor c = stun_cursor_init(value.octets, value.len);
	const uint8_t *mask = m->octets + 4; // magic cookie, then transaction id
	unsigned family, ip_len;
	const uint8_t *ip;
	uint8_t plain[16];
	uint16_t port;

	stun_cursor_u8(&c);
	family = stun_cursor_u8(&c);
	port = stun_cursor_u16(&c) ^ (uint16_t)(TP_STUN_MAGIC_COOKIE >> 16);
	if (family != TP_FAMILY_IPV4 && family != TP_FAMILY_IPV6)
		return false;
	ip_len = tp_family_ip_len((uint8_t)family);
	ip = stun_cursor_bytes(&c, ip_len);
	if (c.failed || stun_cursor_left(&c) != 0)
		return false;
	for (unsigned i = 0; i < ip_len; i++)
		plain[i] = ip[i] ^ mask[i];
	*addr = family == TP_FAMILY_IPV4 ? tp_addr_ipv4(tp_load_be32(plain), port)
					 : tp_addr_ipv6(plain, port);
	return true;
}

void stun_message_disown(struct stun_message *m, enum stun_attr id)
{
	if (!stun_has(m, id))
		return;
	m->attr[id] = (struct stun_value){.octets = NULL};
	if (stun_attr_required(stun_attr_table[id].type))
		unknown_add(m, stun_attr_table[id].type);
}
