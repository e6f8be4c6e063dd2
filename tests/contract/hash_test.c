// SPDX-License-Identifier: BSD-3-Clause
#include <turnpike/entry.h>
#include <turnpike/nonce.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// The test vectors of the SipHash paper's reference code: key 00 01 .. 0f, messages 00 01 .. of
// length 0 to 63. The paper's appendix A prints the one of length 15.
static const struct {
	size_t len;
	uint64_t hash;
} siphash24_vectors[] = {
	{0, 0x726fdb47dd0e0e31ull},
	{1, 0x74f839c593dc67fdull},
	{7, 0xab0200f58b01d137ull},
	{8, 0x93f5f5799a932462ull},
	{15, 0xa129ca6149be45e5ull},
	{16, 0x3f2acc7f57c29bdbull},
	{63, 0x958a324ceb064572ull},
};

static void siphash24_matches_paper(void **state)
{
	uint8_t key[16], msg[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)i;
	for (size_t i = 0; i < TP_ARRAY_LEN(siphash24_vectors); i++)
		assert_int_equal(tp_siphash24(key, msg, siphash24_vectors[i].len),
			siphash24_vectors[i].hash);
}

static void counting_key(uint8_t hkey[TP_HASH_KEY_LEN], struct tp_key *key)
{
	struct tp_addr client = tp_addr_ipv4(0x0a4d0102, 40000);

	for (unsigned i = 0; i < TP_HASH_KEY_LEN; i++)
		hkey[i] = (uint8_t)(7 * i + 1);
	*key = tp_key_channel(&client, 3, 0x4001);
}

// A segment outlives the process that chose the hash: its values may never change. The values are
// those of a second implementation, in plain arithmetic.
static void hashes_stay_as_they_are(void **state)
{
	uint8_t hkey[TP_HASH_KEY_LEN];
	struct tp_key key;

	(void)state;
	counting_key(hkey, &key);
	assert_int_equal(tp_hash(TP_HASH_KIND_SIPHASH, hkey, &key), 0x90d18986fa05d769ull);
	if (tp_hash_supported(TP_HASH_KIND_AES))
		assert_int_equal(tp_hash(TP_HASH_KIND_AES, hkey, &key), 0x12e0ba09c7452e03ull);
}

// Every byte of the table key and of the secret key matters, in both kinds.
static void every_bit_counts(void **state)
{
	uint8_t hkey[TP_HASH_KEY_LEN];
	struct tp_key key;

	(void)state;
	counting_key(hkey, &key);
	for (uint32_t kind = TP_HASH_KIND_SIPHASH; kind <= TP_HASH_KIND_AES; kind++) {
		size_t used = kind == TP_HASH_KIND_AES ? TP_HASH_KEY_LEN : 16;
		uint64_t h;

		if (!tp_hash_supported(kind))
			continue;
		h = tp_hash(kind, hkey, &key);
		for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
			uint8_t *octets = (uint8_t *)&key;

			octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_not_equal(tp_hash(kind, hkey, &key), h);
			octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (size_t i = 0; i < used; i++) {
			hkey[i] ^= 0x10;
			assert_int_not_equal(tp_hash(kind, hkey, &key), h);
			hkey[i] ^= 0x10;
		}
	}
}

// 4,096 addresses of one /64 whose CRC32C is the same for every seed: the polynomial's multiples,
// placed in the host part. A linear hash puts all of them into one bucket.
static uint64_t crc_kernel(unsigned n)
{
	uint64_t host = 0;

	// The reflected CRC-32C polynomial with its leading term; shifted sums of it divide evenly.
	for (unsigned bit = 0; bit < 12; bit++)
		if (n >> bit & 1)
			host ^= 0x105ec76f1ull << bit;
	return host;
}

static uint32_t crc32c(const uint8_t *p, size_t len)
{
	uint32_t crc = 0x12345678;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (unsigned b = 0; b < 8; b++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return crc;
}

static void flood_keys_spread(void **state)
{
	static const uint8_t prefix[8] = {0xfd, 0x77, 0, 1, 0, 0, 0, 0};
	enum { n = 4096, buckets = 1024 };
	uint8_t hkey[TP_HASH_KEY_LEN];
	struct tp_key unused;
	uint32_t first_crc = 0;

	(void)state;
	counting_key(hkey, &unused);
	for (uint32_t kind = TP_HASH_KIND_SIPHASH; kind <= TP_HASH_KIND_AES; kind++) {
		unsigned load[buckets] = {0}, most = 0, empty = 0;

		if (!tp_hash_supported(kind))
			continue;
		for (unsigned i = 0; i < n; i++) {
			struct tp_addr a = {.family = TP_FAMILY_IPV6, .port_be = tp_htons(3478)};
			struct tp_key key;
			uint32_t crc;

			memcpy(a.ip, prefix, sizeof(prefix));
			for (unsigned o = 0; o < 8; o++)
				a.ip[8 + o] = (uint8_t)(crc_kernel(i) >> (8 * o));
			key = tp_key_allocation(&a, 1);
			crc = crc32c((const uint8_t *)&key, sizeof(key));
			if (i == 0)
				first_crc = crc;
			assert_int_equal(crc, first_crc); // the attack is real
			load[tp_hash(kind, hkey, &key) % buckets]++;
		}
		for (unsigned b = 0; b < buckets; b++) {
			most = load[b] > most ? load[b] : most;
			empty += load[b] == 0;
		}
		// Four per bucket on average: a fair hash has 19 empty ones and at most 14 in one.
		assert_in_range(most, 8, 18);
		assert_in_range(empty, 2, 50);
	}
}

static void nonce_tag_is_of_this_client(void **state)
{
	uint8_t key[16] = {1, 2, 3};
	struct tp_addr a = tp_addr_ipv4(0x0a4d0102, 40000), b = tp_addr_ipv4(0x0a4d0102, 40001);
	char ta[TP_NONCE_TAG_LEN], tb[TP_NONCE_TAG_LEN], again[TP_NONCE_TAG_LEN];

	(void)state;
	tp_nonce_tag(key, &a, ta);
	tp_nonce_tag(key, &b, tb);
	tp_nonce_tag(key, &a, again);
	assert_memory_equal(ta, again, sizeof(ta));
	assert_memory_not_equal(ta, tb, sizeof(ta));
	for (unsigned i = 0; i < sizeof(ta); i++)
		assert_non_null(memchr("0123456789abcdef", ta[i], 16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash24_matches_paper),
		cmocka_unit_test(hashes_stay_as_they_are),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(flood_keys_spread),
		cmocka_unit_test(nonce_tag_is_of_this_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
