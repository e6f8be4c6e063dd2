// SPDX-License-Identifier: BSD-3-Clause
#include "internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// TLS 1.2, and 1.3. Those with SHA-256 first, which processors have instructions for: a handshake
// hashes more than it encrypts.
#define CIPHERS		 "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL"
#define CIPHERS_1_3	 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

// A client's chain. DTLS makes room for ten messages of this length ahead of their bytes.
#define CLIENT_CHAIN_MAX 16384

struct tls_context {
	_Atomic unsigned refs;
	SSL_CTX *ssl;
	X509 *leaves[TLS_PAIRS_MAX];
	struct tls_staple staples[TLS_PAIRS_MAX];
	size_t n_leaves;
	uint64_t expires_s;
	uint64_t last_expires_s;
	char file[256]; // of the certificate that expires first
};

// ---- mistakes -----------------------------------------------------------------------------------

const char *tls_fault_text(char *buf, size_t size)
{
	unsigned long e = ERR_peek_error();
	const char *reason = e == 0 ? NULL : ERR_reason_error_string(e);

	if (reason == NULL && e != 0 && ERR_SYSTEM_ERROR(e))
		reason = strerror(ERR_GET_REASON(e));
	snprintf(buf, size, "%s", reason != NULL ? reason : "unknown");
	ERR_clear_error();
	return buf;
}

static int fault(struct tls_error *err, const char *path, const char *text, const char *remedy)
{
	char reason[128];

	if (text == NULL)
		text = tls_fault_text(reason, sizeof(reason));
	ERR_clear_error();
	snprintf(err->problem, sizeof(err->problem), "%s: %s", path, text);
	snprintf(err->remedy, sizeof(err->remedy), "%s", remedy);
	return -1;
}

// ---- rules --------------------------------------------------------------------------------------

static int alpn_choose(SSL *s, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	static const char *const ours[] = {"stun.turn", "stun.nat-discovery", "http/1.1"};
	size_t n = TP_ARRAY_LEN(ours) - (arg == NULL);

	(void)s;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(ours[i]);

		for (unsigned at = 0; at < in_len && in[at] < in_len - at; at += 1u + in[at]) {
			if (in[at] != len || memcmp(in + at + 1, ours[i], len) != 0)
				continue;
			*out = in + at + 1;
			*out_len = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int ticket_crypt(SSL *s, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int seal)
{
	struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(s));
	int rc = tls_ticket_crypt(t, name, iv, cipher, mac, seal != 0);

	// A client uses a ticket of TLS 1.3 once (RFC 8446 C.4): without another, each second
	// connection would be a full handshake.
	return seal == 0 && rc == 1 && SSL_version(s) == TLS1_3_VERSION ? 2 : rc;
}

// Never asks a terminal for the passphrase of a key.
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

// DTLS: the true cookie is made and checked by the caller.
static int cookie_make(SSL *s, unsigned char *cookie, unsigned *len)
{
	(void)s;
	cookie[0] = 0;
	*len = 1;
	return 1;
}

static int cookie_check(SSL *s, const unsigned char *cookie, unsigned len)
{
	(void)s;
	(void)cookie;
	(void)len;
	return 1;
}

static bool rules_set(SSL_CTX *ssl, enum tls_kind kind, struct tls_tickets *tickets)
{
	static const unsigned char name[] = "turnpike";

	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_ANTI_REPLAY);
	// Idle sessions give their buffers back. A record that could not be sent is kept by the
	// session itself, so the bytes behind it may move.
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ssl, TLS_TICKET_ROTATE_S);
	SSL_CTX_set_max_cert_list(ssl, CLIENT_CHAIN_MAX);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	SSL_CTX_set_alpn_select_cb(ssl, alpn_choose, NULL);
	SSL_CTX_set_app_data(ssl, tickets);
	SSL_CTX_set_read_ahead(ssl, 1);
	SSL_CTX_set_cookie_generate_cb(ssl, cookie_make);
	SSL_CTX_set_cookie_verify_cb(ssl, cookie_check);
	return SSL_CTX_set_min_proto_version(
		       ssl, kind == TLS_STREAM ? TLS1_2_VERSION : DTLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_early_data(ssl, 0) == 1 && SSL_CTX_set_num_tickets(ssl, 1) == 1 &&
	       SSL_CTX_set_cipher_list(ssl, CIPHERS) == 1 &&
	       SSL_CTX_set_ciphersuites(ssl, CIPHERS_1_3) == 1 &&
	       SSL_CTX_set_session_id_context(ssl, name, sizeof(name) - 1) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, ticket_crypt) == 1;
}

