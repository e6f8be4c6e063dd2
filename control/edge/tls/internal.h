// SPDX-License-Identifier: BSD-3-Clause
// Between the files of this library.
#pragma once

#include <tls/tls.h>

// Sets up the keys of a ticket that is made (`seal`) or read, as OpenSSL's callback wants it.
int tls_ticket_crypt(struct tls_tickets *t, uint8_t name[16], uint8_t *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, bool seal);

// An OCSP response to be sent with a certificate.
struct tls_staple {
	unsigned char *bytes;
	size_t len;	  // 0: none
	uint64_t until_s; // its nextUpdate; later it is not sent
};

// NULL, or what is wrong with the file.
const char *tls_staple_read(struct tls_staple *s, const char *path, const X509 *leaf);
// As OpenSSL's callback wants it.
int tls_staple_give(SSL *ssl, const struct tls_staple *s);
void tls_staple_fini(struct tls_staple *s);
