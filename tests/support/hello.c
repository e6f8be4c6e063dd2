// SPDX-License-Identifier: BSD-3-Clause
#include "hello.h"

#define MESSAGE_MAX 8192u

struct text {
	uint8_t bytes[MESSAGE_MAX];
	size_t n;
};

static void put(struct text *t, size_t v, unsigned bytes)
{
	while (bytes-- > 0)
		t->bytes[t->n++] = (uint8_t)(v >> 8 * bytes);
}

static void put_bytes(struct text *t, const void *bytes, size_t n)
{
	memcpy(t->bytes + t->n, bytes, n);
	t->n += n;
}

static void put_padding(struct text *t, size_t n)
{
	put(t, 21, 2); // RFC 7685
	put(t, n, 2);
	memset(t->bytes + t->n, 0, n);
	t->n += n;
}

static void put_name(struct text *t, const char *name)
{
	size_t n = strlen(name);

	put(t, 0, 2);
	put(t, n + 5, 2);
	put(t, n + 3, 2);
	put(t, 0, 1);
	put(t, n, 2);
	put_bytes(t, name, n);
}

static void put_protocols(struct text *t, const char *const *names)
{
	size_t n = 0;

	for (size_t i = 0; i < 4 && names[i] != NULL; i++)
		n += 1 + strlen(names[i]);
	put(t, 16, 2);
	put(t, n + 2, 2);
	put(t, n, 2);
	for (size_t i = 0; i < 4 && names[i] != NULL; i++) {
		put(t, strlen(names[i]), 1);
		put_bytes(t, names[i], strlen(names[i]));
	}
}

size_t hello_records(uint8_t *out, const struct hello *h, size_t piece)
{
	static const uint8_t random[32] = {7};
	struct text extensions = {.n = 0}, message = {.n = 0};
	size_t len = 0;

	if (h->padding > 0)
		put_padding(&extensions, h->padding);
	if (h->name != NULL)
		put_name(&extensions, h->name);
	if (h->protocols[0] != NULL)
		put_protocols(&extensions, h->protocols);
	put(&message, 1, 1);
	put(&message, 2 + 32 + 1 + 4 + 2 + 2 + extensions.n, 3);
	put(&message, 0x0303, 2);
	put_bytes(&message, random, sizeof(random));
	put(&message, 0, 1);
	put(&message, 2, 2);
	put(&message, 0x1301, 2);
	put(&message, 1, 1);
	put(&message, 0, 1);
	put(&message, extensions.n, 2);
	put_bytes(&message, extensions.bytes, extensions.n);
	for (size_t at = 0; at < message.n; at += piece) {
		size_t n = message.n - at < piece ? message.n - at : piece;

		out[len] = 0x16;
		tp_store_be16(out + len + 1, 0x0301);
		tp_store_be16(out + len + 3, (uint16_t)n);
		memcpy(out + len + 5, message.bytes + at, n);
		len += 5 + n;
	}
	return len;
}
