// SPDX-License-Identifier: BSD-3-Clause
#include <text/addr.h>

#include <text/buf.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#define MAPPED_PREFIX_LEN 96u

// Digits alone, so that neither signs, blanks nor octal slip through strtoul.
static int number_parse(const char *s, size_t len, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (len == 0 || len > 5 || (len > 1 && s[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	if (v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

static int ip_parse(const char *s, size_t len, uint16_t port, struct tp_addr *out, bool *mapped)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (len == 0 || len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	*mapped = false;
	if (inet_pton(AF_INET, text, ip) == 1) {
		*out = tp_addr_ipv4(tp_load_be32(ip), port);
		return 0;
	}
	if (inet_pton(AF_INET6, text, ip) != 1)
		return -EINVAL;
	*out = tp_addr_ipv6(ip, port);
	*mapped = out->family == TP_FAMILY_IPV4;
	return 0;
}

int text_ip_parse(const char *s, struct tp_addr *out)
{
	size_t len = strlen(s);
	bool mapped;

	if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		if (memchr(s, ':', len) == NULL)
			return -EINVAL;
		return ip_parse(s + 1, len - 2, 0, out, &mapped);
	}
	return ip_parse(s, len, 0, out, &mapped);
}

int text_addr_parse(const char *s, struct tp_addr *out)
{
	const char *colon = strrchr(s, ':');
	size_t len;
	uint16_t port;
	bool mapped;

	if (colon == NULL || text_port_parse(colon + 1, &port) < 0)
		return -EINVAL;
	len = (size_t)(colon - s);
	if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		if (memchr(s, ':', len) == NULL)
			return -EINVAL;
		return ip_parse(s + 1, len - 2, port, out, &mapped);
	}
	// Without brackets an IPv6 address and its port can't be told apart.
	if (memchr(s, ':', len) != NULL)
		return -EINVAL;
	return ip_parse(s, len, port, out, &mapped);
}

int text_cidr_parse(const char *s, struct text_cidr *out)
{
	const char *slash = strchr(s, '/');
	size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	struct text_cidr c;
	struct tp_addr ip;
	unsigned bits, max;
	bool mapped;

	if (ip_parse(s, len, 0, &ip, &mapped) < 0)
		return -EINVAL;
	max = tp_family_ip_len(ip.family) * 8u;
	if (slash == NULL) {
		bits = max;
	} else {
		if (number_parse(slash + 1, strlen(slash + 1), mapped ? 128 : max, &bits) < 0)
			return -EINVAL;
		if (mapped && bits < MAPPED_PREFIX_LEN)
			return -EINVAL;
		if (mapped)
			bits -= MAPPED_PREFIX_LEN;
	}
	c = text_cidr_make(&ip, (uint8_t)bits);
	if (!tp_addr_same_ip(&c.ip, &ip))
		return -ERANGE;
	*out = c;
	return 0;
}

int text_port_parse(const char *s, uint16_t *out)
{
	unsigned v;

	if (number_parse(s, strlen(s), UINT16_MAX, &v) < 0 || v == 0)
		return -EINVAL;
	*out = (uint16_t)v;
	return 0;
}

int text_ports_parse(const char *s, uint16_t *low, uint16_t *high)
{
	const char *dash = strchr(s, '-');
	unsigned a, b;

	if (number_parse(s, dash != NULL ? (size_t)(dash - s) : strlen(s), UINT16_MAX, &a) < 0)
		return -EINVAL;
	b = a;
	if (dash != NULL && number_parse(dash + 1, strlen(dash + 1), UINT16_MAX, &b) < 0)
		return -EINVAL;
	if (a == 0 || b == 0)
		return -EINVAL;
	if (a > b)
		return -ERANGE;
	*low = (uint16_t)a;
	*high = (uint16_t)b;
	return 0;
}

struct text_cidr text_cidr_make(const struct tp_addr *ip, uint8_t prefix_len)
{
	struct text_cidr c = {.ip = *ip, .prefix_len = prefix_len};
	unsigned octet = prefix_len / 8u;

	c.ip.port_be = 0;
	if (octet < sizeof(c.ip.ip)) {
		c.ip.ip[octet] &= (uint8_t) ~(0xffu >> (prefix_len % 8u));
		memset(c.ip.ip + octet + 1, 0, sizeof(c.ip.ip) - octet - 1);
	}
	return c;
}

bool text_cidr_contains(const struct text_cidr *c, const struct tp_addr *ip)
{
	unsigned whole = c->prefix_len / 8, bits = c->prefix_len % 8;

	// Octets by hand: a call costs more than the four that an IPv4 prefix has at most.
	if (c->ip.family != ip->family)
		return false;
	for (unsigned i = 0; i < whole; i++)
		if (c->ip.ip[i] != ip->ip[i])
			return false;
	return bits == 0 || (c->ip.ip[whole] ^ ip->ip[whole]) >> (8 - bits) == 0;
}

static void ip_add(struct text_buf *b, const struct tp_addr *a)
{
	char ip[TEXT_ADDR_SIZE];

	if (a->family == TP_FAMILY_IPV6) {
		text_buf_add(b, inet_ntop(AF_INET6, a->ip, ip, sizeof(ip)));
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			text_buf_add(b, ".");
		text_buf_add_number(b, a->ip[i], 10, 1);
	}
}

const char *text_ip_format(const struct tp_addr *a, char *buf)
{
	struct text_buf b;

	text_buf_init(&b, buf, TEXT_ADDR_SIZE);
	if (a->family == TP_FAMILY_NONE)
		text_buf_add(&b, "none");
	else
		ip_add(&b, a);
	return buf;
}

const char *text_addr_format(const struct tp_addr *a, char *buf)
{
	bool bracketed = a->family == TP_FAMILY_IPV6;
	struct text_buf b;

	if (a->family == TP_FAMILY_NONE)
		return text_ip_format(a, buf);
	text_buf_init(&b, buf, TEXT_ADDR_SIZE);
	text_buf_add(&b, bracketed ? "[" : "");
	ip_add(&b, a);
	text_buf_add(&b, bracketed ? "]:" : ":");
	text_buf_add_number(&b, tp_addr_port(a), 10, 1);
	return buf;
}

const char *text_cidr_format(const struct text_cidr *c, char *buf)
{
	char ip[TEXT_ADDR_SIZE];

	snprintf(buf, TEXT_ADDR_SIZE, "%.48s/%u", text_ip_format(&c->ip, ip), c->prefix_len);
	return buf;
}

const char *text_scope_format(const struct text_scope *s, char *buf)
{
	bool bracketed = s->cidr.ip.family == TP_FAMILY_IPV6;
	char cidr[TEXT_ADDR_SIZE];
	struct text_buf b;

	text_cidr_format(&s->cidr, cidr);
	text_buf_init(&b, buf, TEXT_ADDR_SIZE);
	if (!text_scope_has_ports(s)) {
		text_buf_add(&b, cidr);
		return buf;
	}
	text_buf_add(&b, bracketed ? "[" : "");
	text_buf_add(&b, cidr);
	text_buf_add(&b, bracketed ? "]:" : ":");
	text_buf_add_number(&b, s->port_min, 10, 1);
	if (s->port_max != s->port_min) {
		text_buf_add(&b, "-");
		text_buf_add_number(&b, s->port_max, 10, 1);
	}
	return buf;
}
