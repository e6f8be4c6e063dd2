// SPDX-License-Identifier: BSD-3-Clause
// Datagrams out of fragments: every order, every contradiction, and floods.
#include <core/cut.h>
#include <core/packet.h>
#include <frag/table.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <turnpike/fragment.h>

#include "frame.h"

#define MIB    4u
#define PIECES 8u
#define NOW    (5ull * TP_NS_PER_S)

static const uint8_t key[16] = {1, 2, 3};
static uint8_t payload[1900];

struct fixture {
	struct frag_table *table;
	_Atomic uint64_t drops[TP_DROP_COUNT];
	uint64_t now_ns;
	struct frame sent;	       // the datagram before it was cut
	uint8_t pieces[64][FRAME_MAX]; // its fragments
	uint32_t lens[64];
	unsigned n;
	uint8_t whole[65535];
	struct frag_whole out;
};

static int make(void **state)
{
	size_t size = (frag_table_size(MIB) + 63) & ~(size_t)63;
	struct fixture *x = calloc(1, sizeof(*x));
	void *memory = aligned_alloc(64, size);

	if (x == NULL || memory == NULL)
		return -1;
	memset(memory, 0, size);
	x->table = frag_table_init(memory, MIB, key);
	x->now_ns = NOW;
	x->out = (struct frag_whole){.frame = x->whole, .max = sizeof(x->whole)};
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 + (i >> 8));
	*state = x;
	return 0;
}

static int clear(void **state)
{
	struct fixture *x = *state;

	free(x->table);
	free(x);
	return 0;
}

// A datagram from host `host`, cut for the MTU; `id` is of IPv4 or IPv6.
static void cut(struct fixture *x, bool v4, uint8_t host, uint16_t id, uint16_t len, unsigned mtu)
{
	struct frame_spec spec = {.payload = payload, .len = len, .id = id, .tos = 0xb8};
	struct core_cut c;

	spec.src = (struct tp_addr){
		{0xfd, 0x77, host}, tp_htons(5000), v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6, 0};
	spec.dst = (struct tp_addr){{10, 77, 0, 1}, tp_htons(3478), spec.src.family, 0};
	frame_build(&x->sent, &spec);
	x->n = core_cut_begin(&c, frame_data(&x->sent), x->sent.len, mtu, id);
	assert_in_range(x->n, 2, TP_ARRAY_LEN(x->pieces));
	for (unsigned i = 0; i < x->n; i++)
		x->lens[i] = core_cut_next(&c, x->pieces[i]);
}

// None: it is kept, or its datagram is whole (*whole).
static enum tp_drop put_frame(struct fixture *x, uint8_t *frame, bool *whole)
{
	struct frag_piece piece;
	enum tp_drop why = frag_read(&piece, frame);

	*whole = why == TP_DROP_none &&
		 frag_table_put(x->table, &piece, x->now_ns, &x->out, x->drops);
	return why;
}

static bool put(struct fixture *x, unsigned i)
{
	bool whole;

	assert_int_equal(put_frame(x, x->pieces[i], &whole), TP_DROP_none);
	return whole;
}

static uint64_t drops(const struct fixture *x)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < TP_DROP_COUNT; i++)
		n += x->drops[i];
	return n;
}

// The whole is the frame that was cut, byte for byte, but for the id of IPv4.
static void assert_whole(struct fixture *x)
{
	struct core_packet p;
	struct frame_view v;

	assert_int_equal(x->out.len, x->sent.len);
	assert_int_equal(x->out.pieces, x->n);
	assert_memory_equal(x->whole, frame_data(&x->sent), x->out.len);
	core_parse(&p, x->whole, x->out.len);
	assert_int_equal(p.kind, CORE_UDP);
	assert_int_equal(p.fault, TP_DROP_none);
	assert_null(frame_read(x->whole, x->out.len, &v));
	assert_true(v.udp_csum_right);
}

