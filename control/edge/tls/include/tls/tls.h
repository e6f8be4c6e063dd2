// SPDX-License-Identifier: BSD-3-Clause
// Certificates, tickets and rules of TLS for a server's side (RFC 8446, RFC 5246): versions 1.2 and
// 1.3, ciphers with forward secrecy and authentication of data, no compression, no renegotiation,
// no early data. ALPN (RFC 7301): `stun.turn` and `stun.nat-discovery` (RFC 7443), or none.
//
// Threads: a context is read-only once made; any thread may make sessions of it. tls_context_ref
// and _unref may be called by any thread. Tickets may be used by all threads.
#pragma once

#include <openssl/ssl.h>

#include <turnpike/base.h>

// A mistake: the file, the fault and the remedy, as they are printed.
struct tls_error {
	char problem[512];
	char remedy[256];
};

// ---- memory -----------------------------------------------------------------------------------

#define TLS_MEMORY_KEPT (1u << 20) // bytes, of a thread

// From here on a thread keeps blocks that OpenSSL frees, up to TLS_MEMORY_KEPT, for its next calls,
// until the thread ends. Once, before any other call of OpenSSL. False: OpenSSL has memory already,
// and goes on with malloc.
bool tls_memory_keep(void);

// ---- tickets ----------------------------------------------------------------------------------

#define TLS_TICKET_KEY_MIN  32u
#define TLS_TICKET_KEY_MAX  4096u
#define TLS_TICKET_ROTATE_S (12u * 3600u)

struct tls_tickets;

// Keys of session tickets, made anew from the seed every TLS_TICKET_ROTATE_S of the wall clock:
// relays that share the seed (and the time of day) share the sessions. A ticket of the period
// before is taken and renewed, one of the period after is taken. `seed` NULL: random. `wall_s`
// NULL: time(2). NULL: no memory, or no random numbers.
struct tls_tickets *tls_tickets_create(
	const void *seed, size_t len, uint64_t (*wall_s)(void *ctx), void *ctx);
// After the last context. NULL is fine.
void tls_tickets_destroy(struct tls_tickets *t);
// Another seed, for tickets made from now on: those made before are not taken any more. Any thread.
// True: it is another one, and of a valid length.
bool tls_tickets_seed(struct tls_tickets *t, const void *seed, size_t len);

// Reads a seed from a file that others may not read. 0 or a negative errno with err filled in.
int tls_seed_read(
	const char *path, uint8_t seed[TLS_TICKET_KEY_MAX], size_t *len, struct tls_error *err);

// ---- contexts ---------------------------------------------------------------------------------

// PEM files; the certificate's may hold the key, too.
struct tls_pair {
	const char *certificate;
	const char *key;
};

#define TLS_PAIRS_MAX 4u

enum tls_kind {
	TLS_STREAM,
	TLS_DATAGRAM, // DTLS 1.2; the caller has checked the cookie of each ClientHello
};

struct tls_context;

// Reads all pairs and checks that each key fits its certificate, that no certificate has expired,
// that no key is readable by others, and that no two pairs have the same kind of key. NULL with err
// filled in.
struct tls_context *tls_context_create(enum tls_kind kind, const struct tls_pair *pairs, size_t n,
	struct tls_tickets *tickets, struct tls_error *err);
struct tls_context *tls_context_ref(struct tls_context *c);
// NULL is fine. Sessions made of it stay.
void tls_context_unref(struct tls_context *c);

// A server's session, before its handshake. NULL: no memory. The caller frees it by SSL_free.
SSL *tls_session_create(struct tls_context *c);

// The certificate that expires first: seconds since 1970, and its file.
uint64_t tls_context_expires_s(const struct tls_context *c, const char **file);
// Likewise, of the one that expires last.
uint64_t tls_context_last_expires_s(const struct tls_context *c);

// Reads an OCSP response in DER, which is sent with the certificate of the pair until its time is
// over. Before the first session. 0; -1 with err filled in.
int tls_context_staple(struct tls_context *c, size_t pair, const char *file, struct tls_error *err);

// Clients need a certificate that one of this PEM file's signed. Before the first session. 0; -1
// with err filled in.
int tls_context_client_ca(struct tls_context *c, const char *file, struct tls_error *err);

// Also `http/1.1`, after the protocols of TURN. Before the first session.
void tls_context_offer_http(struct tls_context *c);

// Whether a certificate is for the host's name, wildcards included (RFC 6125 6.4).
bool tls_context_has_name(const struct tls_context *c, const char *name);

// "TLSv1.3: wrong version number" and the like from the error queue, which it empties.
const char *tls_fault_text(char *buf, size_t size);
