// SPDX-License-Identifier: BSD-3-Clause
// Tokens of third-party authorization: the input as a token, which no stranger gets past the tag,
// then as the content of one that was made with the key, so that the parser behind it is reached.
#include <token.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER	    "turn.example.org"
#define CONTENT_MAX 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct turn_token_key key = {.id = "fuzz", .octets = "key of tokens"};

static void fail(const char *problem)
{
	fprintf(stderr, "turn_token: %s\n", problem);
	abort();
}

static size_t token_make(const uint8_t *content, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0;

	memset(out, 0, 14);
	out[1] = 12;
	if (x == NULL || EVP_EncryptInit_ex(x, EVP_aes_256_gcm(), NULL, key.octets, out + 2) != 1 ||
		EVP_EncryptUpdate(x, NULL, &n, (const uint8_t *)SERVER, sizeof(SERVER) - 1) != 1 ||
		EVP_EncryptUpdate(x, out + 14, &n, content, (int)len) != 1 ||
		EVP_EncryptFinal_ex(x, out + 14 + n, &rest) != 1 ||
		EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, 16, out + 14 + len) != 1)
		fail("no encryption");
	EVP_CIPHER_CTX_free(x);
	return 14 + len + 16;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t token[CONTENT_MAX + 30];
	struct turn_token t;
	size_t len, key_len;

	if (size > CONTENT_MAX)
		return 0;
	if (turn_token_open(&key, SERVER, data, size, &t))
		fail("a stranger's token is taken");
	len = token_make(data, size, token);
	key_len = size >= 2 ? tp_load_be16(data) : 0;
	if (!turn_token_open(&key, SERVER, token, len, &t)) {
		if (key_len >= 16 && key_len <= TURN_KEY_MAX && size == key_len + 14)
			fail("a sound token is refused");
		return 0;
	}
	if (t.key.len != key_len || memcmp(t.key.octets, data + 2, key_len) != 0 ||
		t.expires_s < t.issued_s)
		fail("another content");
	return 0;
}