static void assert_empty(const struct fixture *x)
{
	assert_int_equal(frag_table_pending(x->table), 0);
	assert_int_equal(frag_table_blocks(x->table), 0);
}

static unsigned step_of(unsigned order, unsigned n, unsigned i)
{
	return order == 0 ? i : order == 1 ? n - 1 - i : (i * 5 + order) % n;
}

// In order, backwards and mixed; lengths around whole blocks and multiples of eight.
static void test_orders(void **state)
{
	static const uint16_t lens[] = {1200, 1201, 1473, 1600, 1899};
	struct fixture *x = *state;

	for (unsigned run = 0; run < 2 * TP_ARRAY_LEN(lens) * 4; run++) {
		cut(x, run % 2, 1, (uint16_t)(run + 1), lens[run / 8], 300);
		if (x->n % 5 == 0)
			continue;
		for (unsigned i = 0; i < x->n; i++)
			assert_int_equal(put(x, step_of(run / 2 % 4, x->n, i)), i == x->n - 1);
		assert_whole(x);
		assert_empty(x);
	}
	assert_int_equal(drops(x), 0);
}

// Datagrams whose ids, addresses or families differ do not mix.
static void test_apart(void **state)
{
	struct fixture *x = *state;

	for (unsigned i = 0; i < 2; i++) {
		cut(x, true, 1, 1, 1400, 1000);
		assert_int_equal(put(x, i), false);
		cut(x, true, 1, 2, 1400, 1000);
		assert_int_equal(put(x, !i), false);
		cut(x, true, 2, 1, 1400, 1000);
		assert_int_equal(put(x, i), i == 1);
		cut(x, false, 1, 1, 1400, 1000);
		assert_int_equal(put(x, i), i == 1);
		if (i == 0) {
			cut(x, true, 1, 1, 1400, 1000);
			assert_int_equal(put(x, 1), true);
			cut(x, true, 1, 2, 1400, 1000);
			assert_int_equal(put(x, 0), true);
		}
	}
	assert_int_equal(drops(x), 0);
}

// A repeat is passed over; overlaps take the datagram, and all that still comes of it (RFC 5722).
static void test_overlap(void **state)
{
	struct fixture *x = *state;

	for (unsigned v4 = 0; v4 < 2; v4++) {
		uint64_t before = x->drops[TP_DROP_fragment_overlap];

		cut(x, v4, 1, 7, 1400, 400);
		assert_int_equal(x->n, 4);
		assert_false(put(x, 0));
		assert_false(put(x, 0));
		assert_int_equal(x->drops[TP_DROP_fragment_repeat], v4 + 1u);
		assert_false(put(x, 2));
		x->pieces[2][300] ^= 1; // other bytes at the same place
		assert_false(put(x, 2));
		assert_int_equal(x->drops[TP_DROP_fragment_overlap], before + 3);
		assert_int_equal(frag_table_blocks(x->table), 0);
		assert_false(put(x, 1));
		assert_false(put(x, 3));
		assert_int_equal(x->drops[TP_DROP_fragment_overlap], before + 5);
		x->now_ns += FRAG_LIFE_NS;
		frag_table_expire(x->table, x->now_ns, x->drops);
		assert_empty(x);
	}
}

static void offset_set(struct fixture *x, unsigned i, unsigned word)
{
	tp_store_be16(x->pieces[i] + 14 + 6, (uint16_t)word);
}

// Fragments over each part of another one.
static void test_each_overlap(void **state)
{
	struct fixture *x = *state;

	// 368 bytes a fragment: the second reaches from 46 to 92.
	for (unsigned at = 1; at < 138; at++) {
		bool over = at < 92 && at + 46 > 46;

		if (at == 46)
			continue;
		cut(x, true, 1, (uint16_t)at, 1400, 388);
		assert_false(put(x, 1));
		offset_set(x, 0, 0x2000u | at);
		assert_false(put(x, 0));
		assert_int_equal(x->drops[TP_DROP_fragment_overlap] != 0, over);
		x->drops[TP_DROP_fragment_overlap] = 0;
	}
}

