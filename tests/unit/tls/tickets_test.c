// SPDX-License-Identifier: BSD-3-Clause
// Tickets of sessions: their keys, and the contexts that may resume them.
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "world.h"

static uint64_t wall_s;

// The wall clock, so many periods ahead.
static uint64_t wall(void *ctx)
{
	int64_t periods = ctx == NULL ? 0 : *(const int64_t *)ctx;

	return wall_s + (uint64_t)(periods * (int64_t)TLS_TICKET_ROTATE_S);
}

static SSL_SESSION *session_of(struct tls_context *from, int version)
{
	SSL_SESSION *session;
	struct pair p;

	pair_init(&p, from);
	SSL_set_max_proto_version(p.client, version);
	assert_true(shake(&p));
	session = SSL_get1_session(p.client);
	// A session whose connection broke is not offered again.
	SSL_set_shutdown(p.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	pair_fini(&p);
	return session;
}

// Whether a session of one context is resumed by another.
static bool resumes(struct tls_context *from, struct tls_context *to, int version)
{
	SSL_SESSION *session = session_of(from, version);
	struct pair p;
	bool reused;

	pair_init(&p, to);
	SSL_set_max_proto_version(p.client, version);
	SSL_set_session(p.client, session);
	assert_true(shake(&p));
	reused = SSL_session_reused(p.client);
	SSL_SESSION_free(session);
	pair_fini(&p);
	return reused;
}

// A client that uses each ticket once, as RFC 8446 C.4 wants it, is resumed as often as it comes.
static void a_resumed_session_has_a_new_ticket(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(versions); i++) {
		SSL_SESSION *session = session_of(c, versions[i]);

		for (unsigned n = 0; n < 3; n++) {
			SSL_SESSION *next;
			struct pair p;

			pair_init(&p, c);
			SSL_set_max_proto_version(p.client, versions[i]);
			SSL_set_session(p.client, session);
			assert_true(shake(&p));
			assert_true(SSL_session_reused(p.client));
			next = SSL_get1_session(p.client);
			assert_true(SSL_SESSION_is_resumable(next));
			// In TLS 1.2 one ticket serves again and again.
			if (versions[i] == TLS1_3_VERSION)
				assert_ptr_not_equal(next, session);
			SSL_SESSION_free(session);
			session = next;
			SSL_set_shutdown(p.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
			pair_fini(&p);
		}
		SSL_SESSION_free(session);
	}
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

static void tickets_of_others_are_no_certificate(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *open = context_good(&ecdsa, 1, t);
	struct tls_context *closed = context_good(&ecdsa, 1, t);
	struct tls_error err;

	(void)state;
	assert_int_equal(tls_context_client_ca(closed, paths[RSA_PEM], &err), 0);
	for (size_t i = 0; i < TP_ARRAY_LEN(versions); i++) {
		SSL_SESSION *session = session_of(open, versions[i]);
		struct pair p;

		pair_init(&p, closed);
		SSL_set_max_proto_version(p.client, versions[i]);
		SSL_set_session(p.client, session);
		(void)shake(&p);
		assert_false(SSL_session_reused(p.server));
		assert_false(SSL_is_init_finished(p.server));
		SSL_SESSION_free(session);
		pair_fini(&p);
	}
	tls_context_unref(open);
	tls_context_unref(closed);
	tls_tickets_destroy(t);
}

// Two relays with seeds of 32 bytes, the second one's clock ahead.
static bool resumes_between(const char *seed, const char *other, int64_t periods, int version)
{
	struct tls_tickets *one = tls_tickets_create(seed, 32, wall, NULL);
	struct tls_tickets *two = tls_tickets_create(other, 32, wall, &periods);
	struct tls_context *a = context_good(&ecdsa, 1, one);
	struct tls_context *b = context_good(&ecdsa, 1, two);
	bool resumed = resumes(a, b, version);

	tls_context_unref(a);
	tls_context_unref(b);
	tls_tickets_destroy(one);
	tls_tickets_destroy(two);
	return resumed;
}

static void relays_with_a_seed_resume_sessions(void **state)
{
	static const char seed[] = "01234567890123456789012345678901";
	static const char other[] = "01234567890123456789012345678902";

	(void)state;
	wall_s = 1000 * TLS_TICKET_ROTATE_S;
	assert_true(resumes_between(seed, seed, 0, TLS1_2_VERSION));
	assert_true(resumes_between(seed, seed, 0, TLS1_3_VERSION));
	assert_false(resumes_between(seed, other, 0, TLS1_2_VERSION));
	assert_false(resumes_between(seed, other, 0, TLS1_3_VERSION));
}

static void keys_rotate(void **state)
{
	static const struct {
		int64_t periods;
		bool want;
	} rows[] = {{-2, false}, {-1, true}, {0, true}, {1, true}, {2, false}};
	static const char seed[TLS_TICKET_KEY_MIN] = "seed";

	(void)state;
	wall_s = 5000 * TLS_TICKET_ROTATE_S + 7;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		assert_int_equal(
			resumes_between(seed, seed, rows[i].periods, TLS1_3_VERSION), rows[i].want);
	assert_null(tls_tickets_create(seed, TLS_TICKET_KEY_MIN - 1, NULL, NULL));
}

// A reload takes another file over.
static void another_seed_makes_other_keys(void **state)
{
	static const char one[TLS_TICKET_KEY_MIN] = "one", two[TLS_TICKET_KEY_MIN] = "two";
	struct tls_tickets *a = tls_tickets_create(one, sizeof(one), wall, NULL);
	struct tls_tickets *b = tls_tickets_create(two, sizeof(two), wall, NULL);
	struct tls_context *from = context_good(&ecdsa, 1, a), *to = context_good(&ecdsa, 1, b);

	(void)state;
	assert_false(resumes(from, to, TLS1_3_VERSION));
	assert_false(tls_tickets_seed(b, one, sizeof(one) - 1));
	assert_false(tls_tickets_seed(b, two, sizeof(two)));
	assert_false(resumes(from, to, TLS1_3_VERSION));
	assert_true(tls_tickets_seed(b, one, sizeof(one)));
	assert_true(resumes(from, to, TLS1_3_VERSION));
	tls_context_unref(from);
	tls_context_unref(to);
	tls_tickets_destroy(a);
	tls_tickets_destroy(b);
}

static void seed_files(void **state)
{
	uint8_t seed[TLS_TICKET_KEY_MAX];
	struct tls_error err;
	size_t len;
	FILE *f;

	(void)state;
	assert_int_equal(tls_seed_read(paths[SEED], seed, &len, &err), -ENOENT);
	f = fopen(paths[SEED], "w");
	assert_non_null(f);
	fputs("0123456789012345678901234567890", f);
	fflush(f);
	assert_int_equal(chmod(paths[SEED], 0600), 0);
	assert_int_equal(tls_seed_read(paths[SEED], seed, &len, &err), -EINVAL);
	assert_non_null(strstr(err.problem, "fewer than 32"));
	fputs("1", f);
	fclose(f);
	assert_int_equal(tls_seed_read(paths[SEED], seed, &len, &err), 0);
	assert_int_equal(len, 32);
	assert_memory_equal(seed, "01234567890123456789012345678901", 32);
	assert_int_equal(chmod(paths[SEED], 0604), 0);
	assert_int_equal(tls_seed_read(paths[SEED], seed, &len, &err), -EPERM);
	// Nobody writes into it.
	assert_int_equal(tls_seed_read(paths[PIPE], seed, &len, &err), -EINVAL);
	assert_non_null(strstr(err.problem, "pipe: is no regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_resumed_session_has_a_new_ticket),
		cmocka_unit_test(tickets_of_others_are_no_certificate),
		cmocka_unit_test(relays_with_a_seed_resume_sessions),
		cmocka_unit_test(keys_rotate),
		cmocka_unit_test(another_seed_makes_other_keys),
		cmocka_unit_test(seed_files),
	};

	return cmocka_run_group_tests_name("tls tickets", tests, world_setup, world_teardown);
}
