// SPDX-License-Identifier: BSD-3-Clause
// Budgets of bytes at a virtual time: periods, and the end or the cap of calls when one is spent.
#include "harness.h"

#include <errno.h>

#define DAY   86400ull
#define MONTH (31 * DAY)
// 2027-01-15 08:00:00, a Friday.
#define NOON  1800000000ull
// 2024-02-28 23:00:00
#define LEAP  1709161200ull

static uint64_t at(uint64_t day, unsigned hour)
{
	return day * DAY + hour * 3600ull;
}

static void periods_are_of_utc(void **state)
{
	static const struct {
		struct turn_budget_conf conf;
		uint64_t now, since, until;
	} rows[] = {
		{{.period = TURN_BUDGET_DAY}, NOON, NOON - 8 * 3600, NOON + 16 * 3600},
		{{.period = TURN_BUDGET_DAY, .start = 8}, NOON, NOON, NOON + DAY},
		{{.period = TURN_BUDGET_DAY, .start = 9}, NOON, NOON + 3600 - DAY, NOON + 3600},
		{{.period = TURN_BUDGET_DAY, .start = 23}, 5, 0, 23 * 3600},
		// 2027-01-01 to 2027-02-01
		{{.period = TURN_BUDGET_MONTH}, NOON, 1798761600, 1801440000},
		{{.period = TURN_BUDGET_MONTH, .start = 1}, NOON, 1798761600, 1801440000},
		// 2027-01-15 to 2027-02-15; 2026-12-16 to 2027-01-16
		{{.period = TURN_BUDGET_MONTH, .start = 15}, NOON, 1799971200, 1802649600},
		{{.period = TURN_BUDGET_MONTH, .start = 16}, NOON, 1797379200, 1800057600},
		// 2024-02-28 to 2024-03-28, over a leap day; 2024-02-01 to 2024-03-01
		{{.period = TURN_BUDGET_MONTH, .start = 28}, LEAP, 1709078400, 1711584000},
		{{.period = TURN_BUDGET_MONTH}, LEAP, 1706745600, 1709251200},
		{{.period = TURN_BUDGET_MONTH}, 0, 0, MONTH},
		{{.period = TURN_BUDGET_MONTH, .start = 5}, 7, 0, 4 * DAY},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		if (turn_budget_since_s(&rows[i].conf, rows[i].now) != rows[i].since ||
			turn_budget_until_s(&rows[i].conf, rows[i].now) != rows[i].until)
			fail_msg("row %zu: %llu to %llu", i,
				(unsigned long long)turn_budget_since_s(&rows[i].conf, rows[i].now),
				(unsigned long long)turn_budget_until_s(
					&rows[i].conf, rows[i].now));
	}
}

// Each second is in one period, and the next one begins at its end.
static void periods_have_no_gaps(void **state)
{
	(void)state;
	for (unsigned start = 0; start <= 28; start++) {
		const struct turn_budget_conf month = {.start = start};
		uint64_t since_s = turn_budget_since_s(&month, 0), until_s;
		unsigned n = 0;

		for (uint64_t day = 0; day < 365 * 140; day++) {
			uint64_t now_s = at(day, 13);

			until_s = turn_budget_until_s(&month, now_s);
			assert_true(turn_budget_since_s(&month, now_s) <= now_s && now_s < until_s);
			assert_int_equal(turn_budget_since_s(&month, until_s), until_s);
			assert_int_equal(turn_budget_since_s(&month, until_s - 1),
				turn_budget_since_s(&month, now_s));
			n += since_s != turn_budget_since_s(&month, now_s);
			since_s = turn_budget_since_s(&month, now_s);
		}
		assert_in_range(n, 12 * 139, 12 * 140);
	}
}

// ---- with a server ------------------------------------------------------------------------------

static void budget_start(struct fixture *f, uint64_t octets)
{
	harness_init(&f->h);
	f->h.realms[0].budget =
		(struct turn_budget_conf){.octets = octets, .period = TURN_BUDGET_DAY};
	fixture_start(f);
	client_init(&f->c, 0xc6336401, 4000);
	assert_int_equal(client_allocate(&f->h, &f->c, 3600), 0);
	f->ref = client_allocation(&f->h, &f->c)->ref;
}

static enum turn_charged charge(struct fixture *f, uint64_t octets, struct turn_budget_view *view)
{
	enum turn_charged charged =
		turn_charge(f->h.s, f->h.now_ns, f->h.wall_s, f->ref, octets, view);

	harness_drain(&f->h);
	return charged;
}

