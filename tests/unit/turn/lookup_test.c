// SPDX-License-Identifier: BSD-3-Clause
// Users that a directory knows: requests wait for its answer, and nothing it says or leaves unsaid
// does harm.
#include "harness.h"

#include <errno.h>
#include <pending.h>

#define DIRECTORY_USER	   "dora"
#define DIRECTORY_PASSWORD "explorer"

static void directory_start(struct fixture *f)
{
	harness_init(&f->h);
	f->h.realms[0].directory = true;
	f->h.many_replies = true;
	fixture_start(f);
	client_user(&f->c, DIRECTORY_USER, DIRECTORY_PASSWORD);
	client_challenge(&f->h, &f->c);
}

static struct turn_answer found(const char *password, uint32_t life_s)
{
	struct turn_answer answer = {.status = TURN_ANSWER_FOUND, .life_s = life_s};
	uint8_t key[16];

	msg_key(DIRECTORY_USER, REALM, password, key);
	answer.key = turn_key_md5(key);
	return answer;
}

// Answers the last question. The code of the answer to the client, 1: none.
static unsigned answer(struct fixture *f, const struct turn_answer *a, int expected)
{
	f->h.reply_len = 0;
	f->h.refusal.cause = TURN_REFUSED_NOT;
	assert_int_equal(turn_answer(f->h.s, f->h.now_ns, f->h.lookup.ticket, a), expected);
	harness_drain(&f->h);
	return f->h.reply_len == 0 ? 1 : reply_code(f->h.reply, f->h.reply_len);
}

static void allocate_write(struct fixture *f, struct msg *m)
{
	client_start(&f->c, m, MSG_ALLOCATE);
	msg_u32(m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	client_auth(&f->c, m);
}

static unsigned allocate(struct fixture *f)
{
	struct msg m;

	allocate_write(f, &m);
	return client_send(&f->h, &f->c, &m);
}

static const struct turn_counters *counters(const struct fixture *f)
{
	return turn_get_counters(f->h.s);
}

static void request_waits_for_its_answer(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 60);
	struct fixture f;

	(void)state;
	directory_start(&f);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(f.h.n_lookups, 1);
	assert_string_equal(f.h.lookup_key, DIRECTORY_USER);
	assert_string_equal(f.h.lookup.realm, REALM);
	assert_int_equal(f.h.lookup.kind, TURN_LOOKUP_NAME);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_true(reply_verifies(f.h.reply, f.h.reply_len, f.c.key));
	assert_int_equal(f.h.record.identity_kind, TURN_IDENTITY_DIRECTORY);
	assert_int_equal(turn_allocation_count(f.h.s), 1);
	// Cached, and the allocation has its key besides.
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 0);
	assert_int_equal(f.h.n_lookups, 1);
	harness_stop(&f.h);
}

static void retransmissions_join(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 60);
	struct fixture f;
	unsigned replies;
	struct msg m;

	(void)state;
	directory_start(&f);
	replies = f.h.n_replies;
	allocate_write(&f, &m);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(client_send(&f.h, &f.c, &m), 1);
	assert_int_equal(f.h.n_lookups, 1);
	assert_int_equal(counters(&f)->pending_joined, 4);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_int_equal(f.h.n_replies, replies + 1);
	// From now on it is a retransmission of an answered one.
	assert_int_equal(client_send(&f.h, &f.c, &m), 0);
	assert_int_equal(counters(&f)->retransmissions, 1);
	harness_stop(&f.h);
}