// Ends that contradict each other, lengths that are none.
static void test_contradictions(void **state)
{
	struct fixture *x = *state;
	bool whole;

	cut(x, true, 1, 1, 1400, 400);
	assert_false(put(x, 3));
	offset_set(x, 2, 0x2000u | 400); // behind the end
	assert_false(put(x, 2));
	assert_int_equal(x->drops[TP_DROP_fragment_bad], 2);
	cut(x, true, 1, 2, 1400, 400);
	assert_false(put(x, 2));
	offset_set(x, 1, 47); // the last, but there is more behind it
	assert_false(put(x, 1));
	assert_int_equal(x->drops[TP_DROP_fragment_bad], 4);
	cut(x, true, 1, 3, 1400, 400);
	assert_false(put(x, 3));
	offset_set(x, 2, 94); // another end
	assert_false(put(x, 2));
	assert_int_equal(x->drops[TP_DROP_fragment_bad], 6);
	// Middle of a datagram with a length that is no multiple of eight, or none at all.
	cut(x, true, 1, 4, 1400, 400);
	tp_store_be16(x->pieces[1] + 16, 20 + 375);
	assert_int_equal(put_frame(x, x->pieces[1], &whole), TP_DROP_fragment_bad);
	tp_store_be16(x->pieces[1] + 16, 20);
	assert_int_equal(put_frame(x, x->pieces[1], &whole), TP_DROP_fragment_bad);
	cut(x, false, 1, 5, 1400, 400);
	tp_store_be16(x->pieces[1] + 18, 8);
	assert_int_equal(put_frame(x, x->pieces[1], &whole), TP_DROP_fragment_bad);
}

// A datagram longer than a frame's length can be: the last fragments reach too far.
static void test_too_long(void **state)
{
	struct fixture *x = *state;

	for (unsigned v4 = 0; v4 < 2; v4++) {
		cut(x, v4, 1, 9, 1400, 400);
		tp_store_be16(x->pieces[1] + 14 + (v4 ? 6 : 42), (uint16_t)(v4 ? 0x1ff0 : 0xff81));
		assert_false(put(x, 1));
		assert_int_equal(x->drops[TP_DROP_fragment_long], v4 + 1);
	}
}

// All that IP can carry but 14 bytes, in pieces of 1,280.
static void test_longest(void **state)
{
	struct fixture *x = *state;
	uint32_t len = FRAG_IP_MAX - 20 - 8, total = FRAG_IP_MAX + 14;
	uint8_t *frame = calloc(1, total), piece[FRAME_MAX];
	struct frag_piece read;
	struct core_cut c;
	unsigned n;
	bool whole = false;

	assert_non_null(frame);
	cut(x, true, 1, 9, 1400, 400);
	memcpy(frame, frame_data(&x->sent), 42);
	tp_store_be16(frame + 16, FRAG_IP_MAX);
	tp_store_be16(frame + 38, (uint16_t)(len + 8));
	for (uint32_t i = 42; i < total; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8));
	n = core_cut_begin(&c, frame, total, 1280, 0);
	assert_int_equal(n, 53);
	for (unsigned i = 0; i < n; i++) {
		assert_false(whole);
		core_cut_next(&c, piece);
		assert_int_equal(frag_read(&read, piece), TP_DROP_none);
		whole = frag_table_put(x->table, &read, x->now_ns, &x->out, x->drops);
	}
	assert_true(whole);
	assert_int_equal(x->out.len, total);
	assert_memory_equal(x->whole + 34, frame + 34, total - 34);
	assert_int_equal(drops(x), 0);
	assert_empty(x);
	free(frame);
}