static uint64_t octets_of(const struct fixture *f, const char *name)
{
	struct turn_budget_view view;
	uint32_t cursor = 0;

	while (turn_budget_next(f->h.s, f->h.wall_s, &cursor, &view)) {
		if (view.record.name_len == strlen(name) &&
			memcmp(view.record.name, name, strlen(name)) == 0)
			return view.record.octets;
	}
	return 0;
}

static void a_spent_budget_ends_calls(void **state)
{
	struct turn_budget_view view;
	struct client other;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	assert_int_equal(charge(&f, 899, &view), TURN_CHARGED);
	assert_int_equal(charge(&f, 1, &view), TURN_CHARGED_NEAR);
	assert_int_equal(charge(&f, 99, &view), TURN_CHARGED);
	assert_int_equal(f.h.n_closed, 0);
	assert_int_equal(charge(&f, 7, &view), TURN_CHARGED_SPENT);
	assert_int_equal(view.record.octets, 1006);
	assert_int_equal(view.limit, 1000);
	assert_int_equal(view.until_s, f.h.wall_s + 16 * 3600);
	assert_memory_equal(view.record.name, USER, strlen(USER));
	assert_int_equal(f.h.n_closed, 1);
	assert_int_equal(f.h.reason, TURN_CLOSE_BUDGET);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 437);
	// A new one is refused until the period is over; another user's is not.
	client_init(&f.c, 0xc6336401, 4001);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_BUDGET);
	client_init(&other, 0xc6336402, 4000);
	client_user(&other, "bob", "builder");
	assert_int_equal(client_allocate(&f.h, &other, 0), 0);
	f.h.wall_s += 16 * 3600 - 1;
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	f.h.wall_s++;
	assert_int_equal(octets_of(&f, USER), 0);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

// The other calls of the user end when they are charged, even with nothing.
static void all_calls_of_the_user_end(void **state)
{
	struct turn_budget_view view;
	struct client second;
	struct fixture f;
	uint32_t ref;

	(void)state;
	budget_start(&f, 1000);
	client_init(&second, 0xc6336402, 4000);
	assert_int_equal(client_allocate(&f.h, &second, 3600), 0);
	ref = client_allocation(&f.h, &second)->ref;
	assert_int_equal(charge(&f, 2000, &view), TURN_CHARGED_SPENT);
	assert_int_equal(turn_allocation_count(f.h.s), 1);
	f.ref = ref;
	assert_int_equal(charge(&f, 0, &view), TURN_CHARGED);
	assert_int_equal(turn_allocation_count(f.h.s), 0);
	harness_stop(&f.h);
}

static const struct turn_limit *user_limit(const struct fixture *f)
{
	const struct fake_allocation *a = client_allocation(&f->h, &f->c);
	const struct turn_limit *l = a->limit != 0 ? fake_store_limit(&f->h.store, a->limit) : NULL;

	return l != NULL && l->parent != 0 ? fake_store_limit(&f->h.store, l->parent) : NULL;
}

static void a_spent_budget_caps_calls(void **state)
{
	static const struct turn_cap cap = {.bits_per_s = 64000, .burst_bits = 2560};
	struct turn_realm_conf realm;
	struct turn_budget_view view;
	struct turn_conf conf;
	struct fixture f;

	(void)state;
	harness_init(&f.h);
	f.h.realms[0].budget =
		(struct turn_budget_conf){.octets = 1000, .period = TURN_BUDGET_DAY, .cap = cap};
	fixture_start(&f);
	client_init(&f.c, 0xc6336401, 4000);
	assert_int_equal(client_allocate(&f.h, &f.c, 3600), 0);
	f.ref = client_allocation(&f.h, &f.c)->ref;
	assert_null(user_limit(&f));
	assert_int_equal(charge(&f, 1000, &view), TURN_CHARGED_SPENT);
	assert_int_equal(f.h.n_closed, 0);
	assert_non_null(user_limit(&f));
	assert_memory_equal(&user_limit(&f)->cap, &cap, sizeof(cap));
	// A larger budget lifts it, as the next period does.
	conf = f.h.conf;
	realm = f.h.realms[0];
	realm.budget.octets = 5000;
	conf.realms = &realm;
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	assert_int_equal(charge(&f, 0, &view), TURN_CHARGED);
	assert_null(user_limit(&f));
	assert_int_equal(charge(&f, 4000, &view), TURN_CHARGED_SPENT);
	assert_non_null(user_limit(&f));
	f.h.wall_s += DAY;
	assert_int_equal(charge(&f, 0, &view), TURN_CHARGED);
	assert_null(user_limit(&f));
	// A lower cap of the user's own stays.
	realm.user_cap = (struct turn_cap){.bits_per_s = 9000, .burst_bits = 360};
	assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
	assert_int_equal(charge(&f, 5000, &view), TURN_CHARGED_SPENT);
	assert_int_equal(user_limit(&f)->cap.bits_per_s, 9000);
	harness_stop(&f.h);
}

