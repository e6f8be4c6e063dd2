// SPDX-License-Identifier: BSD-3-Clause
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

// All that one period uses, as it comes from the seed.
struct keys {
	uint8_t name[16];
	uint8_t cipher[32];
	uint8_t mac[32];
};

#define PERIODS 3u // the one before, this, and the one after ours: another relay's clock is ahead

struct tls_tickets {
	uint8_t seed[TLS_TICKET_KEY_MAX];
	size_t len;
	uint64_t (*wall_s)(void *ctx);
	void *ctx;
	// Made anew when the period changes: a derivation takes longer than all else about a
	// ticket.
	pthread_mutex_t lock;
	uint64_t period; // of keys[1]
	bool made;
	struct keys keys[PERIODS];
};

static uint64_t wall_now_s(void *ctx)
{
	(void)ctx;
	return (uint64_t)time(NULL);
}

struct tls_tickets *tls_tickets_create(
	const void *seed, size_t len, uint64_t (*wall_s)(void *ctx), void *ctx)
{
	struct tls_tickets *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	t->wall_s = wall_s != NULL ? wall_s : wall_now_s;
	t->ctx = ctx;
	t->len = seed == NULL ? TLS_TICKET_KEY_MIN : len;
	if (seed == NULL ? getrandom(t->seed, t->len, 0) != (ssize_t)t->len
			 : len < TLS_TICKET_KEY_MIN || len > sizeof(t->seed)) {
		free(t);
		return NULL;
	}
	if (seed != NULL)
		memcpy(t->seed, seed, len);
	return t;
}

bool tls_tickets_seed(struct tls_tickets *t, const void *seed, size_t len)
{
	bool other;

	if (len < TLS_TICKET_KEY_MIN || len > sizeof(t->seed))
		return false;
	pthread_mutex_lock(&t->lock);
	other = len != t->len || CRYPTO_memcmp(t->seed, seed, len) != 0;
	if (other) {
		memcpy(t->seed, seed, len);
		t->len = len;
		t->made = false;
	}
	pthread_mutex_unlock(&t->lock);
	return other;
}

void tls_tickets_destroy(struct tls_tickets *t)
{
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

// HKDF with the number of the period as its information.
static bool keys_make(const struct tls_tickets *t, uint64_t period, struct keys *k)
{
	static char digest[] = "SHA256";
	char info[48];
	int n = snprintf(info, sizeof(info), "turnpike tickets %llu", (unsigned long long)period);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)t->seed, t->len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, (size_t)n),
		OSSL_PARAM_construct_end(),
	};
	bool good = ctx != NULL && EVP_KDF_derive(ctx, (uint8_t *)k, sizeof(*k), params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return good;
}

static bool crypt_init(
	const struct keys *k, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal)
{
	static char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, seal) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

// Copies the keys of all periods. False: OpenSSL failed.
static bool keys_get(struct tls_tickets *t, struct keys keys[PERIODS])
{
	uint64_t period = t->wall_s(t->ctx) / TLS_TICKET_ROTATE_S;
	bool good;

	pthread_mutex_lock(&t->lock);
	good = t->made && t->period == period;
	if (!good) {
		good = true;
		for (unsigned i = 0; i < PERIODS; i++)
			good &= keys_make(t, period + i - 1, &t->keys[i]);
		t->made = good;
		t->period = period;
	}
	memcpy(keys, t->keys, sizeof(t->keys));
	pthread_mutex_unlock(&t->lock);
	return good;
}

// -1: error; 0: unknown, a full handshake follows; 1: good; 2: good, but a new ticket is due.
int tls_ticket_crypt(struct tls_tickets *t, uint8_t name[16], uint8_t *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, bool seal)
{
	struct keys keys[PERIODS];
	int rc = 0;

	if (!keys_get(t, keys)) {
		rc = -1;
	} else if (seal) {
		memcpy(name, keys[1].name, sizeof(keys[1].name));
		rc = RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 &&
				     crypt_init(&keys[1], iv, cipher, mac, true)
			     ? 1
			     : -1;
	}
	for (unsigned i = 0; i < PERIODS && !seal && rc == 0; i++) {
		if (CRYPTO_memcmp(name, keys[i].name, sizeof(keys[i].name)) == 0)
			rc = !crypt_init(&keys[i], iv, cipher, mac, false) ? -1 : i == 0 ? 2 : 1;
	}
	OPENSSL_cleanse(keys, sizeof(keys));
	return rc;
}

static int seed_fault(
	struct tls_error *err, const char *path, const char *fault, const char *remedy, int rc)
{
	snprintf(err->problem, sizeof(err->problem), "%s: %s", path, fault);
	snprintf(err->remedy, sizeof(err->remedy), "%s", remedy);
	return rc;
}

int tls_seed_read(
	const char *path, uint8_t seed[TLS_TICKET_KEY_MAX], size_t *len, struct tls_error *err)
{
	// Opening a pipe would wait for its other end.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;
	int rc = 0;

	if (fd < 0)
		return seed_fault(err, path, strerror(errno),
			"make it readable by the user of turnpike-edge: head -c 48 /dev/urandom > "
			"FILE",
			-errno);
	n = fstat(fd, &st) < 0 ? -1 : 0;
	if (n == 0 && S_ISREG(st.st_mode))
		n = read(fd, seed, TLS_TICKET_KEY_MAX);
	if (n == 0 && !S_ISREG(st.st_mode))
		rc = seed_fault(err, path, "is no regular file",
			"name a file: head -c 48 /dev/urandom > FILE", -EINVAL);
	else if (n < 0)
		rc = seed_fault(err, path, strerror(errno), "name a file that can be read", -EIO);
	else if ((st.st_mode & S_IRWXO) != 0)
		rc = seed_fault(err, path, "is accessible to all users", "chmod 0640", -EPERM);
	else if ((size_t)n < TLS_TICKET_KEY_MIN)
		rc = seed_fault(err, path, "has fewer than 32 bytes",
			"fill it: head -c 48 /dev/urandom > FILE", -EINVAL);
	close(fd);
	*len = n < 0 ? 0 : (size_t)n;
	return rc;
}