// More fragments than a datagram needs, and a first one that ends before the ports.
static void test_tiny(void **state)
{
	struct fixture *x = *state;
	bool whole;

	cut(x, true, 1, 1, 1000, 300);
	tp_store_be16(x->pieces[0] + 16, 28);
	for (unsigned i = 0; i <= FRAG_PIECES_MAX; i++) {
		offset_set(x, 0, 0x2000u | i);
		assert_false(put(x, 0));
	}
	assert_int_equal(x->drops[TP_DROP_fragment_tiny], FRAG_PIECES_MAX + 1);
	assert_int_equal(frag_table_blocks(x->table), 0);
	offset_set(x, 0, 0);
	tp_store_be16(x->pieces[0] + 16, 27);
	assert_int_equal(put_frame(x, x->pieces[0], &whole), TP_DROP_fragment_tiny);
}

static void test_life(void **state)
{
	struct fixture *x = *state;

	cut(x, true, 1, 1, 1400, 1000);
	assert_false(put(x, 0));
	x->now_ns += FRAG_LIFE_NS - 1;
	frag_table_expire(x->table, x->now_ns, x->drops);
	assert_int_equal(frag_table_pending(x->table), 1);
	frag_table_expire(x->table, x->now_ns - TP_NS_PER_S * 3, x->drops); // clock set back
	assert_int_equal(frag_table_pending(x->table), 1);
	x->now_ns++;
	assert_false(put(x, 1)); // begins anew
	assert_int_equal(x->drops[TP_DROP_fragment_late], 1);
	assert_int_equal(frag_table_pending(x->table), 1);
	assert_true(put(x, 0));
	assert_whole(x);
}

// One prefix takes its share and its own oldest give way: others are not concerned.
static void test_flood_of_one(void **state)
{
	const struct frag_bounds bounds = frag_bounds_of(MIB);
	struct fixture *x = *state;
	unsigned most = 0;

	cut(x, true, 2, 1, 1400, 1000);
	assert_false(put(x, 0));
	for (unsigned i = 0; i < 20000; i++) {
		x->now_ns += 10000;
		cut(x, true, 1, (uint16_t)(i + 1), 1400, 1000);
		assert_false(put(x, i % 2));
		if (frag_table_blocks(x->table) > most)
			most = frag_table_blocks(x->table);
	}
	assert_int_equal(frag_table_pending(x->table), bounds.share_datagrams + 1);
	assert_true(most <= bounds.share_blocks + 2);
	assert_int_equal(x->drops[TP_DROP_fragment_share], 20000 - bounds.share_datagrams);
	cut(x, true, 2, 1, 1400, 1000);
	assert_true(put(x, 1));
	assert_whole(x);
}

// The share counts bytes as well as datagrams.
static void test_share_of_bytes(void **state)
{
	const struct frag_bounds bounds = frag_bounds_of(MIB);
	struct fixture *x = *state;

	for (unsigned i = 0; i < 400; i++) {
		cut(x, true, 1, (uint16_t)(i + 1), 1890, 300);
		for (unsigned p = 0; p + 1 < x->n; p++) {
			assert_false(put(x, p)); // one block
			assert_true(frag_table_blocks(x->table) <= bounds.share_blocks);
		}
	}
	assert_true(frag_table_pending(x->table) < bounds.share_datagrams);
	assert_int_not_equal(x->drops[TP_DROP_fragment_share], 0);
}

// From everywhere: a datagram whose fragments follow each other comes through all the same.
static void test_flood_of_all(void **state)
{
	const struct frag_bounds bounds = frag_bounds_of(MIB);
	struct fixture *x = *state;
	struct frag_piece piece;

	for (unsigned i = 0; i < 50000; i++) {
		cut(x, i % 2, 1, 1, 1400, 1000);
		tp_store_be32(x->pieces[0] + 14 + (i % 2 ? 12 : 8), 0x0b000000u + i);
		assert_int_equal(frag_read(&piece, x->pieces[0]), TP_DROP_none);
		assert_false(frag_table_put(x->table, &piece, x->now_ns, &x->out, x->drops));
		if (i % 1000 == 0) {
			cut(x, true, 2, (uint16_t)(i / 1000 + 1), 1400, 1000);
			assert_false(put(x, 0));
		} else if (i % 1000 == 100) {
			cut(x, true, 2, (uint16_t)(i / 1000 + 1), 1400, 1000);
			assert_true(put(x, 1));
			assert_whole(x);
		}
	}
	assert_true(frag_table_pending(x->table) <= bounds.datagrams);
	assert_true(x->drops[TP_DROP_fragment_full] >= 50000 - bounds.datagrams);
	assert_int_equal(x->drops[TP_DROP_fragment_share], 0);
}

