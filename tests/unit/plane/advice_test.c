// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <plane/advice.h>

static void test_lists(void **state)
{
	static const unsigned cores[] = {1, 3, 12};
	static const struct {
		const char *isolated;
		const char *nohz_full;
		const char *shared;
		const char *ticking;
	} rows[] = {
		{"", "", "1,3,12", "1,3,12"},
		{"1-3,12", "3", "", "1,12"},
		{"0-15", "0-15\n", "", ""},
		{"2,13-20,120", "1-1,3-3,11", "1,3,12", "12"},
		{"(null)\n", "nonsense", "1,3,12", "1,3,12"},
	};
	struct plane_isolation i;

	(void)state;
	for (size_t r = 0; r < TP_ARRAY_LEN(rows); r++) {
		plane_isolation_judge(&i, rows[r].isolated, rows[r].nohz_full, cores, 3);
		assert_string_equal(i.shared, rows[r].shared);
		assert_string_equal(i.ticking, rows[r].ticking);
		assert_int_equal(i.n_shared == 0, rows[r].shared[0] == '\0');
		assert_int_equal(i.n_ticking == 0, rows[r].ticking[0] == '\0');
	}
}

static void test_many_cores_are_cut(void **state)
{
	unsigned cores[64];
	struct plane_isolation i;

	(void)state;
	for (unsigned c = 0; c < 64; c++)
		cores[c] = 1000 + c;
	plane_isolation_judge(&i, "", "", cores, 64);
	assert_int_equal(i.n_shared, 64);
	assert_int_equal(strlen(i.shared), PLANE_ISOLATION_LIST_MAX - 1);
}

// As a card that strips tags, one that does not, and the virtual link of a container.
static void test_stripped_tags(void **state)
{
	struct steer_link l = {.name = "eth0"};
	char remedy[PLANE_REMEDY_MAX] = "";

	(void)state;
	assert_false(plane_advise_tags(&l, remedy));
	l.strips_tags = true;
	assert_true(plane_advise_tags(&l, remedy));
	assert_string_equal(remedy, "ethtool -K eth0 rxvlan off");
	l.has_vlans = true;
	assert_true(plane_advise_tags(&l, remedy));
	strcpy(l.kind, "veth");
	assert_true(plane_advise_tags(&l, remedy));
	assert_non_null(strstr(remedy, "txvlan off at the other end"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_stripped_tags),
		cmocka_unit_test(test_many_cores_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