// ---- pairs --------------------------------------------------------------------------------------

static const char readable[] = "give a PEM file that the user of turnpike-edge may read";

static int key_file_check(const char *path, struct tls_error *err)
{
	struct stat st;

	// One that is not there is told by the library that opens it.
	if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0)
		return fault(err, path, "the private key is accessible to all users", "chmod 0640");
	return 0;
}

// Opening a pipe would wait for its other end.
static int kind_check(const char *path, const char *remedy, struct tls_error *err)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode)
		       ? fault(err, path, "is no regular file", remedy)
		       : 0;
}

// The library's words where they name the fault, else `missing`.
static const char *pem_text(const char *missing)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	if (reason == PEM_R_BAD_END_LINE)
		return "is cut off";
	return reason == PEM_R_NO_START_LINE || reason == ERR_R_UNSUPPORTED ? missing : NULL;
}

static void expiry_note(struct tls_context *c, const X509 *x, const char *path)
{
	struct tm tm = {0};
	uint64_t expires_s;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
		return;
	expires_s = (uint64_t)timegm(&tm);
	if (c->last_expires_s < expires_s)
		c->last_expires_s = expires_s;
	if (c->expires_s != 0 && c->expires_s <= expires_s)
		return;
	c->expires_s = expires_s;
	snprintf(c->file, sizeof(c->file), "%s", path);
}

static int time_check(const X509 *x, const char *path, struct tls_error *err)
{
	const ASN1_TIME *from = X509_get0_notBefore(x), *until = X509_get0_notAfter(x);
	bool early = X509_cmp_current_time(from) > 0;
	char text[64] = "the certificate is not valid now";
	struct tm tm = {0};

	if (!early && X509_cmp_current_time(until) > 0)
		return 0;
	if (ASN1_TIME_to_tm(early ? from : until, &tm) == 1)
		strftime(text, sizeof(text),
			early ? "the certificate is not valid before %Y-%m-%d"
			      : "the certificate expired on %Y-%m-%d",
			&tm);
	return fault(err, path, text,
		early ? "reload again then; is the clock right?" : "renew it; is the clock right?");
}

