// SPDX-License-Identifier: BSD-3-Clause
#include <kept.h>
#include <user.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_S 1000u

struct fixture {
	struct turn_kept k;
	struct turn_wheel w;
};

static const uint8_t map_key[16] = {3};
static const uint8_t key_a[16] = "aaaaaaaaaaaaaaaa", key_b[16] = "bbbbbbbbbbbbbbbb";

static struct fixture f;

static int set_up(void **state)
{
	(void)state;
	turn_wheel_init(&f.w);
	turn_wheel_start(&f.w, NOW_S);
	return turn_kept_init(&f.k, map_key);
}

static int tear_down(void **state)
{
	(void)state;
	turn_kept_clear(&f.k, &f.w);
	turn_kept_fini(&f.k);
	return 0;
}

static struct stun_text text(const char *s)
{
	return (struct stun_text){s, strlen(s)};
}

// The same buffer each time.
static struct stun_text numbered(unsigned i)
{
	static char name[32];

	snprintf(name, sizeof(name), "1800000000:user%u", i);
	return text(name);
}

static void add(struct stun_text name, const uint8_t key[16], uint32_t expires_s)
{
	turn_kept_add(&f.k, &f.w, name, 0, key, expires_s);
}

// How often the octets of a key stand anywhere in the room for keys.
static unsigned occurrences(const uint8_t key[16])
{
	const uint8_t *p = (const uint8_t *)f.k.keys;
	size_t size = TURN_KEPT_MAX * sizeof(*f.k.keys);
	unsigned n = 0;

	for (const uint8_t *at = p; (at = memmem(at, size - (size_t)(at - p), key, 16)) != NULL;
		at++)
		n++;
	return n;
}

static void found_by_all_of_the_name(void **state)
{
	(void)state;
	add(text("1800000000:carol"), key_a, NOW_S + 9);
	assert_memory_equal(turn_kept_find(&f.k, text("1800000000:carol"))->key, key_a, 16);
	assert_null(turn_kept_find(&f.k, text("1800000001:carol")));
	assert_null(turn_kept_find(&f.k, text("1800000000:caro")));
	assert_null(turn_kept_find(&f.k, text("1800000000:carols")));
}

static void long_names_are_not_kept(void **state)
{
	char name[TURN_KEPT_NAME_MAX + 1];

	(void)state;
	memset(name, '7', sizeof(name));
	add((struct stun_text){name, TURN_KEPT_NAME_MAX + 1}, key_a, NOW_S + 9);
	assert_int_equal(f.k.map.n, 0);
	add((struct stun_text){name, TURN_KEPT_NAME_MAX}, key_a, NOW_S + 9);
	assert_non_null(turn_kept_find(&f.k, (struct stun_text){name, TURN_KEPT_NAME_MAX}));
}

static void the_one_unused_for_longest_goes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TURN_KEPT_MAX; i++)
		add(numbered(i), i == 1 ? key_a : key_b, NOW_S + 9);
	turn_kept_touch(&f.k, turn_kept_find(&f.k, numbered(0)));
	assert_int_equal(occurrences(key_a), 1);
	add(numbered(TURN_KEPT_MAX), key_b, NOW_S + 9);
	assert_int_equal(f.k.map.n, TURN_KEPT_MAX);
	assert_non_null(turn_kept_find(&f.k, numbered(0)));
	assert_null(turn_kept_find(&f.k, numbered(1)));
	assert_int_equal(occurrences(key_a), 0);
	assert_non_null(turn_kept_find(&f.k, numbered(2)));
	assert_non_null(turn_kept_find(&f.k, numbered(TURN_KEPT_MAX)));
}

static void each_has_a_timer(void **state)
{
	unsigned budget = 100;
	struct turn_timer *t;

	(void)state;
	add(numbered(1), key_a, NOW_S + 9);
	add(numbered(2), key_b, NOW_S + 20);
	assert_null(turn_wheel_pop(&f.w, NOW_S + 8, &budget));
	t = turn_wheel_pop(&f.w, NOW_S + 9, &budget);
	assert_ptr_equal(t, &turn_kept_find(&f.k, numbered(1))->timer);
	assert_int_equal(t->kind, TURN_TIMER_KEPT_KEY);
	turn_kept_drop(&f.k, &f.w, TURN_CONTAINER(t, struct turn_kept_key, timer));
	assert_null(turn_kept_find(&f.k, numbered(1)));
	assert_int_equal(occurrences(key_a), 0);
	// Dropped early, its timer goes too, and its room is taken up again.
	turn_kept_drop(&f.k, &f.w, turn_kept_find(&f.k, numbered(2)));
	assert_int_equal(f.w.n, 0);
	add(numbered(3), key_b, NOW_S + 20);
	add(numbered(4), key_b, NOW_S + 20);
	assert_int_equal(f.k.n_fresh, 2);
}

static void clearing_wipes_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		add(numbered(i), key_a, NOW_S + 9);
	assert_int_equal(occurrences(key_a), 100);
	turn_kept_clear(&f.k, &f.w);
	assert_int_equal(occurrences(key_a), 0);
	assert_int_equal(f.k.map.n, 0);
	assert_int_equal(f.w.n, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(found_by_all_of_the_name),
		TEST(long_names_are_not_kept),
		TEST(the_one_unused_for_longest_goes),
		TEST(each_has_a_timer),
		TEST(clearing_wipes_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
