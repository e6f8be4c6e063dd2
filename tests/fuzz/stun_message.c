// SPDX-License-Identifier: BSD-3-Clause
// Any datagram through the STUN reader. An accepted message lies inside the datagram, reads the
// same through every way of asking, and is the same message when it is written again.
#include <stun/write.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "stun_message: %s\n", what);
	abort();
}

static void attr_check(const struct stun_message *m, enum stun_attr id)
{
	struct stun_value value = m->attr[id], first;
	struct tp_addr addr;
	size_t offset = 0;
	uint32_t word;
	uint8_t octet;

	require((value.octets != NULL) == stun_has(m, id), "presence");
	if (value.octets == NULL) {
		require(!stun_get_u32(m, id, &word), "value of an absent attribute");
		return;
	}
	require(value.octets >= m->octets + TP_STUN_HEADER_LEN + 4 &&
			value.octets + value.len <= m->octets + m->len,
		"attribute outside the datagram");
	if (stun_get_u32(m, id, &word) && stun_get_u8(m, id, &octet))
		require(word >> 24 == octet, "octet and word differ");
	if (stun_value_xor_address(m, value, &addr))
		require(addr.family == TP_FAMILY_IPV4 || addr.family == TP_FAMILY_IPV6, "family");
	if (value.octets < m->octets + m->covered_len) {
		require(stun_message_next(m, id, &offset, &first), "attribute not found");
		require(first.octets == value.octets && first.len == value.len, "another first");
	}
	while (stun_message_next(m, id, &offset, &first))
		require(offset <= m->covered_len, "attribute behind the integrity");
}

// All that counts, written again, is the same to the reader.
static void rewrite_check(const struct stun_message *m)
{
	static uint8_t out[1 << 17];
	struct stun_writer w;
	struct stun_message again;
	size_t len;

	stun_writer_start(&w, out, sizeof(out), m->type, m->txid);
	for (enum stun_attr id = 0; id < STUN_ATTR_COUNT; id++) {
		struct stun_value value = m->attr[id];

		if (value.octets != NULL && id != STUN_MESSAGE_INTEGRITY &&
			id != STUN_MESSAGE_INTEGRITY_SHA256 && id != STUN_FINGERPRINT)
			stun_put(&w, stun_attr_table[id].type, value.octets, value.len);
	}
	for (unsigned i = 0; i < m->n_unknown; i++)
		stun_put(&w, m->unknown[i], NULL, 0);
	stun_put_fingerprint(&w);
	len = stun_writer_len(&w);
	if (len == 0)
		return;
	require(stun_message_parse(&again, out, len) == STUN_PARSE_OK, "own message refused");
	require(again.type == m->type && again.n_unknown == m->n_unknown, "another message");
	for (enum stun_attr id = 0; id < STUN_MESSAGE_INTEGRITY_SHA256; id++) {
		if (id == STUN_MESSAGE_INTEGRITY)
			continue;
		require(again.attr[id].len == m->attr[id].len &&
				stun_has(&again, id) == stun_has(m, id),
			"another attribute");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[16] = "a key of 16 octe";
	static struct stun_crypto *crypto;
	struct stun_message m;

	if (crypto == NULL)
		crypto = stun_crypto_create();
	if (crypto == NULL)
		abort();
	if (stun_message_parse(&m, data, size) != STUN_PARSE_OK)
		return 0;
	require(m.len == size && m.covered_len <= size && m.covered_len >= TP_STUN_HEADER_LEN,
		"lengths");
	require(m.n_unknown <= STUN_UNKNOWN_MAX, "unknown types");
	require(stun_type_make(m.class, m.method) == m.type, "type");
	for (enum stun_attr id = 0; id < STUN_ATTR_COUNT; id++)
		attr_check(&m, id);
	stun_integrity_check(crypto, &m, key, sizeof(key));
	rewrite_check(&m);
	return 0;
}