// Nobody charges allocations where no realm has a budget: the reload itself lifts the cap.
static void a_budget_leaves_with_its_cap(void **state)
{
	static const struct turn_cap cap = {.bits_per_s = 64000, .burst_bits = 2560};
	static const struct turn_cap own = {.bits_per_s = 900000, .burst_bits = 36000};
	const struct turn_budget_conf without[] = {{.cap = cap}, {.octets = 0}};

	(void)state;
	for (size_t i = 0; i < 2 * TP_ARRAY_LEN(without); i++) {
		bool has_own = i >= TP_ARRAY_LEN(without);
		struct turn_realm_conf realm;
		struct turn_budget_view view;
		struct turn_conf conf;
		struct fixture f;

		harness_init(&f.h);
		f.h.realms[0].budget = (struct turn_budget_conf){
			.octets = 1000, .period = TURN_BUDGET_DAY, .cap = cap};
		if (has_own)
			f.h.realms[0].user_cap = own;
		fixture_start(&f);
		client_init(&f.c, 0xc6336401, 4000);
		assert_int_equal(client_allocate(&f.h, &f.c, 3600), 0);
		f.ref = client_allocation(&f.h, &f.c)->ref;
		assert_int_equal(charge(&f, 1000, &view), TURN_CHARGED_SPENT);
		assert_memory_equal(&user_limit(&f)->cap, &cap, sizeof(cap));
		conf = f.h.conf;
		realm = f.h.realms[0];
		realm.budget = without[i % TP_ARRAY_LEN(without)];
		conf.realms = &realm;
		assert_int_equal(turn_reconfigure(f.h.s, &conf), 0);
		turn_advance(f.h.s, f.h.now_ns, 100);
		if (has_own)
			assert_memory_equal(&user_limit(&f)->cap, &own, sizeof(own));
		else
			assert_null(user_limit(&f));
		harness_stop(&f.h);
	}
}

static void an_ended_call_is_charged(void **state)
{
	struct turn_budget_view view;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	assert_int_equal(charge(&f, 400, &view), TURN_CHARGED);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(
		turn_charge_ended(f.h.s, f.h.wall_s, &f.h.record, 600, &view), TURN_CHARGED_SPENT);
	assert_int_equal(octets_of(&f, USER), 1000);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	harness_stop(&f.h);
}

// A time-limited credential counts for the name behind its time.
static void credentials_of_a_name_are_one_user(void **state)
{
	struct turn_budget_view view;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	client_init(&f.c, 0xc6336405, 4000);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 600, "carol");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	f.ref = client_allocation(&f.h, &f.c)->ref;
	assert_int_equal(charge(&f, 1500, &view), TURN_CHARGED_SPENT);
	assert_int_equal(octets_of(&f, "carol"), 1500);
	client_init(&f.c, 0xc6336405, 4001);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 700, "carol");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	client_rest_user(&f.c, "new secret", f.h.wall_s + 700, "dave");
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

static unsigned reset(const struct fixture *f, uint16_t realm_id, const char *name)
{
	uint32_t cursor = 0, index;
	unsigned n = 0;

	while (turn_budget_reset(f->h.s, realm_id, name, strlen(name), &cursor, &index))
		n++;
	return n;
}

static void a_reset_begins_anew(void **state)
{
	struct turn_budget_view view;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	assert_int_equal(charge(&f, 1500, &view), TURN_CHARGED_SPENT);
	assert_int_equal(reset(&f, 0, "nobody"), 0);
	assert_int_equal(reset(&f, 1, USER), 0);
	assert_int_equal(reset(&f, 0, USER), 1);
	assert_int_equal(reset(&f, 0, USER), 0);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	harness_stop(&f.h);
}

// Writes all places; how many have changed.
static unsigned changes(struct fixture *f, struct turn_budget_record *rec)
{
	uint32_t cursor = 0, index;
	unsigned budget = 100, n = 0;

	while (turn_budget_changed(f->h.s, f->h.wall_s, &cursor, &budget, &index, rec))
		n++;
	return n;
}

