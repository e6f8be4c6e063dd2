// SPDX-License-Identifier: BSD-3-Clause
// Single values: from their text to their place in the draft.
#include "prepare.h"

#include <text/buf.h>
#include <text/time.h>

#include <errno.h>
#include <string.h>

// Decimal or 0x; no sign, no blanks, no octal.
static bool number_parse(const char *s, uint64_t *out)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	const char *digits = hex ? s + 2 : s;
	uint64_t v = 0;

	if (digits[0] == '\0' || strlen(digits) > 12 ||
		(!hex && digits[0] == '0' && digits[1] != '\0'))
		return false;
	for (; *digits != '\0'; digits++) {
		unsigned base = hex ? 16 : 10, d;

		if (*digits >= '0' && *digits <= '9')
			d = (unsigned)(*digits - '0');
		else if (hex && strchr("abcdef", *digits | 0x20) != NULL)
			d = (unsigned)((*digits | 0x20) - 'a') + 10;
		else
			return false;
		v = v * base + d;
	}
	*out = v;
	return true;
}

// In the base of the default: 0x4fff means more to a reader of RFCs than 20479.
static const char *number_range(struct conf_loader *load, const struct rule *rule)
{
	if (rule->max == UINT32_MAX)
		return "give a whole number";
	if (rule->initial != NULL && strncmp(rule->initial, "0x", 2) == 0)
		return conf_textf(load, "give a number from 0x%x to 0x%x", rule->min, rule->max);
	return conf_textf(load, "give a whole number from %u to %u", rule->min, rule->max);
}

static bool number_value(struct conf_loader *load, const struct rule *rule, enum rule_type type,
	const struct spot *where, const char *text, void *at)
{
	const char *remedy = number_range(load, rule);
	uint64_t v;

	if (!number_parse(text, &v)) {
		conf_complain(load, where, remedy, "%s is not a number", conf_quote(load, text));
		return false;
	}
	if (v < rule->min || v > rule->max) {
		conf_complain(load, where, remedy, "%s is out of range", conf_quote(load, text));
		return false;
	}
	if (type == RULE_U16)
		*(uint16_t *)at = (uint16_t)v;
	else
		*(uint32_t *)at = (uint32_t)v;
	return true;
}

