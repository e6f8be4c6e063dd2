// SPDX-License-Identifier: BSD-3-Clause
// A ClientHello by its bytes. Every start of one is a start, bytes behind one do not count, and
// the same message in other records has the same name.
#include <wire/hello.h>

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "wire_hello: %s\n", text);
	abort();
}

// Bytes behind the end must not be read, so each reading has memory of its own.
static enum wire_hello_step read_copy(struct wire_hello *h, const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	enum wire_hello_step step;

	if (bytes == NULL)
		abort();
	memcpy(bytes + 1, data, size);
	step = wire_hello_read(h, bytes + 1, size);
	free(bytes);
	return step;
}

static void name_check(const struct wire_hello *h)
{
	require(strlen(h->name) <= WIRE_HELLO_NAME_MAX, "a name too long");
	for (const char *c = h->name; *c != '\0'; c++)
		require(*c > ' ' && *c < 0x7f && (*c < 'A' || *c > 'Z'), "a byte of a name");
}

// The message once more, in records of another length.
static void records_check(const struct wire_hello *whole, size_t piece)
{
	static struct wire_hello other;
	static uint8_t out[6 * WIRE_HELLO_MAX];
	size_t len = 0;

	for (size_t at = 0; at < whole->n_message; at += piece) {
		size_t n = whole->n_message - at < piece ? whole->n_message - at : piece;

		out[len] = 0x16;
		tp_store_be16(out + len + 1, 0x0303);
		tp_store_be16(out + len + 3, (uint16_t)n);
		memcpy(out + len + 5, whole->message + at, n);
		len += 5 + n;
	}
	if (len > WIRE_HELLO_MAX)
		return;
	require(read_copy(&other, out, len) == WIRE_HELLO_DONE, "other records are none");
	require(strcmp(other.name, whole->name) == 0 && other.protocols == whole->protocols,
		"records change the name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_hello whole, part;
	enum wire_hello_step step;

	if (size < 2)
		return 0;
	step = read_copy(&whole, data + 1, size - 1);
	require(step != WIRE_HELLO_MORE || size - 1 < WIRE_HELLO_MAX, "a message without an end");
	if (step != WIRE_HELLO_DONE)
		return 0;
	name_check(&whole);
	require(read_copy(&part, data + 1, (size - 1) * data[0] / 256) != WIRE_HELLO_BAD,
		"a start of a message is bad");
	records_check(&whole, 1u + data[0]);
	return 0;
}