// A clock that goes back loses nothing: hours, or to 1970 as a host without a battery.
static void clocks_go_back(void **state)
{
	static const uint64_t wrong[] = {NOON - 9 * 3600, 40 * DAY, 5};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(wrong); i++) {
		struct turn_budget_record rec;
		struct turn_budget_view view;
		struct fixture f;
		uint64_t wall_s;

		budget_start(&f, 1000);
		wall_s = f.h.wall_s;
		assert_int_equal(charge(&f, 500, &view), TURN_CHARGED);
		f.h.wall_s = wrong[i];
		assert_int_equal(octets_of(&f, USER), 500);
		assert_int_equal(charge(&f, 100, &view), TURN_CHARGED);
		assert_int_equal(changes(&f, &rec), 1);
		assert_int_equal(rec.octets, 600);
		f.h.wall_s = wall_s + 3600;
		assert_int_equal(octets_of(&f, USER), 600);
		assert_int_equal(charge(&f, 100, &view), TURN_CHARGED);
		assert_int_equal(octets_of(&f, USER), 700);
		assert_int_equal(changes(&f, &rec), 1);
		assert_int_equal(rec.early_until_s, 0);
		f.h.wall_s = wall_s + DAY;
		assert_int_equal(octets_of(&f, USER), 0);
		harness_stop(&f.h);
	}
}

// A count of a clock that had been years ahead ends with the right one's period, also where the
// user relays no more, and where the process restarts.
static void a_count_from_the_future_ends(void **state)
{
	struct turn_budget_record rec;
	struct turn_budget_view view;
	struct fixture f;
	uint64_t wall_s;

	(void)state;
	budget_start(&f, 1000);
	wall_s = f.h.wall_s;
	f.h.wall_s = wall_s + 3650 * DAY;
	assert_int_equal(charge(&f, 300, &view), TURN_CHARGED);
	assert_int_equal(changes(&f, &rec), 1);
	f.h.wall_s = wall_s;
	assert_int_equal(changes(&f, &rec), 1);
	assert_int_equal(rec.octets, 300);
	assert_int_equal(rec.early_until_s, wall_s + 16 * 3600);
	assert_int_equal(changes(&f, &rec), 0);
	harness_restart(&f.h);
	assert_int_equal(turn_budget_restore(f.h.s, 0, &rec), 0);
	assert_int_equal(octets_of(&f, USER), 300);
	f.h.wall_s = wall_s + 16 * 3600;
	assert_int_equal(octets_of(&f, USER), 0);
	assert_int_equal(charge(&f, 100, &view), TURN_CHARGED);
	assert_int_equal(octets_of(&f, USER), 100);
	assert_int_equal(changes(&f, &rec), 1);
	assert_int_equal(rec.since_s, wall_s + 16 * 3600);
	harness_stop(&f.h);
}

// The walk stops at the number of places, with and without an allocation, and of entries.
static void a_walk_is_bounded(void **state)
{
	struct client clients[8];
	uint32_t cursor = 0, ref;
	unsigned n = 0, budget;
	uint64_t created_ns;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	for (size_t i = 0; i < TP_ARRAY_LEN(clients); i++) {
		client_init(&clients[i], 0xc6336402, (uint16_t)(4000 + i));
		assert_int_equal(client_allocate(&f.h, &clients[i], 600), 0);
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(clients) - 1; i++)
		assert_int_equal(client_refresh(&f.h, &clients[i], 0), 0);
	do {
		uint32_t from = cursor;

		budget = 2;
		while (turn_charge_next(f.h.s, &cursor, &budget, &ref, &created_ns))
			n++;
		assert_true(cursor <= from + 2);
	} while (budget == 0);
	assert_int_equal(n, 2);
	for (unsigned i = 0; i < 3; i++) {
		const struct tp_addr peer = tp_addr_ipv4(0x08080808 + i, 4000);

		assert_int_equal(client_permit(&f.h, &f.c, &peer), 0);
	}
	cursor = 0;
	budget = 5;
	assert_true(turn_charge_next(f.h.s, &cursor, &budget, &ref, &created_ns));
	assert_int_equal(budget, 1);
	cursor = 0;
	budget = 2;
	assert_true(turn_charge_next(f.h.s, &cursor, &budget, &ref, &created_ns));
	assert_int_equal(budget, 0);
	harness_stop(&f.h);
}

// ---- the file's side ----------------------------------------------------------------------------

