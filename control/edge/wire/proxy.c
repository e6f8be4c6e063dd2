// SPDX-License-Identifier: BSD-3-Clause
#include <wire/proxy.h>

#include <text/addr.h>

// ---- version 1: a line of text ------------------------------------------------------------------

// Words of the line, none empty, exactly one blank between two of them.
static size_t words_cut(char *line, char *words[], size_t max)
{
	size_t n = 0;

	for (char *p = line; n < max;) {
		char *end = strchr(p, ' ');

		words[n++] = p;
		if (end == NULL)
			return n;
		*end = '\0';
		p = end + 1;
	}
	return max + 1;
}

static bool port_read(const char *s, uint16_t *out)
{
	uint32_t v = 0;

	if (*s == '\0' || (s[0] == '0' && s[1] != '\0'))
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint32_t)(*s - '0');
		if (v > UINT16_MAX)
			return false;
	}
	*out = (uint16_t)v;
	return true;
}

static bool address_read(const char *ip, const char *port, bool six, struct tp_addr *out)
{
	uint16_t number;

	// The family of the word, not of the folded address, has to fit.
	if ((strchr(ip, ':') != NULL) != six || text_ip_parse(ip, out) < 0 ||
		!port_read(port, &number))
		return false;
	out->port_be = tp_htons(number);
	return true;
}

static bool line_read(struct wire_proxy *p, char *line)
{
	char *words[6];
	size_t n = words_cut(line, words, TP_ARRAY_LEN(words));
	struct tp_addr destination;
	bool six;

	if (n < 2 || strcmp(words[0], "PROXY") != 0)
		return false;
	// The rest of such a line has no meaning.
	if (strcmp(words[1], "UNKNOWN") == 0) {
		p->local = true;
		return true;
	}
	six = strcmp(words[1], "TCP6") == 0;
	return n == 6 && (six || strcmp(words[1], "TCP4") == 0) &&
	       address_read(words[2], words[4], six, &p->source) &&
	       address_read(words[3], words[5], six, &destination);
}

static enum wire_proxy_step v1_read(struct wire_proxy *p, const uint8_t *bytes, size_t len)
{
	size_t seen = len < WIRE_PROXY_V1_MAX ? len : WIRE_PROXY_V1_MAX;
	const uint8_t *end = memchr(bytes, '\n', seen);
	char line[WIRE_PROXY_V1_MAX];
	size_t n;

	if (end == NULL)
		return len < WIRE_PROXY_V1_MAX && memchr(bytes, '\0', seen) == NULL
			       ? WIRE_PROXY_MORE
			       : WIRE_PROXY_BAD;
	n = (size_t)(end - bytes);
	if (n == 0 || bytes[n - 1] != '\r' || memchr(bytes, '\0', n) != NULL)
		return WIRE_PROXY_BAD;
	memcpy(line, bytes, n - 1);
	line[n - 1] = '\0';
	p->taken = n + 1;
	return line_read(p, line) ? WIRE_PROXY_DONE : WIRE_PROXY_BAD;
}

// ---- version 2: bytes ---------------------------------------------------------------------------

static const uint8_t signature[12] = {
	'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

#define V2_HEADER_LEN 16u

static bool v2_address(struct wire_proxy *p, uint8_t family, const uint8_t *at, size_t len)
{
	switch (family) {
	case 0x11: // IPv4 and TCP
		if (len < 12)
			return false;
		p->source = tp_addr_ipv4(tp_load_be32(at), tp_load_be16(at + 8));
		return true;
	case 0x21: // IPv6 and TCP
		if (len < 36)
			return false;
		p->source = tp_addr_ipv6(at, tp_load_be16(at + 32));
		return true;
	case 0x00:
		p->local = true;
		return true;
	default: // datagrams and Unix sockets do not come by a stream of clients
		return false;
	}
}

static enum wire_proxy_step v2_read(struct wire_proxy *p, const uint8_t *bytes, size_t len)
{
	size_t more;

	if (memcmp(bytes, signature, len < sizeof(signature) ? len : sizeof(signature)) != 0)
		return WIRE_PROXY_BAD;
	if (len < V2_HEADER_LEN)
		return WIRE_PROXY_MORE;
	more = tp_load_be16(bytes + 14);
	if (bytes[12] >> 4 != 2 || (bytes[12] & 15) > 1 || more > WIRE_PROXY_V2_MAX - V2_HEADER_LEN)
		return WIRE_PROXY_BAD;
	if (len - V2_HEADER_LEN < more)
		return WIRE_PROXY_MORE;
	p->taken = V2_HEADER_LEN + more;
	if ((bytes[12] & 15) == 0) {
		p->local = true;
		return WIRE_PROXY_DONE;
	}
	return v2_address(p, bytes[13], bytes + V2_HEADER_LEN, more) ? WIRE_PROXY_DONE
								     : WIRE_PROXY_BAD;
}

enum wire_proxy_step wire_proxy_read(struct wire_proxy *p, const uint8_t *bytes, size_t len)
{
	static const char word[] = "PROXY ";

	*p = (struct wire_proxy){0};
	if (len == 0)
		return WIRE_PROXY_MORE;
	if (bytes[0] == signature[0])
		return v2_read(p, bytes, len);
	if (memcmp(bytes, word, len < sizeof(word) - 1 ? len : sizeof(word) - 1) != 0)
		return WIRE_PROXY_BAD;
	return v1_read(p, bytes, len);
}

// ---- writing ------------------------------------------------------------------------------------

static void six_put(uint8_t *out, const struct tp_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family == TP_FAMILY_IPV6) {
		memcpy(out, a->ip, 16);
		return;
	}
	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + sizeof(mapped), a->ip, 4);
}

size_t wire_proxy_write(uint8_t out[WIRE_PROXY_WRITE_MAX], const struct tp_addr *source,
	const struct tp_addr *destination)
{
	bool six = source->family == TP_FAMILY_IPV6 || destination->family == TP_FAMILY_IPV6;
	size_t ip_len = six ? 16 : 4, len = 2 * ip_len + 4;
	uint8_t *at = out + V2_HEADER_LEN;

	memcpy(out, signature, sizeof(signature));
	out[12] = 0x21; // version 2, for somebody
	out[13] = six ? 0x21 : 0x11;
	tp_store_be16(out + 14, (uint16_t)len);
	if (six) {
		six_put(at, source);
		six_put(at + ip_len, destination);
	} else {
		memcpy(at, source->ip, ip_len);
		memcpy(at + ip_len, destination->ip, ip_len);
	}
	memcpy(at + 2 * ip_len, &source->port_be, 2);
	memcpy(at + 2 * ip_len + 2, &destination->port_be, 2);
	return V2_HEADER_LEN + len;
}