static void one_question_serves_all_clients_of_a_user(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 0);
	struct fixture f;
	unsigned replies;

	(void)state;
	directory_start(&f);
	for (uint16_t port = 6000; port < 6010; port++) {
		client_init(&f.c, 0xc6336401, port);
		client_user(&f.c, DIRECTORY_USER, DIRECTORY_PASSWORD);
		client_challenge(&f.h, &f.c);
		assert_int_equal(allocate(&f), 1);
	}
	replies = f.h.n_replies;
	assert_int_equal(f.h.n_lookups, 1);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_int_equal(f.h.n_replies, replies + 10);
	assert_int_equal(turn_allocation_count(f.h.s), 10);
	// Without a life it is asked again.
	client_init(&f.c, 0xc6336401, 7000);
	client_user(&f.c, DIRECTORY_USER, DIRECTORY_PASSWORD);
	client_challenge(&f.h, &f.c);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(f.h.n_lookups, 2);
	harness_stop(&f.h);
}

static void answers_end_in_their_code(void **state)
{
	struct turn_answer unknown = {.status = TURN_ANSWER_UNKNOWN, .life_s = 10};
	struct turn_answer failed = {.status = TURN_ANSWER_FAILED, .life_s = 10};
	struct turn_answer wrong = found("another password", 10);
	struct fixture f;

	(void)state;
	directory_start(&f);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &failed, 0), 500);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_DIRECTORY);
	// A failure is not cached.
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &unknown, 0), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_UNKNOWN_USER);
	assert_int_equal(allocate(&f), 401);
	assert_int_equal(f.h.n_lookups, 2);
	harness_sleep(&f.h, 10 * SECOND);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &wrong, 0), 401);
	assert_int_equal(f.h.refusal.cause, TURN_REFUSED_INTEGRITY);
	assert_int_equal(allocate(&f), 401);
	assert_int_equal(f.h.n_lookups, 3);
	harness_stop(&f.h);
}

// A life ends, and no answer lives longer than the bound.
static void lives_end(void **state)
{
	static const uint32_t rows[][2] = {{20, 20}, {UINT32_MAX, 3600}};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		const struct turn_answer good = found(DIRECTORY_PASSWORD, rows[i][0]);
		struct fixture f;

		directory_start(&f);
		assert_int_equal(allocate(&f), 1);
		assert_int_equal(answer(&f, &good, 0), 0);
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
		harness_sleep(&f.h, (rows[i][1] - 1) * SECOND);
		client_challenge(&f.h, &f.c);
		assert_int_equal(allocate(&f), 0);
		assert_int_equal(counters(&f)->directory_cached, 1);
		assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
		harness_sleep(&f.h, SECOND);
		assert_int_equal(allocate(&f), 1);
		assert_int_equal(f.h.n_lookups, 2);
		harness_stop(&f.h);
	}
}

static void forgotten_when_told(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 1000);
	const struct turn_answer unknown = {.status = TURN_ANSWER_UNKNOWN, .life_s = 200};
	struct fixture f;

	(void)state;
	directory_start(&f);
	assert_int_equal(turn_forget(f.h.s, 77, DIRECTORY_USER, 4), -ENOENT);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &unknown, 0), 401);
	assert_int_equal(turn_forget(f.h.s, 0, DIRECTORY_USER, 4), 0);
	assert_int_equal(allocate(&f), 1);
	// While the question is under way: its answer serves the waiting requests, and is not
	// cached.
	assert_int_equal(turn_forget(f.h.s, 0, DIRECTORY_USER, 4), 0);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_int_equal(turn_forget(f.h.s, 0, DIRECTORY_USER, 4), 0);
	// The allocation goes on, by the key it was made with.
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(f.h.n_lookups, 4);
	harness_stop(&f.h);
}

// A reload names another database, or other lives.
static void another_source_is_asked(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 1000);
	const struct turn_answer unknown = {.status = TURN_ANSWER_UNKNOWN, .life_s = 200};
	struct fixture f;

	(void)state;
	directory_start(&f);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &unknown, 0), 401);
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(allocate(&f), 401);
	f.h.realms[0].source = 1;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	f.h.realms[0].source = 2;
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(f.h.n_lookups, 3);
	harness_stop(&f.h);
}

