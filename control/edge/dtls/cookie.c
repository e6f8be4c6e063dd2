// SPDX-License-Identifier: BSD-3-Clause
// Reads the first record of a datagram as far as the cookie, and answers without keeping anything.
#include <dtls/dtls.h>

#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define COOKIE_LEN    16u
#define PERIOD_NS     (60 * TP_NS_PER_S)

#define RECORD_LEN    13u // header of a record
#define HANDSHAKE_LEN 12u // header of a handshake fragment
#define HELLO_MIN     35u // version, random, length of the session id

struct dtls_cookies {
	uint8_t key[DTLS_COOKIE_KEY_LEN];
};

struct dtls_cookies *dtls_cookies_create(void)
{
	struct dtls_cookies *c = calloc(1, sizeof(*c));

	if (c != NULL && getrandom(c->key, sizeof(c->key), 0) != (ssize_t)sizeof(c->key)) {
		free(c);
		return NULL;
	}
	return c;
}

void dtls_cookies_destroy(struct dtls_cookies *c)
{
	if (c != NULL)
		OPENSSL_cleanse(c->key, sizeof(c->key));
	free(c);
}

void dtls_cookies_key(const struct dtls_cookies *c, uint8_t key[DTLS_COOKIE_KEY_LEN])
{
	memcpy(key, c->key, sizeof(c->key));
}

void dtls_cookies_key_set(struct dtls_cookies *c, const uint8_t key[DTLS_COOKIE_KEY_LEN])
{
	memcpy(c->key, key, sizeof(c->key));
}

static bool cookie_make(const struct dtls_cookies *c, uint64_t period, uint16_t listener_id,
	const struct tp_addr *remote, uint8_t out[COOKIE_LEN])
{
	struct {
		uint64_t period;
		struct tp_addr remote;
		uint32_t listener_id;
	} bound = {period, *remote, listener_id};
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	_Static_assert(sizeof(bound) == 32, "no gaps");
	if (HMAC(EVP_sha256(), c->key, sizeof(c->key), (const uint8_t *)&bound, sizeof(bound), mac,
		    &len) == NULL)
		return false;
	memcpy(out, mac, COOKIE_LEN);
	return true;
}

static bool cookie_good(const struct dtls_cookies *c, uint64_t now_ns, uint16_t listener_id,
	const struct tp_addr *remote, const uint8_t *cookie, size_t len)
{
	uint64_t period = now_ns / PERIOD_NS;
	uint8_t want[COOKIE_LEN];

	if (len != COOKIE_LEN)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (cookie_make(c, period - i, listener_id, remote, want) &&
			CRYPTO_memcmp(want, cookie, COOKIE_LEN) == 0)
			return true;
	}
	return false;
}

// The part of a ClientHello up to its cookie (RFC 6347 4.2.1), in the first fragment of it.
struct hello {
	const uint8_t *random;
	const uint8_t *cookie;
	size_t cookie_len;
};

static bool hello_read(struct hello *h, const uint8_t *p, size_t len)
{
	size_t record, fragment, at;

	// A handshake record of epoch 0 with version 1.0 or 1.2.
	if (len < RECORD_LEN + HANDSHAKE_LEN + HELLO_MIN || p[0] != 22 || p[1] != 0xfe ||
		p[2] < 0xfd || tp_load_be16(p + 3) != 0)
		return false;
	record = tp_load_be16(p + 11);
	p += RECORD_LEN;
	fragment = (size_t)p[9] << 16 | tp_load_be16(p + 10);
	// ClientHello, fragment offset 0.
	if (record > len - RECORD_LEN || record < HANDSHAKE_LEN + HELLO_MIN || p[0] != 1 ||
		p[6] != 0 || tp_load_be16(p + 7) != 0 || fragment > record - HANDSHAKE_LEN ||
		fragment < HELLO_MIN)
		return false;
	p += HANDSHAKE_LEN;
	h->random = p + 2;
	at = HELLO_MIN + p[HELLO_MIN - 1];
	if (at >= fragment || at + 1u + p[at] > fragment)
		return false;
	h->cookie_len = p[at];
	h->cookie = p + at + 1;
	return true;
}

// HelloVerifyRequest, by the number of the record that asks for it.
static void answer_write(uint8_t out[DTLS_ANSWER_LEN], const uint8_t *datagram)
{
	static const uint8_t head[] = {22, 0xfe, 0xff, 0, 0};
	const uint16_t body = 3 + COOKIE_LEN;

	memset(out, 0, DTLS_ANSWER_LEN);
	memcpy(out, head, sizeof(head));
	memcpy(out + 5, datagram + 5, 6);
	tp_store_be16(out + 11, HANDSHAKE_LEN + body);
	out[13] = 3;
	tp_store_be16(out + 15, body);
	tp_store_be16(out + 23, body);
	out[25] = 0xfe;
	out[26] = 0xff;
	out[27] = COOKIE_LEN;
}

struct dtls_judged dtls_judge(const struct dtls_cookies *c, uint64_t now_ns, uint16_t listener_id,
	const struct tp_addr *remote, const uint8_t *datagram, size_t len)
{
	struct dtls_judged j = {.hello = DTLS_HELLO_NONE};
	struct hello h;

	if (!hello_read(&h, datagram, len))
		return j;
	memcpy(j.random, h.random, sizeof(j.random));
	if (cookie_good(c, now_ns, listener_id, remote, h.cookie, h.cookie_len)) {
		j.hello = DTLS_HELLO_PROVEN;
		return j;
	}
	answer_write(j.answer, datagram);
	if (cookie_make(c, now_ns / PERIOD_NS, listener_id, remote, j.answer + 28))
		j.hello = DTLS_HELLO_BARE;
	return j;
}