// The response that belongs to the certificate that was chosen for the session.
static int staple_choose(SSL *ssl, void *arg)
{
	const struct tls_context *c = arg;
	const X509 *chosen = SSL_get_certificate(ssl);

	for (size_t i = 0; i < c->n_leaves; i++) {
		if (c->leaves[i] == chosen)
			return tls_staple_give(ssl, &c->staples[i]);
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static int pair_load(struct tls_context *c, const struct tls_pair *pair, int kinds[], size_t n,
	struct tls_error *err)
{
	X509 *x;

	ERR_clear_error();
	if (kind_check(pair->certificate, readable, err) < 0 ||
		kind_check(pair->key, readable, err) < 0 || key_file_check(pair->key, err) < 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(c->ssl, pair->certificate) != 1)
		return fault(
			err, pair->certificate, pem_text("holds no certificate in PEM"), readable);
	x = SSL_CTX_get0_certificate(c->ssl);
	kinds[n] = EVP_PKEY_get_base_id(X509_get0_pubkey(x));
	for (size_t i = 0; i < n; i++) {
		if (kinds[i] == kinds[n])
			return fault(err, pair->certificate,
				"a second certificate with this kind of key",
				"keep one certificate of each kind, such as ECDSA and RSA");
	}
	if (SSL_CTX_use_PrivateKey_file(c->ssl, pair->key, SSL_FILETYPE_PEM) != 1) {
		bool other = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;

		return fault(err, pair->key,
			other ? "the key is not that of the certificate"
			      : pem_text("holds no key in PEM without a passphrase"),
			other ? "give the certificate and the key that were made together"
			      : readable);
	}
	if (SSL_CTX_check_private_key(c->ssl) != 1)
		return fault(err, pair->key, "the key is not that of the certificate",
			"give the certificate and the key that were made together");
	if (time_check(x, pair->certificate, err) < 0)
		return -1;
	expiry_note(c, x, pair->certificate);
	X509_up_ref(x);
	c->leaves[c->n_leaves++] = x;
	return 0;
}

// A session's context, which the callbacks want as long as it lives.
static int session_index = -1;

static void session_end(void *ssl, void *context, CRYPTO_EX_DATA *all, int index, long n, void *arg)
{
	(void)ssl, (void)all, (void)index, (void)n, (void)arg;
	tls_context_unref(context);
}

struct tls_context *tls_context_create(enum tls_kind kind, const struct tls_pair *pairs, size_t n,
	struct tls_tickets *tickets, struct tls_error *err)
{
	struct tls_context *c = calloc(1, sizeof(*c));
	int kinds[TLS_PAIRS_MAX];

	*err = (struct tls_error){.problem = "no memory for TLS"};
	if (c == NULL)
		return NULL;
	c->refs = 1;
	if (session_index < 0)
		session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, session_end);
	if (session_index < 0)
		goto fail;
	c->ssl = SSL_CTX_new(kind == TLS_STREAM ? TLS_server_method() : DTLS_server_method());
	if (c->ssl == NULL || !rules_set(c->ssl, kind, tickets))
		goto fail;
	SSL_CTX_set_tlsext_status_cb(c->ssl, staple_choose);
	SSL_CTX_set_tlsext_status_arg(c->ssl, c);
	if (n == 0 || n > TLS_PAIRS_MAX) {
		fault(err, "edge.certificates", "none, or more than 4 pairs", "give one to four");
		goto fail;
	}
	for (size_t i = 0; i < n; i++) {
		if (pair_load(c, &pairs[i], kinds, i, err) < 0)
			goto fail;
	}
	return c;
fail:
	tls_context_unref(c);
	return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void tls_context_unref(struct tls_context *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	while (c->n_leaves > 0) {
		X509_free(c->leaves[--c->n_leaves]);
		tls_staple_fini(&c->staples[c->n_leaves]);
	}
	SSL_CTX_free(c->ssl);
	free(c);
}

SSL *tls_session_create(struct tls_context *c)
{
	SSL *s = SSL_new(c->ssl);

	if (s == NULL)
		return NULL;
	if (SSL_set_ex_data(s, session_index, c) != 1) {
		SSL_free(s);
		return NULL;
	}
	(void)tls_context_ref(c);
	SSL_set_accept_state(s);
	return s;
}

uint64_t tls_context_expires_s(const struct tls_context *c, const char **file)
{
	if (file != NULL)
		*file = c->file;
	return c->expires_s;
}

uint64_t tls_context_last_expires_s(const struct tls_context *c)
{
	return c->last_expires_s;
}

bool tls_context_has_name(const struct tls_context *c, const char *name)
{
	for (size_t i = 0; i < c->n_leaves; i++) {
		if (X509_check_host(c->leaves[i], name, strlen(name), 0, NULL) == 1)
			return true;
	}
	return false;
}

void tls_context_offer_http(struct tls_context *c)
{
	SSL_CTX_set_alpn_select_cb(c->ssl, alpn_choose, c);
}

int tls_context_staple(struct tls_context *c, size_t pair, const char *file, struct tls_error *err)
{
	static const char remedy[] = "fetch it with openssl ocsp -respout, or remove ocsp";
	const char *problem;

	if (kind_check(file, remedy, err) < 0)
		return -1;
	problem = tls_staple_read(&c->staples[pair], file, c->leaves[pair]);
	return problem == NULL ? 0 : fault(err, file, problem, remedy);
}

int tls_context_client_ca(struct tls_context *c, const char *file, struct tls_error *err)
{
	static const char authorities[] = "give a PEM file with certificates of authorities that "
					  "the user of turnpike-edge may read";
	STACK_OF(X509_NAME) * names;

	if (kind_check(file, authorities, err) < 0)
		return -1;
	ERR_clear_error();
	names = SSL_load_client_CA_file(file);
	if (names == NULL || SSL_CTX_load_verify_locations(c->ssl, file, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return fault(err, file, NULL, authorities);
	}
	SSL_CTX_set_client_CA_list(c->ssl, names);
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	// A session that is resumed shows no certificate, and tickets of all contexts have one key.
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_num_tickets(c->ssl, 0);
	return 0;
}
