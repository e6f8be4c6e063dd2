// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <bounds/backlog.h>

// Room for five messages of 20 bytes.
static const struct backlog_limits limits = {.age_ns = 1000, .bytes = 5 * 64};

// Kinds of messages by their first bytes.
enum kind {
	CHANNEL = 0x4000,
	DATA_INDICATION = 0x0017,
	SUCCESS = 0x0103,
	REFUSAL = 0x0113,
};

static int push(struct backlog *b, uint64_t now_ns, enum kind kind, size_t len, uint8_t mark)
{
	uint8_t data[128];

	memset(data, mark, sizeof(data));
	tp_store_be16(data, kind);
	return backlog_push(b, &limits, now_ns, data, len);
}

// The third bytes of the messages that wait, in order; each has 20 bytes.
static void holds(struct backlog *b, const char *marks)
{
	uint8_t out[256];
	size_t n = strlen(marks);

	assert_int_equal(backlog_take(b, out, sizeof(out)), 20 * n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[20 * i + 2], marks[i]);
	assert_int_equal(b->bytes, 0);
	assert_int_equal(b->held, 0);
	assert_int_equal(b->n, 0);
}

// Fault: clients that read nothing, each within its limit, took all memory together.
static void many_leave_room(void **state)
{
	const struct backlog_limits large = {.age_ns = 1u << 30, .bytes = 65536};
	struct backlog_pool pool = {.held = 0};
	struct backlog *all = calloc(1000, sizeof(*all)), *b;
	static const uint8_t message[1024] = {0x40};

	(void)state;
	assert_non_null(all);
	// The first ones as if they were alone.
	for (b = all; b < all + 1000; b++) {
		b->pool = &pool;
		for (unsigned i = 0; i < 60; i++)
			assert_int_equal(backlog_push(b, &large, 1, message, sizeof(message)), 0);
		assert_true(b >= all + 100 || b->lost_full == 0);
	}
	assert_in_range(pool.held, 100u * 60 * 1072, BACKLOG_POOL_MAX * 65536 + 1000 * 4096);
	// A few messages of the last one, and less of the first one's when it gets more.
	assert_int_equal(all[999].bytes, 3 * 1024);
	assert_int_equal(backlog_push(all, &large, 1, message, sizeof(message)), 0);
	assert_int_equal(all[0].bytes, 3 * 1024);
	for (b = all; b < all + 1000; b++)
		backlog_fini(b);
	assert_int_equal(pool.held, 0);
	free(all);
}

// Fault: a queue of small messages took twelve times the memory that it may have.
static void entries_count_as_the_memory_that_they_take(void **state)
{
	const struct backlog_limits small = {.age_ns = 1000, .bytes = 16384};
	static const uint8_t message[4] = {0x40};
	struct backlog b = {0};
	// An entry is longer than this at least.
	void *least = malloc(sizeof(uint64_t) * 4 + sizeof(message));

	(void)state;
	assert_non_null(least);
	assert_true(backlog_cost(sizeof(message)) >= malloc_usable_size(least));
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(backlog_push(&b, &small, 1, message, sizeof(message)), 0);
	assert_in_range(b.n * malloc_usable_size(least), 8192, small.bytes);
	assert_int_equal(b.n + b.lost_full, 5000);
	assert_int_equal(b.bytes, 4 * b.n);
	backlog_fini(&b);
	free(least);
}

static void the_oldest_media_give_way_to_bytes(void **state)
{
	struct backlog b = {0};

	(void)state;
	push(&b, 1, CHANNEL, 20, 'a');
	push(&b, 2, SUCCESS, 20, 'b');
	push(&b, 3, DATA_INDICATION, 20, 'c');
	push(&b, 4, CHANNEL, 20, 'd');
	push(&b, 5, REFUSAL, 20, 'e');
	assert_int_equal(b.lost_full, 0);
	assert_int_equal(push(&b, 6, CHANNEL, 20, 'f'), 0);
	assert_int_equal(push(&b, 7, SUCCESS, 20, 'g'), 0);
	assert_int_equal(b.lost_full, 2);
	holds(&b, "bdefg");
}