// The answer comes never, or too late.
static void deadline_answers_500(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 1000);
	struct fixture f;

	(void)state;
	directory_start(&f);
	assert_int_equal(allocate(&f), 1);
	f.h.reply_len = 0;
	harness_sleep(&f.h, (TURN_LOOKUP_S + 1) * SECOND);
	assert_int_equal(reply_code(f.h.reply, f.h.reply_len), 500);
	assert_int_equal(counters(&f)->lookups_expired, 1);
	assert_int_equal(answer(&f, &good, -ESTALE), 1);
	assert_int_equal(counters(&f)->answers_stale, 1);
	assert_int_equal(turn_allocation_count(f.h.s), 0);
	assert_int_equal(allocate(&f), 1);
	harness_stop(&f.h);
}

// The nonce was good when the request came; the look-up took its last second.
static void nonce_may_end_while_waiting(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 1000);
	struct fixture f;

	(void)state;
	directory_start(&f);
	harness_sleep(&f.h, 598 * SECOND);
	assert_int_equal(allocate(&f), 1);
	harness_sleep(&f.h, 3 * SECOND);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 600), 438);
	harness_stop(&f.h);
}

// A ban of the client comes before the answer.
static void banned_clients_hear_nothing(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 60);
	struct turn_ban ban = {.kind = TURN_BAN_PREFIX};
	uint32_t index = TURN_BANS_MAX;
	struct fixture f;

	(void)state;
	directory_start(&f);
	ban.until_s = f.h.wall_s + 100;
	ban.prefix = text_cidr_make(&f.c.tuple.remote, 32);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(turn_ban_add(f.h.s, f.h.now_ns, f.h.wall_s, &ban, &index), 0);
	assert_int_equal(answer(&f, &good, 0), 1);
	assert_int_equal(counters(&f)->banned, 1);
	assert_int_equal(turn_allocation_count(f.h.s), 0);
	harness_stop(&f.h);
}

// Nobody makes the directory work without a nonce of ours.
static void stale_nonce_asks_nothing(void **state)
{
	struct fixture f;

	(void)state;
	directory_start(&f);
	f.c.nonce[30] ^= 1;
	assert_int_equal(allocate(&f), 438);
	assert_int_equal(f.h.n_lookups, 0);
	harness_stop(&f.h);
}

static void lies_do_no_harm(void **state)
{
	struct turn_answer bad[5], good = found(DIRECTORY_PASSWORD, 1000);
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].key.len = 255;
	bad[1].key.len = 15;
	bad[2].key.algorithm = TURN_KEY_SHA256;
	bad[3].key.algorithm = TURN_KEY_NONE;
	bad[4].status = 9;
	directory_start(&f);
	for (size_t i = 0; i < TP_ARRAY_LEN(bad); i++) {
		assert_int_equal(allocate(&f), 1);
		assert_int_equal(answer(&f, &bad[i], -EINVAL), 500);
		// Twice.
		assert_int_equal(answer(&f, &good, -ESTALE), 1);
	}
	assert_int_equal(counters(&f)->answers_bad, TP_ARRAY_LEN(bad));
	assert_int_equal(allocate(&f), 1);
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t ticket = f.h.lookup.ticket ^ UINT64_C(1) << bit;

		assert_int_equal(turn_answer(f.h.s, f.h.now_ns, ticket, &good), -ESTALE);
	}
	assert_int_equal(turn_answer(f.h.s, f.h.now_ns, 0, &good), -ESTALE);
	assert_int_equal(answer(&f, &good, 0), 0);
	harness_stop(&f.h);
}

// A ticket of the process before is none of this one's.
static void restart_takes_no_old_ticket(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 1000);
	struct fixture f;
	uint64_t ticket;

	(void)state;
	directory_start(&f);
	assert_int_equal(allocate(&f), 1);
	ticket = f.h.lookup.ticket;
	harness_restart(&f.h);
	assert_int_equal(allocate(&f), 1);
	assert_true(f.h.lookup.ticket != ticket);
	assert_int_equal(turn_answer(f.h.s, f.h.now_ns, ticket, &good), -ESTALE);
	harness_stop(&f.h);
}

