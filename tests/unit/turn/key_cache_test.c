// SPDX-License-Identifier: BSD-3-Clause
#include <key_cache.h>
#include <timer.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_S 1000u

struct fixture {
	struct turn_key_cache k;
	struct ds_wheel w;
	struct turn_realm realm;
	struct turn_realm other; // its names are others
};

static const uint8_t map_key[16] = {3};
static const uint8_t key_a[16] = "aaaaaaaaaaaaaaaa", key_b[16] = "bbbbbbbbbbbbbbbb";

static struct fixture f;

static int set_up(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.other.conf.id = 1;
	ds_wheel_init(&f.w);
	ds_wheel_start(&f.w, NOW_S);
	return turn_key_cache_init(&f.k, map_key, &f.w);
}

static int tear_down(void **state)
{
	(void)state;
	turn_key_cache_fini(&f.k);
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

static void add(struct stun_text name, const uint8_t octets[16], uint32_t expires_s)
{
	struct turn_key key = turn_key_md5(octets);

	turn_key_cache_add(&f.k, &f.realm, name, &key, 0, expires_s);
}

static struct turn_cached_key *find(struct stun_text name)
{
	return turn_key_cache_find(&f.k, &f.realm, name);
}

// How often the bytes of a key stand anywhere in the room for keys.
static unsigned occurrences(const uint8_t key[16])
{
	unsigned n = 0;

	for (uint32_t i = 0; i < f.k.pool.n_chunks; i++) {
		const uint8_t *p = f.k.pool.chunks[i], *at = p;
		size_t size = DS_POOL_CHUNK * f.k.pool.size;

		for (; (at = memmem(at, size - (size_t)(at - p), key, 16)) != NULL; at++)
			n++;
	}
	return n;
}

static void found_by_all_of_the_name(void **state)
{
	(void)state;
	add(text("1800000000:carol"), key_a, NOW_S + 9);
	assert_memory_equal(find(text("1800000000:carol"))->key.octets, key_a, 16);
	assert_null(find(text("1800000001:carol")));
	assert_null(find(text("1800000000:caro")));
	assert_null(find(text("1800000000:carols")));
	assert_null(turn_key_cache_find(&f.k, &f.other, text("1800000000:carol")));
}

static void long_names_are_not_kept(void **state)
{
	char name[TURN_KEY_CACHE_NAME_MAX + 1];

	(void)state;
	memset(name, '7', sizeof(name));
	add((struct stun_text){name, TURN_KEY_CACHE_NAME_MAX + 1}, key_a, NOW_S + 9);
	assert_int_equal(f.k.map.n, 0);
	add((struct stun_text){name, TURN_KEY_CACHE_NAME_MAX}, key_a, NOW_S + 9);
	assert_non_null(find((struct stun_text){name, TURN_KEY_CACHE_NAME_MAX}));
}

static void the_one_unused_for_longest_goes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TURN_KEY_CACHE_MAX; i++)
		add(numbered(i), i == 1 ? key_a : key_b, NOW_S + 9);
	turn_key_cache_touch(find(numbered(0)));
	assert_int_equal(occurrences(key_a), 1);
	add(numbered(TURN_KEY_CACHE_MAX), key_b, NOW_S + 9);
	assert_int_equal(f.k.map.n, TURN_KEY_CACHE_MAX);
	assert_non_null(find(numbered(0)));
	assert_null(find(numbered(1)));
	assert_int_equal(occurrences(key_a), 0);
	assert_non_null(find(numbered(2)));
	assert_non_null(find(numbered(TURN_KEY_CACHE_MAX)));
}

static void each_has_a_timer(void **state)
{
	unsigned budget = 100;
	struct ds_timer *t;

	(void)state;
	add(numbered(1), key_a, NOW_S + 9);
	add(numbered(2), key_b, NOW_S + 20);
	assert_null(ds_wheel_pop(&f.w, NOW_S + 8, &budget));
	t = ds_wheel_pop(&f.w, NOW_S + 9, &budget);
	assert_ptr_equal(t, &find(numbered(1))->timer);
	assert_int_equal(t->kind, TURN_TIMER_CACHED_KEY);
	turn_key_cache_drop(DS_CONTAINER(t, struct turn_cached_key, timer));
	assert_null(find(numbered(1)));
	assert_int_equal(occurrences(key_a), 0);
	// Dropped early, its timer goes too, and its room is taken up again.
	turn_key_cache_drop(find(numbered(2)));
	assert_int_equal(f.w.n, 0);
	add(numbered(3), key_b, NOW_S + 20);
	add(numbered(4), key_b, NOW_S + 20);
	assert_int_equal(f.k.pool.n_taken, 2);
}

// The younger answer counts, and the older one is wiped.
static void a_name_has_one_key(void **state)
{
	(void)state;
	add(numbered(1), key_a, NOW_S + 9);
	add(numbered(1), key_b, NOW_S + 20);
	assert_memory_equal(find(numbered(1))->key.octets, key_b, 16);
	assert_int_equal(occurrences(key_a), 0);
	assert_int_equal(f.k.map.n, 1);
	assert_int_equal(f.w.n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(found_by_all_of_the_name),
		TEST(long_names_are_not_kept),
		TEST(the_one_unused_for_longest_goes),
		TEST(each_has_a_timer),
		TEST(a_name_has_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
