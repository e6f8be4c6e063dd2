// SPDX-License-Identifier: BSD-3-Clause
// Certificates on disk, and a client and a server that shake hands in memory.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <tls/tls.h>

#define DAY 86400L

enum file {
	ECDSA_PEM,
	ECDSA_KEY,
	RSA_PEM,
	RSA_KEY,
	OLD_PEM,
	OLD_KEY,
	SEED,
	OCSP,
	HALF,
	EARLY_PEM,
	EARLY_KEY,
	PIPE,
	FILES,
};

extern char paths[FILES][64];
extern const struct tls_pair ecdsa, rsa;

// Make and remove the files.
int world_setup(void **state);
int world_teardown(void **state);

struct pair {
	SSL_CTX *ctx;
	SSL *client;
	SSL *server;
};

void pair_init(struct pair *p, struct tls_context *c);
// Whether both ends have finished; the client has its tickets then.
bool shake(struct pair *p);
void pair_fini(struct pair *p);

struct tls_context *context_good(const struct tls_pair *pairs, size_t n, struct tls_tickets *t);
