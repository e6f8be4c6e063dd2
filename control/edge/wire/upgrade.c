// SPDX-License-Identifier: BSD-3-Clause
#include <wire/upgrade.h>

#include <stdio.h>

#include <openssl/evp.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Text that is not terminated.
struct view {
	const char *at;
	size_t n;
};

// The fields of a request that concern a WebSocket.
struct fields {
	bool upgrade;	 // Upgrade: websocket
	bool connection; // Connection: Upgrade
	bool version;	 // Sec-WebSocket-Version: 13
	unsigned keys, origins, hosts;
};

// ---- text ---------------------------------------------------------------------------------------

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_word(struct view v, const char *word)
{
	if (v.n != strlen(word))
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (lower(v.at[i]) != word[i])
			return false;
	}
	return true;
}

static struct view trim(struct view v)
{
	for (; v.n > 0 && (v.at[0] == ' ' || v.at[0] == '\t'); v.n--)
		v.at++;
	while (v.n > 0 && (v.at[v.n - 1] == ' ' || v.at[v.n - 1] == '\t'))
		v.n--;
	return v;
}

// The part before the first `c`, which v loses; all of it where there is none.
static struct view cut(struct view *v, char c)
{
	const char *end = v->n == 0 ? NULL : memchr(v->at, c, v->n);
	struct view part = {v->at, end == NULL ? v->n : (size_t)(end - v->at)};
	size_t taken = end == NULL ? v->n : part.n + 1;

	v->at += taken;
	v->n -= taken;
	return part;
}

static bool list_has(struct view list, const char *word)
{
	while (list.n > 0) {
		if (is_word(trim(cut(&list, ',')), word))
			return true;
	}
	return false;
}

// "" where it is too long.
static void keep(char *out, size_t size, struct view v)
{
	size_t n = v.n < size ? v.n : 0;

	if (n > 0)
		memcpy(out, v.at, n);
	out[n] = '\0';
}

static bool is_printable(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if ((v.at[i] < ' ' && v.at[i] != '\t') || v.at[i] == 0x7f)
			return false;
	}
	return true;
}

// ---- the request --------------------------------------------------------------------------------

// "GET /path?query HTTP/1.1"
static bool request_line_read(struct wire_upgrade *u, struct view line)
{
	struct view method = cut(&line, ' '), target = cut(&line, ' ');

	keep(u->path, sizeof(u->path), cut(&target, '?'));
	return method.n == 3 && memcmp(method.at, "GET", 3) == 0 && u->path[0] == '/' &&
	       is_word(line, "http/1.1");
}

static void field_read(
	struct wire_upgrade *u, struct fields *f, struct view name, struct view value)
{
	if (is_word(name, "upgrade")) {
		f->upgrade |= list_has(value, "websocket");
	} else if (is_word(name, "connection")) {
		f->connection |= list_has(value, "upgrade");
	} else if (is_word(name, "host")) {
		f->hosts++;
	} else if (is_word(name, "sec-websocket-version")) {
		f->version = is_word(value, "13");
	} else if (is_word(name, "sec-websocket-key")) {
		f->keys++;
		keep(u->key, sizeof(u->key), value);
	} else if (is_word(name, "sec-websocket-protocol")) {
		u->speaks_turn |= list_has(value, "turn");
	} else if (is_word(name, "origin")) {
		f->origins++;
		u->has_origin = true;
		keep(u->origin, sizeof(u->origin), value);
	}
}

// 16 bytes in base64.
static bool key_is_good(const char *key)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789+/";

	return strlen(key) == 24 && strspn(key, letters) == 22 && strcmp(key + 22, "==") == 0;
}

static bool lines_read(struct wire_upgrade *u, struct fields *f, struct view v)
{
	struct view line = cut(&v, '\n');
	bool good = line.n > 0 && line.at[line.n - 1] == '\r';

	line.n -= line.n > 0;
	good = good && is_printable(line) && request_line_read(u, line);
	while (v.n > 2) {
		struct view name, value = cut(&v, '\n');

		if (value.n == 0 || value.at[value.n - 1] != '\r')
			return false;
		value.n--;
		good &= is_printable(value) && memchr(value.at, ':', value.n) != NULL;
		name = cut(&value, ':');
		// A name with a blank at its end, or a line that goes on the one before.
		good &= name.n > 0 && trim(name).n == name.n;
		field_read(u, f, name, trim(value));
	}
	return good && f->hosts == 1 && f->keys <= 1 && f->origins <= 1;
}

static size_t end_find(const uint8_t *bytes, size_t len)
{
	for (size_t i = 3; i < len; i++) {
		if (bytes[i] == '\n' && memcmp(bytes + i - 3, "\r\n\r\n", 4) == 0)
			return i + 1;
	}
	return 0;
}

enum wire_upgrade_step wire_upgrade_read(struct wire_upgrade *u, const uint8_t *bytes, size_t len)
{
	size_t seen = len < WIRE_UPGRADE_MAX ? len : WIRE_UPGRADE_MAX;
	struct fields f = {.upgrade = false};
	bool good;

	*u = (struct wire_upgrade){.taken = end_find(bytes, seen)};
	if (u->taken == 0)
		return len < WIRE_UPGRADE_MAX ? WIRE_UPGRADE_MORE : WIRE_UPGRADE_LONG;
	good = lines_read(u, &f, (struct view){(const char *)bytes, u->taken});
	u->is_websocket = f.upgrade;
	if (!good)
		u->status = 400;
	else if (!f.upgrade || !f.version)
		u->status = 426;
	else
		u->status = f.connection && key_is_good(u->key) ? 101 : 400;
	return WIRE_UPGRADE_DONE;
}

// ---- the answer ---------------------------------------------------------------------------------

static const char *reason_of(unsigned status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 426:
		return "Upgrade Required";
	default:
		return "Request Header Fields Too Large";
	}
}

static void accept_make(char out[29], const char *key)
{
	char text[sizeof(guid) + 24];
	uint8_t digest[EVP_MAX_MD_SIZE] = {0};
	int n = snprintf(text, sizeof(text), "%s%s", key, guid);

	// Without the digest the client refuses the answer.
	(void)EVP_Digest(text, (size_t)n, digest, NULL, EVP_sha1(), NULL);
	EVP_EncodeBlock((uint8_t *)out, digest, 20);
}

size_t wire_upgrade_answer(
	char out[WIRE_UPGRADE_ANSWER_MAX], const struct wire_upgrade *u, unsigned status)
{
	char accept[29];

	if (status != 101)
		return (size_t)snprintf(out, WIRE_UPGRADE_ANSWER_MAX,
			"HTTP/1.1 %u %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n",
			status, reason_of(status),
			status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "");
	accept_make(accept, u->key);
	return (size_t)snprintf(out, WIRE_UPGRADE_ANSWER_MAX,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
		accept, u->speaks_turn ? "Sec-WebSocket-Protocol: turn\r\n" : "");
}