static bool bool_value(
	struct conf_loader *load, const struct spot *where, const char *text, bool *at)
{
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "on"};
	static const char *const no[] = {"false", "False", "FALSE", "no", "off"};

	for (size_t i = 0; i < TP_ARRAY_LEN(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*at = strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	conf_complain(load, where, "give true or false", "%s is neither true nor false",
		conf_quote(load, text));
	return false;
}

static bool choice_value(struct conf_loader *load, const struct rule *rule,
	const struct spot *where, const char *text, int *at)
{
	const char *names = "";

	for (const struct rule_choice *c = rule->choices; c->name != NULL; c++) {
		if (strcmp(text, c->name) != 0) {
			names = conf_textf(
				load, "%s%s%s", names, names[0] != '\0' ? " or " : "", c->name);
			continue;
		}
		*at = c->value;
		return true;
	}
	conf_complain(load, where, conf_textf(load, "give %s", names), "%s is not known here",
		conf_quote(load, text));
	return false;
}

// Why an address can't be one of this host's, or outside of its NAT; NULL if it can.
static const char *not_unicast(const struct tp_addr *a, const char **remedy)
{
	static const uint8_t zero[16];

	*remedy = "give an address that one host has";
	if (memcmp(a->ip, zero, sizeof(zero)) == 0) {
		*remedy = "there is no wildcard: name each address";
		return "is the unspecified address";
	}
	if (a->family == TP_FAMILY_IPV4) {
		if (a->ip[0] == 0)
			return "is in 0.0.0.0/8, which no host can have";
		if (a->ip[0] >= 224 && a->ip[0] < 240)
			return "is a multicast address";
		if (a->ip[0] == 255)
			return "is a broadcast address";
		return NULL;
	}
	if (a->ip[0] == 0xff)
		return "is a multicast address";
	if (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80) {
		*remedy = "give a global or unique local address";
		return "is a link-local address";
	}
	return NULL;
}

static bool ip_value(struct conf_loader *load, const struct rule *rule, const struct spot *where,
	const char *text, struct tp_addr *at)
{
	const char *problem, *remedy;
	struct tp_addr a;

	if (text_ip_parse(text, &a) < 0) {
		struct text_cidr c;
		const char *what = "is not an IP address";

		if (text_addr_parse(text, &a) == 0)
			what = "has a port, which does not belong here";
		else if (text_cidr_parse(text, &c) != -EINVAL)
			what = "is a prefix, not an address";
		conf_complain(load, where,
			conf_textf(load, "give an IPv4 or IPv6 address such as %s",
				rule->example != NULL && rule->example[0] != '[' ? rule->example
										 : "192.0.2.10"),
			"%s %s", conf_quote(load, text), what);
		return false;
	}
	problem = not_unicast(&a, &remedy);
	if (problem != NULL) {
		conf_complain(load, where, remedy, "%s %s", conf_quote(load, text), problem);
		return false;
	}
	*at = a;
	return true;
}

static const char *cidr_masked(struct conf_loader *load, const char *text)
{
	const char *slash = strchr(text, '/');
	struct text_cidr c;
	struct tp_addr ip;
	char buf[TEXT_ADDR_SIZE];
	uint64_t bits;

	if (slash == NULL ||
		text_ip_parse(conf_textf(load, "%.*s", (int)(slash - text), text), &ip) ||
		!number_parse(slash + 1, &bits) || bits > tp_family_ip_len(ip.family) * 8u)
		return "give a prefix such as 10.20.0.0/16 or fd77::/16";
	c = text_cidr_make(&ip, (uint8_t)bits);
	return conf_textf(load, "write %s", text_cidr_format(&c, buf));
}

static bool cidr_value(
	struct conf_loader *load, const struct spot *where, const char *text, struct text_cidr *at)
{
	int rc = text_cidr_parse(text, at);

	if (rc == -ERANGE)
		conf_complain(load, where, cidr_masked(load, text), "%s has bits behind its prefix",
			conf_quote(load, text));
	else if (rc < 0)
		conf_complain(load, where, "give a prefix such as 10.20.0.0/16 or fd77::/16",
			"%s is not an address prefix", conf_quote(load, text));
	return rc == 0;
}

// The ports of a scope, behind a prefix or one in brackets; NULL: it has none.
static const char *scope_ports(const char *text)
{
	const char *colon = strchr(text, ':'), *close = strchr(text, ']');

	if (text[0] == '[')
		return close != NULL && close[1] == ':' ? close + 2 : NULL;
	return colon != NULL && strchr(colon + 1, ':') == NULL ? colon + 1 : NULL;
}

static bool ports_value(
	struct conf_loader *load, const struct spot *where, const char *text, uint16_t at[2])
{
	int rc = text_ports_parse(text, &at[0], &at[1]);

	if (rc == -ERANGE)
		conf_complain(load, where, "write the lower port first", "%s begins above its end",
			conf_quote(load, text));
	else if (rc < 0)
		conf_complain(load, where, "give a range from 1 to 65535 such as 49152-65535",
			"%s is not a range of ports", conf_quote(load, text));
	return rc == 0;
}

static bool scope_value(
	struct conf_loader *load, const struct spot *where, const char *text, struct text_scope *at)
{
	const char *ports = scope_ports(text);
	uint16_t range[2] = {0, 0};
	int len;

	if (ports == NULL)
		return cidr_value(load, where, text, &at->cidr);
	len = (int)(ports - text) - 1;
	if (text[0] == '[')
		text = conf_textf(load, "%.*s", len - 2, text + 1);
	else
		text = conf_textf(load, "%.*s", len, text);
	if (!cidr_value(load, where, text, &at->cidr) || !ports_value(load, where, ports, range))
		return false;
	at->port_min = range[0];
	at->port_max = range[1];
	return true;
}

// The address in front of the last colon; an IPv6 address is in brackets.
static bool place_ip_parse(
	struct conf_loader *load, const char *text, const char *colon, struct tp_addr *ip)
{
	bool bracket = text[0] == '[';

	return colon != NULL && colon > text && bracket == (colon[-1] == ']') &&
	       text_ip_parse(conf_textf(load, "%.*s", (int)(colon - text), text), ip) == 0 &&
	       bracket == (strchr(text, ':') != colon);
}

static bool place_value(
	struct conf_loader *load, const struct spot *where, const char *text, struct conf_place *at)
{
	const char *colon = strrchr(text, ':'), *problem, *remedy;
	struct tp_addr ip;
	uint16_t ports[2];

	if (!place_ip_parse(load, text, colon, &ip)) {
		conf_complain(load, where,
			"give 192.0.2.10:20000-20999 or [2001:db8::1]:20000-20999",
			"%s is not an address with ports", conf_quote(load, text));
		return false;
	}
	problem = not_unicast(&ip, &remedy);
	if (problem != NULL) {
		conf_complain(load, where, remedy, "%s %s", conf_quote(load, text), problem);
		return false;
	}
	if (!ports_value(load, where, colon + 1, ports))
		return false;
	*at = (struct conf_place){.ip = ip, .port_min = ports[0], .port_max = ports[1]};
	return true;
}

static bool time_value(
	struct conf_loader *load, const struct spot *where, const char *text, uint64_t *at)
{
	if (text_time_parse(text, at) == 0)
		return true;
	conf_complain(load, where, "give a date such as 2026-11-29 or 2026-11-29T07:20:00Z",
		"%s is not a time in UTC", conf_quote(load, text));
	return false;
}

static bool text_value(struct conf_loader *load, enum rule_type type, const struct spot *where,
	const char *text, const char **at)
{
	const char *dir = type == RULE_PATH && text[0] != '/' ? load->directory : "";
	size_t dir_len = strlen(dir), len = strlen(text);
	bool slash = dir_len > 0 && dir[dir_len - 1] != '/';
	char *p;

	if (!text_is_printable(text, len)) {
		conf_complain(load, where, "write it without control or invisible characters",
			"%s contains control or invisible characters", conf_quote(load, text));
		return false;
	}
	p = conf_array(load, dir_len + slash + len + 1, 1);
	if (p == NULL)
		return false;
	memcpy(p, dir, dir_len);
	if (slash)
		p[dir_len] = '/';
	memcpy(p + dir_len + slash, text, len + 1);
	*at = p;
	return true;
}

// A user's or realm's name.
static bool prepared_value(
	struct conf_loader *load, const struct spot *where, const char *text, const char **at)
{
	const struct conf_octets in = {(const uint8_t *)text, strlen(text)};
	struct conf_octets out;
	struct conf_fault fault;

	if (!text_is_printable(text, in.len))
		return text_value(load, RULE_TEXT, where, text, at); // the mistake of any text
	if (conf_prepare(load, in, false, &out, &fault))
		return text_value(load, RULE_TEXT, where, (const char *)out.data, at);
	if (fault.problem != NULL)
		conf_complain(
			load, where, fault.remedy, "%s %s", conf_quote(load, text), fault.problem);
	return false;
}

bool conf_value_read(struct conf_loader *load, const struct rule *rule, enum rule_type type,
	const struct spot *where, const char *text, void *at)
{
	switch (type) {
	case RULE_BOOL:
		return bool_value(load, where, text, at);
	case RULE_U16:
	case RULE_U32:
		return number_value(load, rule, type, where, text, at);
	case RULE_CHOICE:
		return choice_value(load, rule, where, text, at);
	case RULE_TEXT:
	case RULE_PATH:
		return rule->prepared ? prepared_value(load, where, text, at)
				      : text_value(load, type, where, text, at);
	case RULE_IP:
		return ip_value(load, rule, where, text, at);
	case RULE_CIDR:
		return cidr_value(load, where, text, at);
	case RULE_SCOPE:
		return scope_value(load, where, text, at);
	case RULE_PORTS:
		return ports_value(load, where, text, at);
	case RULE_PLACE:
		return place_value(load, where, text, at);
	case RULE_TIME:
		return time_value(load, where, text, at);
	case RULE_MAP:
	case RULE_LIST:
		break;
	}
	return false;
}