static void changes_are_handed_out_once(void **state)
{
	struct turn_budget_record rec;
	struct turn_budget_view view;
	uint32_t cursor = 0, index;
	unsigned budget = 100;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	assert_int_equal(charge(&f, 500, &view), TURN_CHARGED);
	assert_true(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	assert_int_equal(index, 0);
	assert_int_equal(rec.octets, 500);
	assert_false(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	cursor = 0;
	assert_false(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	turn_budget_not_written(f.h.s, 0);
	cursor = 0;
	assert_true(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	// After the period the place is given back.
	f.h.wall_s += DAY;
	cursor = 0;
	assert_true(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	assert_int_equal(rec.name_len, 0);
	cursor = 0;
	assert_false(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	// A record that could not be cleared is handed out until it is.
	for (unsigned i = 0; i < 2; i++) {
		turn_budget_not_written(f.h.s, 0);
		cursor = 0;
		assert_true(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
		assert_true(index == 0 && rec.name_len == 0);
	}
	cursor = 0;
	assert_false(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	// No budget, no look.
	budget = 0;
	turn_budget_not_written(f.h.s, 0);
	assert_false(turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec));
	harness_stop(&f.h);
}

static void counts_are_put_back(void **state)
{
	struct turn_budget_record rec = {
		.octets = 1000, .kind = TURN_IDENTITY_STATIC, .name_len = 5};
	struct turn_budget_record other;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	rec.since_s = f.h.wall_s - 8 * 3600;
	memcpy(rec.name, USER, 5);
	other = rec;
	assert_int_equal(turn_budget_restore(f.h.s, 9, &rec), 0);
	assert_int_equal(octets_of(&f, USER), 1000);
	client_init(&f.c, 0xc6336401, 4001);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 486);
	// The place is taken; there is no such realm, or kind.
	other.name[0] = 'b';
	assert_int_equal(turn_budget_restore(f.h.s, 9, &other), -EINVAL);
	other.realm_id = 77;
	assert_int_equal(turn_budget_restore(f.h.s, 10, &other), -EINVAL);
	other.realm_id = 0;
	other.kind = 99;
	assert_int_equal(turn_budget_restore(f.h.s, 10, &other), -EINVAL);
	other.kind = TURN_IDENTITY_STATIC;
	assert_int_equal(turn_budget_restore(f.h.s, TURN_BUDGETS_MAX, &other), -ENOSPC);
	// An older record of the same user counts for nothing.
	rec.since_s -= DAY;
	rec.octets = 7;
	assert_int_equal(turn_budget_restore(f.h.s, 3, &rec), 0);
	assert_int_equal(octets_of(&f, USER), 1000);
	harness_stop(&f.h);
}

// Users beyond the places are served, and not counted.
static void places_are_bounded(void **state)
{
	struct turn_budget_record rec = {
		.octets = 1, .kind = TURN_IDENTITY_DIRECTORY, .name_len = 4};
	struct turn_budget_view view;
	struct fixture f;

	(void)state;
	budget_start(&f, 1000);
	rec.since_s = f.h.wall_s;
	for (uint32_t i = 0; i < TURN_BUDGETS_MAX; i++) {
		memcpy(rec.name, &i, 4);
		assert_int_equal(turn_budget_restore(f.h.s, i, &rec), 0);
	}
	assert_int_equal(charge(&f, 5000, &view), TURN_CHARGED_FULL);
	assert_int_equal(f.h.n_closed, 0);
	f.h.wall_s += DAY;
	for (uint32_t cursor = 0, index; cursor < TURN_BUDGETS_MAX;) {
		unsigned budget = 1000;

		while (turn_budget_changed(f.h.s, f.h.wall_s, &cursor, &budget, &index, &rec))
			assert_int_equal(rec.name_len, 0);
	}
	assert_int_equal(charge(&f, 5000, &view), TURN_CHARGED_SPENT);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(periods_are_of_utc),
		cmocka_unit_test(periods_have_no_gaps),
		cmocka_unit_test(a_spent_budget_ends_calls),
		cmocka_unit_test(all_calls_of_the_user_end),
		cmocka_unit_test(a_spent_budget_caps_calls),
		cmocka_unit_test(a_budget_leaves_with_its_cap),
		cmocka_unit_test(an_ended_call_is_charged),
		cmocka_unit_test(credentials_of_a_name_are_one_user),
		cmocka_unit_test(a_reset_begins_anew),
		cmocka_unit_test(clocks_go_back),
		cmocka_unit_test(a_count_from_the_future_ends),
		cmocka_unit_test(a_walk_is_bounded),
		cmocka_unit_test(changes_are_handed_out_once),
		cmocka_unit_test(counts_are_put_back),
		cmocka_unit_test(places_are_bounded),
	};

	return cmocka_run_group_tests_name("turn budget", tests, NULL, NULL);
}
