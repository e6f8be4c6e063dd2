// SPDX-License-Identifier: BSD-3-Clause
// Names, credentials, peers and limits.
#include "settle.h"

#include <policy/policy.h>
#include <turnpike/limits.h>

#include <string.h>

#define ID_MAX 64u

static size_t characters_count(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int id_compare(const void *a, const void *b)
{
	return strcmp(((const struct draft_secret *)a)->id, ((const struct draft_secret *)b)->id);
}

static void tell_same_id(struct reader *r, const struct spot *first, const struct spot *second)
{
	reader_complain(r, second, "give each secret an id of its own",
		"has the same id as the secret in line %u", first->line);
}

static void credentials_check(struct reader *r)
{
	static const struct spot nobody = {.key = "secrets"};
	const struct draft *d = r->draft;

	if (characters_count(d->conf.realm) > REALM_MAX)
		reader_complain(r, reader_find_value(r, &d->conf.realm), "give a shorter one",
			"has more than %u characters", REALM_MAX);
	for (size_t i = 0; i < d->n_users; i++) {
		const struct spot *where = reader_find_value(r, &d->users[i].name);

		if (where != NULL && strlen(d->users[i].name) > USER_NAME_MAX)
			reader_complain(r, where, "give a shorter name", "has more than %u octets",
				USER_NAME_MAX);
	}
	for (size_t i = 0; i < d->n_secrets; i++) {
		const struct spot *where = reader_find_value(r, &d->secrets[i].id);

		if (where != NULL && strlen(d->secrets[i].id) > ID_MAX)
			reader_complain(
				r, where, "give a shorter id", "has more than %u octets", ID_MAX);
	}
	reader_find_pairs(r, &(struct reader_pairs){d->secrets, d->n_secrets, sizeof(*d->secrets),
				     true, id_compare, tell_same_id});
	if (d->conf.n_users == 0 && d->conf.n_secrets == 0 && d->users_file == NULL)
		reader_complain(r, &nobody,
			"add secrets: [{id: NAME, secret_file: FILE}], or users",
			"there are neither secrets nor users, and nobody is served without");
}

static int cidr_compare(const void *a, const void *b)
{
	const struct text_cidr *x = a, *y = b;
	int c = memcmp(&x->ip, &y->ip, sizeof(x->ip));

	return c != 0 ? c : (int)x->prefix_len - (int)y->prefix_len;
}

static void tell_same_cidr(struct reader *r, const struct spot *first, const struct spot *second)
{
	reader_warn(r, second, "keep one of the two", "is the same as %s in line %u", first->key,
		first->line);
}

static void peers_check(struct reader *r)
{
	const struct conf_peers *p = &r->draft->conf.peers;

	for (size_t i = 0; i < p->n_allow; i++) {
		const struct spot *where = reader_find_value(r, &p->allow[i]);
		const char *never = policy_never_opens(&p->allow[i]);
		char text[TEXT_ADDR_SIZE];

		if (where != NULL && never != NULL)
			reader_complain(r, where, "remove it", "%s can't be opened: %s",
				text_cidr_format(&p->allow[i], text), never);
	}

	reader_find_pairs(r, &(struct reader_pairs){p->allow, p->n_allow, sizeof(*p->allow), false,
				     cidr_compare, tell_same_cidr});
	reader_find_pairs(r, &(struct reader_pairs){p->deny, p->n_deny, sizeof(*p->deny), false,
				     cidr_compare, tell_same_cidr});
}

static void lifetimes_check(struct reader *r)
{
	const struct conf_limits *l = &r->draft->conf.limits;
	const struct spot *where = reader_find_value(r, &l->default_lifetime_s);

	if (l->default_lifetime_s > l->max_lifetime_s)
		reader_complain(r, where != NULL ? where : reader_find_value(r, &l->max_lifetime_s),
			"lower default_lifetime or raise max_lifetime",
			"default_lifetime %u is longer than max_lifetime %u", l->default_lifetime_s,
			l->max_lifetime_s);
	where = reader_find_value(r, &l->permission_lifetime_s);
	if (where != NULL && l->permission_lifetime_s < 300)
		reader_warn(r, where, "give 300 or more",
			"is shorter than RFC 8656 promises to clients");
	where = reader_find_value(r, &l->channel_lifetime_s);
	if (where != NULL && l->channel_lifetime_s < 600)
		reader_warn(r, where, "give 600 or more",
			"is shorter than RFC 8656 promises to clients");
}

static void capacity_settle(struct reader *r)
{
	struct conf *c = &r->draft->conf;
	struct conf_limits *l = &c->limits;
	const struct spot *where = reader_find_value(r, &l->entries);
	uint64_t ports = c->relay.port_max - c->relay.port_min + 1u;

	if (where == NULL)
		l->entries =
			l->allocations * 8 < TP_ENTRIES_MAX ? l->allocations * 8 : TP_ENTRIES_MAX;
	else if (l->entries / 4 < l->allocations)
		reader_warn(r, where, reader_textf(r, "give at least %u", l->allocations * 4),
			"are too few for %u allocations with one channel each", l->allocations);
	where = reader_find_value(r, &l->allocations);
	if (where != NULL && l->allocations > ports * c->relay.n_addresses)
		reader_warn(r, where, "widen relay.ports or add relay.addresses",
			"are more than the %zu relay addresses have ports (%u each)",
			c->relay.n_addresses, (unsigned)ports);
}

void settle_service(struct reader *r)
{
	credentials_check(r);
	peers_check(r);
	lifetimes_check(r);
	capacity_settle(r);
}
