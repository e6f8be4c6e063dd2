// SPDX-License-Identifier: BSD-3-Clause
#include "world.h"

#include <sys/stat.h>
#include <unistd.h>

#include "certificate.h"

static char directory[] = "/tmp/turnpike-tls-XXXXXX";

char paths[FILES][64];
const struct tls_pair ecdsa = {paths[ECDSA_PEM], paths[ECDSA_KEY]};
const struct tls_pair rsa = {paths[RSA_PEM], paths[RSA_KEY]};

int world_setup(void **state)
{
	static const char *const names[FILES] = {"ecdsa.pem", "ecdsa.key", "rsa.pem", "rsa.key",
		"old.pem", "old.key", "seed", "ocsp", "half.pem", "early.pem", "early.key", "pipe"};

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (unsigned i = 0; i < FILES; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", directory, names[i]);
	certificate_make(CERTIFICATE_ECDSA, 90 * DAY, paths[ECDSA_PEM], paths[ECDSA_KEY]);
	certificate_make(CERTIFICATE_RSA, 30 * DAY, paths[RSA_PEM], paths[RSA_KEY]);
	certificate_make(CERTIFICATE_ECDSA, -60, paths[OLD_PEM], paths[OLD_KEY]);
	certificate_make_from(CERTIFICATE_ECDSA, DAY, 30 * DAY, paths[EARLY_PEM], paths[EARLY_KEY]);
	assert_int_equal(mkfifo(paths[PIPE], 0600), 0);
	return 0;
}

int world_teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FILES; i++)
		unlink(paths[i]);
	return rmdir(directory);
}

void pair_init(struct pair *p, struct tls_context *c)
{
	BIO *a, *b;

	p->ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(p->ctx);
	// Else the end of the context would spoil its sessions.
	SSL_CTX_set_session_cache_mode(p->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	p->client = SSL_new(p->ctx);
	p->server = tls_session_create(c);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(p->client, a, a);
	SSL_set_bio(p->server, b, b);
	SSL_set_connect_state(p->client);
}

bool shake(struct pair *p)
{
	uint8_t none;

	for (unsigned i = 0; i < 20; i++) {
		int a = SSL_do_handshake(p->client);
		int b = SSL_do_handshake(p->server);

		if (a == 1 && b == 1) {
			// The client takes the tickets.
			(void)SSL_read(p->client, &none, 1);
			return true;
		}
	}
	return false;
}

void pair_fini(struct pair *p)
{
	SSL_free(p->client);
	SSL_free(p->server);
	SSL_CTX_free(p->ctx);
}

struct tls_context *context_good(const struct tls_pair *pairs, size_t n, struct tls_tickets *t)
{
	struct tls_error err;
	struct tls_context *c = tls_context_create(TLS_STREAM, pairs, n, t, &err);

	if (c == NULL)
		fail_msg("%s; %s", err.problem, err.remedy);
	return c;
}
