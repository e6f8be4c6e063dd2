// SPDX-License-Identifier: BSD-3-Clause
// The ground every header of the contract stands on: cache lines, byte order, alignment, time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TP_CACHE_LINE	64u
#define TP_ALIGNED(n)	__attribute__((aligned(n)))
#define TP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

// Asserts that a member of a shared struct stands where the other process expects it.
#define TP_ASSERT_OFFSET(type, member, off)                                                        \
	_Static_assert(offsetof(type, member) == (off), #type "." #member " moved")
#define TP_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " changed size")

#define TP_NS_PER_S		   1000000000ull
#define TP_NS_PER_MS		   1000000ull
#define TP_NS_PER_US		   1000ull

// Between host and wire order; the same function either way.
static inline uint16_t tp_htons(uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(v);
#else
	return v;
#endif
}

static inline uint16_t tp_ntohs(uint16_t v)
{
	return tp_htons(v);
}

static inline uint32_t tp_htonl(uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(v);
#else
	return v;
#endif
}

static inline uint64_t tp_htonll(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(v);
#else
	return v;
#endif
}

// Unaligned loads and stores of big-endian (wire order) integers; values are host order. One access
// each: byte by byte, a wide load after narrow stores stalls the packet path.
static inline uint16_t tp_load_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return tp_htons(v);
}

static inline uint32_t tp_load_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return tp_htonl(v);
}

static inline uint64_t tp_load_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return tp_htonll(v);
}

static inline void tp_store_be16(void *p, uint16_t v)
{
	v = tp_htons(v);
	memcpy(p, &v, sizeof(v));
}

static inline void tp_store_be32(void *p, uint32_t v)
{
	v = tp_htonl(v);
	memcpy(p, &v, sizeof(v));
}

static inline void tp_store_be64(void *p, uint64_t v)
{
	v = tp_htonll(v);
	memcpy(p, &v, sizeof(v));
}

// Whole seconds of the segment's clock (CLOCK_BOOTTIME), rounded up: an expiry is never early.
static inline uint32_t tp_expiry_s(uint64_t now_ns, uint32_t lifetime_s)
{
	return (uint32_t)((now_ns + TP_NS_PER_S - 1) / TP_NS_PER_S) + lifetime_s;
}
