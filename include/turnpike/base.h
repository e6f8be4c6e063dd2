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

// Unaligned loads and stores of big-endian (wire order) integers; values are host order.
static inline uint16_t tp_load_be16(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint16_t)((unsigned)b[0] << 8 | b[1]);
}

static inline uint32_t tp_load_be32(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint64_t tp_load_be64(const void *p)
{
	return (uint64_t)tp_load_be32(p) << 32 | tp_load_be32((const uint8_t *)p + 4);
}

static inline void tp_store_be16(void *p, uint16_t v)
{
	uint8_t *b = (uint8_t *)p;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void tp_store_be32(void *p, uint32_t v)
{
	tp_store_be16(p, (uint16_t)(v >> 16));
	tp_store_be16((uint8_t *)p + 2, (uint16_t)v);
}

static inline void tp_store_be64(void *p, uint64_t v)
{
	tp_store_be32(p, (uint32_t)(v >> 32));
	tp_store_be32((uint8_t *)p + 4, (uint32_t)v);
}

static inline uint16_t tp_htons(uint16_t v)
{
	uint16_t r;

	tp_store_be16(&r, v);
	return r;
}

static inline uint16_t tp_ntohs(uint16_t v)
{
	return tp_load_be16(&v);
}

// Whole seconds of the segment's clock (CLOCK_BOOTTIME), rounded up: an expiry is never early.
static inline uint32_t tp_expiry_s(uint64_t now_ns, uint32_t lifetime_s)
{
	return (uint32_t)((now_ns + TP_NS_PER_S - 1) / TP_NS_PER_S) + lifetime_s;
}
