// SPDX-License-Identifier: BSD-3-Clause
// Certificates, versions, ciphers and ALPN, with a client of the same library.
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificate.h"
#include "world.h"

// ---- certificates ------------------------------------------------------------------------------

// As a program that writes the file leaves it for a moment.
static void half_make(void)
{
	char text[300];
	FILE *from = fopen(paths[ECDSA_PEM], "r"), *to = fopen(paths[HALF], "w");

	assert_true(from != NULL && to != NULL);
	assert_int_equal(fread(text, 1, sizeof(text), from), sizeof(text));
	assert_int_equal(fwrite(text, 1, sizeof(text), to), sizeof(text));
	fclose(from);
	fclose(to);
	assert_int_equal(chmod(paths[HALF], 0600), 0);
}

static void mistakes_are_named(void **state)
{
	static const char directory[] = "/tmp";
	const struct {
		struct tls_pair pairs[2];
		size_t n;
		const char *problem;
		const char *remedy;
	} rows[] = {
		{{{paths[ECDSA_PEM], paths[RSA_KEY]}}, 1, "rsa.key: the key is not that",
			"made together"},
		{{{paths[ECDSA_PEM], paths[OLD_KEY]}}, 1, "old.key: the key is not that",
			"made together"},
		{{{paths[SEED], paths[ECDSA_KEY]}}, 1, "seed: No such file", "may read"},
		{{{paths[ECDSA_KEY], paths[ECDSA_KEY]}}, 1,
			"ecdsa.key: holds no certificate in PEM", "may read"},
		{{{paths[ECDSA_PEM], paths[HALF]}}, 1, "half.pem: holds no key in PEM without",
			"may read"},
		{{{paths[HALF], paths[ECDSA_KEY]}}, 1, "half.pem: is cut off", "may read"},
		{{{directory, paths[ECDSA_KEY]}}, 1, "is no regular file", "may read"},
		{{ecdsa, {paths[OLD_PEM], paths[OLD_KEY]}}, 2, "old.pem: a second certificate",
			"one certificate of each kind"},
		{{{paths[OLD_PEM], paths[OLD_KEY]}}, 1, "old.pem: the certificate expired on 20",
			"renew it"},
		{{{paths[EARLY_PEM], paths[EARLY_KEY]}}, 1,
			"early.pem: the certificate is not valid before 20", "reload again then"},
		{{ecdsa}, 0, "none, or more than 4", "one to four"},
	};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_error err;

	(void)state;
	half_make();
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		assert_null(tls_context_create(TLS_STREAM, rows[i].pairs, rows[i].n, t, &err));
		if (strstr(err.problem, rows[i].problem) == NULL ||
			strstr(err.remedy, rows[i].remedy) == NULL)
			fail_msg("row %zu: %s; %s", i, err.problem, err.remedy);
	}
	assert_int_equal(chmod(paths[ECDSA_KEY], 0604), 0);
	assert_null(tls_context_create(TLS_STREAM, &ecdsa, 1, t, &err));
	assert_non_null(strstr(err.problem, "accessible to all users"));
	assert_string_equal(err.remedy, "chmod 0640");
	assert_int_equal(chmod(paths[ECDSA_KEY], 0600), 0);
	tls_tickets_destroy(t);
}

// Clauses: 8489 6.2.3-1
static void both_kinds_of_key_serve(void **state)
{
	static const struct {
		const char *ciphers;
		int kind;
	} rows[] = {
		{"ECDHE-ECDSA-AES128-GCM-SHA256", EVP_PKEY_EC},
		{"ECDHE-RSA-AES128-GCM-SHA256", EVP_PKEY_RSA},
	};
	const struct tls_pair pairs[] = {ecdsa, rsa};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(pairs, 2, t);
	const char *file;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct pair p;
		X509 *x;

		pair_init(&p, c);
		SSL_set_max_proto_version(p.client, TLS1_2_VERSION);
		SSL_set_cipher_list(p.client, rows[i].ciphers);
		assert_true(shake(&p));
		x = SSL_get1_peer_certificate(p.client);
		assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(x)), rows[i].kind);
		X509_free(x);
		pair_fini(&p);
	}
	// The one that expires first.
	assert_true(tls_context_expires_s(c, &file) < (uint64_t)time(NULL) + 31 * DAY);
	assert_string_equal(file, paths[RSA_PEM]);
	assert_true(tls_context_last_expires_s(c) > tls_context_expires_s(c, &file));
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

// Of those with AES, each as hard to break as the key exchange.
static void cheaper_hash_comes_first(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(versions); i++) {
		struct pair p;
		const char *name;

		pair_init(&p, c);
		SSL_set_max_proto_version(p.client, versions[i]);
		assert_true(shake(&p));
		name = SSL_get_cipher_name(p.client);
		assert_non_null(strstr(name, "128"));
		assert_non_null(strstr(name, "SHA256"));
		pair_fini(&p);
	}
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

