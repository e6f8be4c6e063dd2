// SPDX-License-Identifier: BSD-3-Clause
#include <wire/hello.h>

#define RECORD_HEADER_LEN     5u
#define RECORD_MAX	      16384u
#define MESSAGE_HEADER_LEN    4u

#define EXTENSION_SERVER_NAME 0u
#define EXTENSION_ALPN	      16u

// Bytes that are still to be read.
struct view {
	const uint8_t *at;
	size_t n;
};

static bool number_take(struct view *v, size_t bytes, size_t *out)
{
	size_t n = 0;

	if (v->n < bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | v->at[i];
	v->at += bytes;
	v->n -= bytes;
	*out = n;
	return true;
}

static bool bytes_take(struct view *v, size_t n, struct view *out)
{
	if (v->n < n)
		return false;
	*out = (struct view){v->at, n};
	v->at += n;
	v->n -= n;
	return true;
}

// A vector behind its length.
static bool vector_take(struct view *v, size_t bytes, struct view *out)
{
	size_t n;

	return number_take(v, bytes, &n) && bytes_take(v, n, out);
}

// ---- records ------------------------------------------------------------------------------------

// Length of the message with its header as far as the first four bytes tell; 0: too few.
static size_t message_len(const struct wire_hello *h)
{
	if (h->n_message < MESSAGE_HEADER_LEN)
		return 0;
	return MESSAGE_HEADER_LEN +
	       ((size_t)h->message[1] << 16 | (size_t)h->message[2] << 8 | h->message[3]);
}

// Puts the message together. DONE: it is whole.
static enum wire_hello_step records_join(struct wire_hello *h, struct view v)
{
	while (v.n > 0) {
		size_t room, n;

		if (v.at[0] != 0x16 || (v.n >= 2 && v.at[1] != 3))
			return WIRE_HELLO_BAD;
		if (v.n < RECORD_HEADER_LEN)
			return WIRE_HELLO_MORE;
		n = tp_load_be16(v.at + 3);
		if (n == 0 || n > RECORD_MAX)
			return WIRE_HELLO_BAD;
		v.at += RECORD_HEADER_LEN;
		v.n -= RECORD_HEADER_LEN;
		n = n < v.n ? n : v.n;
		room = sizeof(h->message) - h->n_message;
		n = n < room ? n : room;
		memcpy(h->message + h->n_message, v.at, n);
		h->n_message += n;
		v.at += n;
		v.n -= n;
		if (h->message[0] != 1 && h->n_message > 0)
			return WIRE_HELLO_BAD;
		if (message_len(h) > sizeof(h->message) - RECORD_HEADER_LEN)
			return WIRE_HELLO_BAD;
		if (message_len(h) != 0 && h->n_message >= message_len(h))
			return WIRE_HELLO_DONE;
	}
	return WIRE_HELLO_MORE;
}

// ---- extensions ---------------------------------------------------------------------------------

static bool is_host_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static bool name_take(struct wire_hello *h, struct view data)
{
	struct view list, name;
	size_t type;

	if (!vector_take(&data, 2, &list) || !number_take(&list, 1, &type) ||
		!vector_take(&list, 2, &name) || name.n == 0 || name.n > WIRE_HELLO_NAME_MAX)
		return false;
	// The one type there is.
	if (type != 0)
		return true;
	if (name.n > 1 && name.at[name.n - 1] == '.')
		name.n--;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.at[i];

		c = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
		if (!is_host_byte(c)) {
			memcpy(h->name, "?", 2);
			return true;
		}
		h->name[i] = (char)c;
	}
	h->name[name.n] = '\0';
	return true;
}

static bool is_word(struct view v, const char *word)
{
	return v.n == strlen(word) && memcmp(v.at, word, v.n) == 0;
}

static bool protocols_take(struct wire_hello *h, struct view data)
{
	struct view list;

	if (!vector_take(&data, 2, &list) || list.n == 0)
		return false;
	while (list.n > 0) {
		struct view v;

		if (!vector_take(&list, 1, &v) || v.n == 0)
			return false;
		if (is_word(v, "stun.turn") || is_word(v, "stun.nat-discovery"))
			h->protocols |= WIRE_HELLO_TURN;
		else if (is_word(v, "http/1.1"))
			h->protocols |= WIRE_HELLO_HTTP1;
		else
			h->protocols |= WIRE_HELLO_OTHER;
	}
	return true;
}

static bool extensions_take(struct wire_hello *h, struct view v)
{
	while (v.n > 0) {
		struct view data;
		size_t type;

		if (!number_take(&v, 2, &type) || !vector_take(&v, 2, &data))
			return false;
		if (type == EXTENSION_SERVER_NAME && !name_take(h, data))
			return false;
		if (type == EXTENSION_ALPN && !protocols_take(h, data))
			return false;
	}
	return true;
}

static bool message_read(struct wire_hello *h)
{
	struct view v = {h->message + MESSAGE_HEADER_LEN, message_len(h) - MESSAGE_HEADER_LEN};
	struct view skipped, extensions;

	// Version and random, session, cipher suites, compression methods.
	if (!bytes_take(&v, 2 + 32, &skipped) || !vector_take(&v, 1, &skipped) ||
		!vector_take(&v, 2, &skipped) || !vector_take(&v, 1, &skipped))
		return false;
	return v.n == 0 || (vector_take(&v, 2, &extensions) && extensions_take(h, extensions));
}

enum wire_hello_step wire_hello_read(struct wire_hello *h, const uint8_t *bytes, size_t len)
{
	enum wire_hello_step step;

	h->name[0] = '\0';
	h->protocols = 0;
	h->n_message = 0;
	len = len < WIRE_HELLO_MAX ? len : WIRE_HELLO_MAX;
	step = records_join(h, (struct view){bytes, len});
	if (step == WIRE_HELLO_MORE && len == WIRE_HELLO_MAX)
		return WIRE_HELLO_BAD;
	if (step == WIRE_HELLO_DONE && !message_read(h))
		return WIRE_HELLO_BAD;
	return step;
}