static void media_are_lost_by_age(void **state)
{
	struct backlog b = {0};

	(void)state;
	push(&b, 10, SUCCESS, 20, 'a');
	push(&b, 11, CHANNEL, 20, 'b');
	push(&b, 500, DATA_INDICATION, 20, 'c');
	backlog_expire(&b, &limits, 1011);
	assert_int_equal(b.n, 3);
	backlog_expire(&b, &limits, 1012);
	assert_int_equal(b.lost_late, 1);
	push(&b, 1600, CHANNEL, 20, 'd');
	assert_int_equal(b.lost_late, 2);
	assert_int_equal(b.lost_full, 0);
	holds(&b, "ad");
}

static void answers_alone_do_not_fit(void **state)
{
	struct backlog b = {0};

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(push(&b, i, SUCCESS, 20, (uint8_t)('a' + i)), 0);
	// Media find no room, and are lost; an answer is a reason to close.
	assert_int_equal(push(&b, 9, CHANNEL, 20, 'x'), 0);
	assert_int_equal(b.lost_full, 1);
	assert_int_equal(push(&b, 9, SUCCESS, 20, 'y'), -ENOBUFS);
	holds(&b, "abcde");
}

// Fault: each message of media cost a look at all answers that waited, so a client that asked much
// and read nothing kept its thread from others. The test then takes minutes.
static void unread_answers_cost_media_nothing(void **state)
{
	const struct backlog_limits large = {.age_ns = 1000, .bytes = 4u << 20};
	static const uint8_t answer[32] = {0x01, 0x01}, media[100] = {0x40};
	struct backlog b = {0};

	(void)state;
	for (unsigned i = 0; i < 30000; i++)
		assert_int_equal(backlog_push(&b, &large, 1, answer, sizeof(answer)), 0);
	for (uint64_t i = 1; i <= 400000; i++)
		assert_int_equal(backlog_push(&b, &large, 1000000 * i, media, sizeof(media)), 0);
	assert_int_equal(b.lost_late, 399999);
	assert_int_equal(b.n, 30001);
	backlog_fini(&b);
}

// Clauses: 8656 12.5-2
static void messages_leave_whole_and_padded(void **state)
{
	struct backlog b = {0};
	uint8_t out[64];

	(void)state;
	push(&b, 1, CHANNEL, 5, 0xff);
	push(&b, 1, CHANNEL, 8, 0xff);
	memset(out, 0xee, sizeof(out));
	assert_int_equal(backlog_take(&b, out, 7), 0);
	assert_int_equal(backlog_take(&b, out, 15), 8);
	assert_memory_equal(out, "\x40\0\xff\xff\xff\0\0\0\xee", 9);
	assert_int_equal(backlog_take(&b, out, 15), 8);
	assert_int_equal(backlog_take(&b, out, 15), 0);
	push(&b, 1, CHANNEL, 5, 0xff);
	backlog_fini(&b);
	assert_int_equal(b.n, 0);
}

static void another_process_gets_the_same_messages(void **state)
{
	struct backlog b = {0}, other = {0};
	uint8_t *bytes;
	size_t len;

	(void)state;
	push(&b, 1, CHANNEL, 20, 'a');
	push(&b, 900, SUCCESS, 20, 'b');
	push(&b, 901, CHANNEL, 20, 'c');
	len = backlog_save_size(&b);
	bytes = malloc(len);
	assert_non_null(bytes);
	backlog_save(&b, bytes);
	for (size_t cut = 1; cut < len; cut++) {
		bool whole = backlog_load(&other, bytes, cut);

		// A cut between two messages is none.
		assert_true(!whole || cut % (len / 3) == 0);
		assert_true(whole || other.n == 0);
		backlog_fini(&other);
	}
	assert_true(backlog_load(&other, bytes, len));
	assert_int_equal(other.bytes, b.bytes);
	// Their times go on.
	backlog_expire(&other, &limits, 1200);
	assert_int_equal(other.lost_late, 1);
	holds(&other, "bc");
	backlog_fini(&b);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_leave_room),
		cmocka_unit_test(entries_count_as_the_memory_that_they_take),
		cmocka_unit_test(the_oldest_media_give_way_to_bytes),
		cmocka_unit_test(media_are_lost_by_age),
		cmocka_unit_test(answers_alone_do_not_fit),
		cmocka_unit_test(unread_answers_cost_media_nothing),
		cmocka_unit_test(messages_leave_whole_and_padded),
		cmocka_unit_test(another_process_gets_the_same_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