// Sent with its own certificate alone, to clients that ask, until its time is over.
static void ocsp_is_stapled(void **state)
{
	static const struct {
		const char *ciphers;
		bool asks;
		long seconds;
		bool comes;
	} rows[] = {
		{"ECDHE-RSA-AES128-GCM-SHA256", true, DAY, true},
		{"ECDHE-RSA-AES128-GCM-SHA256", false, DAY, false},
		{"ECDHE-RSA-AES128-GCM-SHA256", true, -60, false},
		{"ECDHE-ECDSA-AES128-GCM-SHA256", true, DAY, false},
	};
	const struct tls_pair pairs[] = {ecdsa, rsa};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_error err;

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct tls_context *c;
		const uint8_t *got;
		struct pair p;

		certificate_staple(paths[RSA_PEM], paths[RSA_KEY], rows[i].seconds, paths[OCSP]);
		c = context_good(pairs, 2, t);
		assert_int_equal(tls_context_staple(c, 1, paths[OCSP], &err), 0);
		pair_init(&p, c);
		SSL_set_max_proto_version(p.client, TLS1_2_VERSION);
		SSL_set_cipher_list(p.client, rows[i].ciphers);
		if (rows[i].asks)
			SSL_set_tlsext_status_type(p.client, TLSEXT_STATUSTYPE_ocsp);
		assert_true(shake(&p));
		if ((SSL_get_tlsext_status_ocsp_resp(p.client, &got) > 0) != rows[i].comes)
			fail_msg("row %zu", i);
		pair_fini(&p);
		tls_context_unref(c);
	}
	tls_tickets_destroy(t);
}

// A reload gives the context back during a handshake.
static void a_session_keeps_its_context(void **state)
{
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&rsa, 1, t);
	struct tls_error err;
	const uint8_t *got;
	struct pair p;

	(void)state;
	certificate_staple(paths[RSA_PEM], paths[RSA_KEY], DAY, paths[OCSP]);
	assert_int_equal(tls_context_staple(c, 0, paths[OCSP], &err), 0);
	pair_init(&p, c);
	SSL_set_tlsext_status_type(p.client, TLSEXT_STATUSTYPE_ocsp);
	tls_context_unref(c);
	assert_true(shake(&p));
	assert_true(SSL_get_tlsext_status_ocsp_resp(p.client, &got) > 0);
	pair_fini(&p);
	tls_tickets_destroy(t);
}

static void bad_responses_are_named(void **state)
{
	static const struct {
		const char *file, *problem;
	} rows[] = {
		{paths[SEED], "seed: can't be read"},
		{paths[PIPE], "pipe: is no regular file"},
		{paths[RSA_PEM], "rsa.pem: is no OCSP response"},
		{paths[OCSP], "ocsp: holds no answer about its certificate"},
	};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);
	struct tls_error err;

	(void)state;
	certificate_staple(paths[RSA_PEM], paths[RSA_KEY], DAY, paths[OCSP]);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		assert_int_equal(tls_context_staple(c, 0, rows[i].file, &err), -1);
		assert_non_null(strstr(err.problem, rows[i].problem));
		assert_non_null(strstr(err.remedy, "openssl ocsp"));
	}
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

static void clients_show_a_certificate(void **state)
{
	static const struct {
		const struct tls_pair *shows; // NULL: none
		bool good;
	} rows[] = {{&rsa, true}, {&ecdsa, false}, {NULL, false}};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);
	struct tls_error err;

	(void)state;
	assert_int_equal(tls_context_client_ca(c, paths[PIPE], &err), -1);
	assert_non_null(strstr(err.problem, "pipe: is no regular file"));
	assert_int_equal(tls_context_client_ca(c, paths[RSA_KEY], &err), -1);
	assert_non_null(strstr(err.problem, "rsa.key: "));
	// It has signed itself.
	assert_int_equal(tls_context_client_ca(c, paths[RSA_PEM], &err), 0);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		const struct tls_pair *shows = rows[i].shows;
		struct pair p;

		pair_init(&p, c);
		// The server's verdict is the last word of the handshake.
		SSL_set_max_proto_version(p.client, TLS1_2_VERSION);
		if (shows != NULL)
			assert_true(SSL_use_certificate_file(
					    p.client, shows->certificate, SSL_FILETYPE_PEM) == 1 &&
				    SSL_use_PrivateKey_file(
					    p.client, shows->key, SSL_FILETYPE_PEM) == 1);
		assert_int_equal(shake(&p), rows[i].good);
		pair_fini(&p);
	}
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