static unsigned stranger(struct fixture *f, uint32_t ip, uint16_t port, const char *name)
{
	client_init(&f->c, ip, port);
	client_user(&f->c, name, "guessed");
	client_challenge(&f->h, &f->c);
	return allocate(f);
}

static void pool_is_shared_and_bounded(void **state)
{
	struct fixture f;
	unsigned n = 0;
	char name[32];

	(void)state;
	directory_start(&f);
	// One 5-tuple.
	for (unsigned i = 0; i < TURN_PENDING_CLIENT_MAX + 3; i++)
		assert_int_equal(allocate(&f), 1);
	assert_int_equal(counters(&f)->pending_share, 3);
	// One prefix.
	for (uint16_t port = 7000; port < 7000 + TURN_PENDING_PREFIX_MAX; port++) {
		snprintf(name, sizeof(name), "name%u", port);
		assert_int_equal(stranger(&f, 0xc6336409, port, name), 1);
	}
	assert_int_equal(counters(&f)->pending_share, 3 + TURN_PENDING_CLIENT_MAX);
	// All.
	for (uint32_t ip = 0x0a000100; ip < 0x0a000100 + 0x100 * TURN_PENDING_MAX; ip += 0x100) {
		snprintf(name, sizeof(name), "name%u", n++);
		assert_int_equal(stranger(&f, ip, 1000, name), 1);
	}
	assert_int_equal(counters(&f)->pending_full, TURN_PENDING_PREFIX_MAX);
	// Users of the configuration do not wait.
	client_init(&f.c, 0xc6336401, 9000);
	assert_int_equal(client_allocate(&f.h, &f.c, 0), 0);
	// All of it comes free.
	harness_sleep(&f.h, (TURN_LOOKUP_S + 1) * SECOND);
	assert_int_equal(stranger(&f, 0xc6336409, 7000, "name"), 1);
	assert_int_equal(counters(&f)->pending_full, TURN_PENDING_PREFIX_MAX);
	harness_stop(&f.h);
}

// The budget of the day before is none of a user that waits for an answer.
static void budgets_are_of_the_day(void **state)
{
	const struct turn_answer good = found(DIRECTORY_PASSWORD, 0);
	struct turn_budget_view view;
	struct fixture f;

	(void)state;
	directory_start(&f);
	f.h.realms[0].budget = (struct turn_budget_conf){.octets = 600, .period = TURN_BUDGET_DAY};
	assert_int_equal(turn_reconfigure(f.h.s, &f.h.conf), 0);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &good, 0), 0);
	assert_int_equal(client_refresh(&f.h, &f.c, 0), 0);
	assert_int_equal(
		turn_charge_ended(f.h.s, f.h.wall_s, &f.h.record, 600, &view), TURN_CHARGED_SPENT);
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &good, 0), 486);
	f.h.wall_s += 86400;
	assert_int_equal(allocate(&f), 1);
	assert_int_equal(answer(&f, &good, 0), 0);
	harness_stop(&f.h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_waits_for_its_answer),
		cmocka_unit_test(retransmissions_join),
		cmocka_unit_test(one_question_serves_all_clients_of_a_user),
		cmocka_unit_test(answers_end_in_their_code),
		cmocka_unit_test(lives_end),
		cmocka_unit_test(forgotten_when_told),
		cmocka_unit_test(another_source_is_asked),
		cmocka_unit_test(deadline_answers_500),
		cmocka_unit_test(nonce_may_end_while_waiting),
		cmocka_unit_test(banned_clients_hear_nothing),
		cmocka_unit_test(stale_nonce_asks_nothing),
		cmocka_unit_test(lies_do_no_harm),
		cmocka_unit_test(restart_takes_no_old_ticket),
		cmocka_unit_test(pool_is_shared_and_bounded),
		cmocka_unit_test(budgets_are_of_the_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
