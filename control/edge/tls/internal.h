// SPDX-License-Identifier: BSD-3-Clause
// Between the files of this library.
#pragma once

#include <tls/tls.h>

// Sets up the keys of a ticket that is made (`seal`) or read, as OpenSSL's callback wants it.
int tls_ticket_crypt(struct tls_tickets *t, uint8_t name[16], uint8_t *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, bool seal);