static void names_of_a_certificate(void **state)
{
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);

	(void)state;
	assert_true(tls_context_has_name(c, "relay.example"));
	assert_false(tls_context_has_name(c, "www.relay.example"));
	assert_false(tls_context_has_name(c, "other.example"));
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

// ---- rules -------------------------------------------------------------------------------------

// Clauses: 8489 6.2.3-2, 6.2.3-3, 16-1; 8656 3.1-1
static void weak_clients_are_refused(void **state)
{
	static const struct {
		int max;
		const char *ciphers;
	} rows[] = {
		{TLS1_1_VERSION, "ALL:@SECLEVEL=0"},
		{TLS1_2_VERSION, "AES128-GCM-SHA256"},	       // no forward secrecy
		{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256"}, // CBC
	};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct pair p;

		pair_init(&p, c);
		SSL_set_min_proto_version(p.client, 0);
		SSL_set_max_proto_version(p.client, rows[i].max);
		assert_int_equal(SSL_set_cipher_list(p.client, rows[i].ciphers), 1);
		assert_false(shake(&p));
		pair_fini(&p);
	}
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

static void alpn(void **state)
{
	static const struct {
		const char *offer;
		const char *want; // NULL: the handshake fails; "": none is chosen
	} rows[] = {
		{"", ""},
		{"\x09stun.turn", "stun.turn"},
		{"\x02h2\x12stun.nat-discovery", "stun.nat-discovery"},
		{"\x12stun.nat-discovery\x09stun.turn", "stun.turn"},
		{"\x02h2\x08http/1.1", NULL},
	};
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		const unsigned char *got = NULL;
		unsigned len = 0;
		struct pair p;

		pair_init(&p, c);
		if (rows[i].offer[0] != '\0')
			SSL_set_alpn_protos(p.client, (const unsigned char *)rows[i].offer,
				(unsigned)strlen(rows[i].offer));
		assert_int_equal(shake(&p), rows[i].want != NULL);
		SSL_get0_alpn_selected(p.client, &got, &len);
		if (rows[i].want != NULL) {
			assert_int_equal(len, strlen(rows[i].want));
			assert_memory_equal(got, rows[i].want, len);
		}
		pair_fini(&p);
	}
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

// Clauses: 8489 16-1; 8656 3.1-1
static void no_renegotiation_and_no_early_data(void **state)
{
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);
	struct pair p;
	uint8_t byte;

	(void)state;
	pair_init(&p, c);
	SSL_set_max_proto_version(p.client, TLS1_2_VERSION);
	assert_true(shake(&p));
	assert_int_equal(SSL_renegotiate(p.client), 1);
	(void)SSL_do_handshake(p.client);
	(void)SSL_read(p.server, &byte, 1);
	assert_int_equal(SSL_do_handshake(p.client), -1);
	assert_int_equal(SSL_get_error(p.client, -1), SSL_ERROR_SSL);
	pair_fini(&p);
	pair_init(&p, c);
	assert_true(shake(&p));
	assert_int_equal(SSL_SESSION_get_max_early_data(SSL_get0_session(p.client)), 0);
	pair_fini(&p);
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

// The library of Debian can't compress anyway: the option is for those that can.
// Clauses: 8489 6.2.3-4
static void nothing_is_compressed(void **state)
{
	struct tls_tickets *t = tls_tickets_create(NULL, 0, NULL, NULL);
	struct tls_context *c = context_good(&ecdsa, 1, t);
	struct pair p;

	(void)state;
	pair_init(&p, c);
	SSL_clear_options(p.client, SSL_OP_NO_COMPRESSION);
	SSL_set_max_proto_version(p.client, TLS1_2_VERSION);
	assert_true(shake(&p));
	assert_true((SSL_get_options(p.server) & SSL_OP_NO_COMPRESSION) != 0);
	assert_null(SSL_get_current_compression(p.server));
	pair_fini(&p);
	tls_context_unref(c);
	tls_tickets_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(both_kinds_of_key_serve),
		cmocka_unit_test(cheaper_hash_comes_first),
		cmocka_unit_test(ocsp_is_stapled),
		cmocka_unit_test(bad_responses_are_named),
		cmocka_unit_test(clients_show_a_certificate),
		cmocka_unit_test(a_session_keeps_its_context),
		cmocka_unit_test(names_of_a_certificate),
		cmocka_unit_test(weak_clients_are_refused),
		cmocka_unit_test(alpn),
		cmocka_unit_test(no_renegotiation_and_no_early_data),
		cmocka_unit_test(nothing_is_compressed),
	};

	return cmocka_run_group_tests_name("tls", tests, world_setup, world_teardown);
}
