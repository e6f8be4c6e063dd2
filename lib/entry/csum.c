// SPDX-License-Identifier: BSD-3-Clause
#include <entry/csum.h>

#include <entry/wire.h>

uint64_t entry_sum(const void *p, size_t len)
{
	const uint8_t *b = (const uint8_t *)p;
	uint64_t sum = 0;
	uint8_t last[2] = {0, 0};

	for (; len >= 16; len -= 16, b += 16)
		sum += entry_sum_16(b);
	for (; len >= 4; len -= 4, b += 4)
		sum += entry_sum_4(b);
	if (len & 2) {
		sum += entry_sum_word(b);
		b += 2;
	}
	if (len & 1) {
		last[0] = *b;
		sum += entry_sum_word(last);
	}
	return sum;
}

uint64_t entry_sum_at(const void *p, size_t len, bool odd)
{
	uint64_t sum = entry_sum(p, len);

	if (!odd)
		return sum;
	return __builtin_bswap16(entry_sum_fold(sum));
}

uint64_t entry_sum_addresses(const uint8_t *src, const uint8_t *dst, unsigned ip_len)
{
	uint64_t sum = entry_sum_be16(WIRE_PROTO_UDP);

	if (ip_len == 16)
		return sum + entry_sum_16(src) + entry_sum_16(dst);
	return sum + entry_sum_4(src) + entry_sum_4(dst);
}

bool entry_csum_udp_right(
	const uint8_t *src, const uint8_t *dst, unsigned ip_len, const uint8_t *udp, size_t len)
{
	if (entry_sum_word(udp + WIRE_UDP_CSUM) == 0)
		return ip_len == 4;
	return entry_sum_fold(entry_sum_addresses(src, dst, ip_len) +
			      entry_sum_be16((uint16_t)len) + entry_sum(udp, len)) == 0xffff;
}