// RFC 3168 5.3.
static void test_ecn(void **state)
{
	static const struct {
		uint8_t first, second, joined;
	} rows[] = {{2, 2, 2}, {2, 3, 3}, {3, 2, 3}, {1, 1, 1}, {0, 0, 0}, {0, 3, 4}, {3, 0, 4}};
	struct fixture *x = *state;

	for (unsigned i = 0; i < 2 * TP_ARRAY_LEN(rows); i++) {
		bool v4 = i % 2, whole;
		uint8_t *tos[2];

		cut(x, v4, 1, (uint16_t)(i + 1), 1400, 1000);
		for (unsigned n = 0; n < 2; n++) {
			uint8_t ecn = n == 0 ? rows[i / 2].first : rows[i / 2].second;

			tos[n] = x->pieces[n] + 15;
			*tos[n] = v4 ? (uint8_t)(*tos[n] | ecn) : (uint8_t)(*tos[n] | ecn << 4);
		}
		assert_false(put(x, 0));
		whole = put(x, 1);
		assert_int_equal(whole, rows[i / 2].joined < 4);
		if (whole)
			assert_int_equal(x->whole[15] >> (v4 ? 0 : 4) & 3, rows[i / 2].joined);
	}
	assert_int_equal(x->drops[TP_DROP_fragment_bad], 8);
	assert_empty(x);
}

// Every worker names the same owner, and all of them own something.
static void test_owner(void **state)
{
	struct fixture *x = *state;
	unsigned seen[5] = {0};
	struct frag_piece piece;

	for (unsigned i = 0; i < 100; i++) {
		uint32_t owner;

		cut(x, true, (uint8_t)i, 1, 1400, 1000);
		assert_int_equal(frag_read(&piece, x->pieces[0]), TP_DROP_none);
		owner = frag_owner(key, &piece, 5);
		assert_in_range(owner, 0, 4);
		seen[owner]++;
		assert_int_equal(frag_read(&piece, x->pieces[1]), TP_DROP_none);
		assert_int_equal(frag_owner(key, &piece, 5), owner);
	}
	for (unsigned i = 0; i < 5; i++)
		assert_int_not_equal(seen[i], 0);
}

// A table stays within what a plan says of it, and a share has room for the longest datagram.
static void test_sizes(void **state)
{
	(void)state;
	for (uint32_t mib = 1; mib <= TP_FRAGMENT_MIB_MAX; mib++) {
		const struct frag_bounds b = frag_bounds_of(mib);

		assert_true(frag_table_size(mib) + UINT16_MAX + 1024 <= TP_FRAGMENT_BYTES(mib));
		assert_int_equal(b.blocks * FRAG_BLOCK_LEN, mib << 20);
		assert_true(b.share_blocks >= FRAG_SHARE_BLOCKS && b.share_blocks <= b.blocks / 8);
		assert_true(b.share_datagrams <= b.datagrams / 8);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_orders),
		TEST(test_apart),
		TEST(test_overlap),
		TEST(test_each_overlap),
		TEST(test_contradictions),
		TEST(test_too_long),
		TEST(test_longest),
		TEST(test_tiny),
		TEST(test_life),
		TEST(test_flood_of_one),
		TEST(test_share_of_bytes),
		TEST(test_flood_of_all),
		cmocka_unit_test(test_sizes),
		TEST(test_ecn),
		TEST(test_owner),
	};

	return cmocka_run_group_tests_name("frag: table", tests, NULL, NULL);
}
