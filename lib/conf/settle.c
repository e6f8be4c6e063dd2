// SPDX-License-Identifier: BSD-3-Clause
// From the draft to the struct conf: instance and paths, credentials, peers and limits, then the
// parts in endpoints.c and ports.c.
#include "settle.h"

#include <policy/policy.h>
#include <turnpike/limits.h>

#include <string.h>
#include <sys/un.h>

#define ID_MAX 64u

static const char *path_make(struct conf_loader *load, const char *directory, const char *name)
{
	size_t a = strlen(directory), b = strlen(name);
	char *p = conf_array(load, a + b + 2, 1);

	if (p == NULL)
		return "";
	memcpy(p, directory, a);
	p[a] = '/';
	memcpy(p + a + 1, name, b + 1);
	return p;
}

static void names_settle(struct conf_loader *load, const char *instance)
{
	static const char *const remedy = "use 1 to 31 letters, digits, \"-\" and \"_\", not "
					  "beginning with \"-\", without \"map_\"";
	struct conf *c = &load->draft->conf;
	const struct spot *where = conf_spot_of_value(load, &c->instance);

	if (!conf_instance_valid(c->instance))
		conf_complain(load, where, remedy, "invalid instance name %s",
			conf_quote(load, c->instance));
	if (instance != NULL && !conf_instance_valid(instance))
		conf_complain(load, NULL, remedy, "--instance: invalid instance name %s",
			conf_quote(load, instance));
	if (instance != NULL) {
		c->instance = conf_arena_text(&load->arena, instance, strlen(instance));
		load->out_of_memory |= c->instance == NULL;
	}
	if (load->out_of_memory)
		return;
	if (c->runtime_directory == NULL)
		c->runtime_directory = path_make(load, "/run/turnpike", c->instance);
	if (c->control.socket == NULL)
		c->control.socket = path_make(load, c->runtime_directory, "control.sock");
	if (c->control.state_directory == NULL)
		c->control.state_directory = c->runtime_directory;
	if (strlen(c->control.socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		conf_complain(load, conf_spot_of_value(load, &c->control.socket),
			"shorten control.socket or runtime_directory",
			"the path of the operator socket is longer than %zu bytes",
			sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
}

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

static void tell_same_id(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	conf_complain(load, second, "give each secret an id of its own",
		"has the same id as the secret in line %u", first->line);
}

// The names, and the ids of secrets, of one realm.
static void credentials_check(struct conf_loader *load, const struct draft_credentials *d)
{
	for (size_t i = 0; i < d->n_users; i++) {
		const struct spot *where = conf_spot_of_value(load, &d->users[i].name);

		if (where != NULL && strlen(d->users[i].name) > USER_NAME_MAX)
			conf_complain(load, where, "give a shorter name", "has more than %u bytes",
				USER_NAME_MAX);
	}
	for (size_t i = 0; i < d->n_secrets; i++) {
		const struct spot *where = conf_spot_of_value(load, &d->secrets[i].id);

		if (where != NULL && strlen(d->secrets[i].id) > ID_MAX)
			conf_complain(
				load, where, "give a shorter id", "has more than %u bytes", ID_MAX);
	}
	for (size_t i = 0; i < d->n_secrets; i++) {
		const struct draft_secret *s = &d->secrets[i];

		if (s->not_after_s != 0 && s->not_after_s < s->not_before_s)
			conf_complain(load, conf_spot_of_value(load, &s->not_after_s),
				"give a later not_after or an earlier not_before",
				"ends before it begins");
	}
	conf_pairs_find(load, &(struct conf_pairs){d->secrets, d->n_secrets, sizeof(*d->secrets),
				      true, id_compare, tell_same_id});
}

void conf_realm_check(struct conf_loader *load, const char *const *name, const struct spot *whole,
	const struct draft_credentials *d, bool known)
{
	const struct conf_source *source = conf_source_of(&load->draft->conf.directory, *name);

	if (characters_count(*name) > REALM_MAX)
		conf_complain(load, conf_spot_of_value(load, name), "give a shorter one",
			"has more than %u characters", REALM_MAX);
	credentials_check(load, d);
	conf_tokens_check(load, &d->tokens, source != NULL && source->token_keys);
	if (!known && d->n_users == 0 && d->n_secrets == 0 && d->tokens.n_keys == 0 &&
		d->users_file == NULL && source == NULL)
		conf_complain(load, whole,
			"add secrets: [{id: NAME, secret_file: FILE}], users or directory.sources",
			"no users or secrets configured; no client could authenticate");
}

static void own_realm_check(struct conf_loader *load)
{
	static const struct spot nobody = {.key = "secrets"};
	const struct draft *d = load->draft;

	conf_realm_check(load, &d->conf.realm, &nobody, &d->own, d->conf.n_secrets > 0);
}

static int scope_compare(const void *a, const void *b)
{
	const struct text_scope *x = a, *y = b;
	int c = memcmp(&x->cidr.ip, &y->cidr.ip, sizeof(x->cidr.ip));

	if (c == 0)
		c = (int)x->cidr.prefix_len - (int)y->cidr.prefix_len;
	if (c == 0)
		c = (int)x->port_min - (int)y->port_min;
	return c != 0 ? c : (int)x->port_max - (int)y->port_max;
}

static void tell_same_scope(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	conf_warn(load, second, "keep one of the two", "is the same as %s in line %u", first->key,
		first->line);
}

void conf_peers_check(struct conf_loader *load, const struct conf_peers *p)
{
	const struct spot *trial = conf_spot_of_value(load, &p->dry_run);

	if (p->dry_run && p->n_deny == 0 && trial != NULL)
		conf_warn(load, trial, "add deny: or remove dry_run", "tries no rule");
	for (size_t i = 0; i < p->n_allow; i++) {
		const struct spot *where = conf_spot_of_value(load, &p->allow[i]);
		const char *never = policy_never_opens(&p->allow[i].cidr);
		char text[TEXT_ADDR_SIZE];

		if (where != NULL && never != NULL)
			conf_complain(load, where, "remove it", "%s can't be opened: %s",
				text_cidr_format(&p->allow[i].cidr, text), never);
	}

	conf_pairs_find(load, &(struct conf_pairs){p->allow, p->n_allow, sizeof(*p->allow), false,
				      scope_compare, tell_same_scope});
	conf_pairs_find(load, &(struct conf_pairs){p->deny, p->n_deny, sizeof(*p->deny), false,
				      scope_compare, tell_same_scope});
}

static void separator_check(struct conf_loader *load)
{
	const char *const *separator = &load->draft->conf.protocol.credential_separator;
	const char *s = *separator;

	if (strlen(s) == 1 && s[0] > ' ' && s[0] < 0x7f && (s[0] < '0' || s[0] > '9'))
		return;
	conf_complain(load, conf_spot_of_value(load, separator),
		"give one character of ASCII that is no digit, such as \":\"",
		"%s can't stand between time and name", conf_quote(load, s));
}

static void lifetimes_check(struct conf_loader *load)
{
	const struct conf_limits *l = &load->draft->conf.limits;
	const struct spot *where = conf_spot_of_value(load, &l->default_lifetime_s);

	if (l->default_lifetime_s > l->max_lifetime_s)
		conf_complain(load,
			where != NULL ? where : conf_spot_of_value(load, &l->max_lifetime_s),
			"lower default_lifetime or raise max_lifetime",
			"default_lifetime %u is longer than max_lifetime %u", l->default_lifetime_s,
			l->max_lifetime_s);
	where = conf_spot_of_value(load, &l->permission_lifetime_s);
	if (where != NULL && l->permission_lifetime_s < 300)
		conf_warn(load, where, "give 300 or more",
			"is shorter than RFC 8656 promises to clients");
	where = conf_spot_of_value(load, &l->channel_lifetime_s);
	if (where != NULL && l->channel_lifetime_s < 600)
		conf_warn(load, where, "give 600 or more",
			"is shorter than RFC 8656 promises to clients");
}

static void capacity_settle(struct conf_loader *load)
{
	struct conf *c = &load->draft->conf;
	struct conf_limits *l = &c->limits;
	const struct spot *where = conf_spot_of_value(load, &l->entries);
	uint64_t ports = c->relay.port_max - c->relay.port_min + 1u;

	if (where == NULL)
		l->entries =
			l->allocations * 8 < TP_ENTRIES_MAX ? l->allocations * 8 : TP_ENTRIES_MAX;
	else if (l->entries / 4 < l->allocations)
		conf_warn(load, where, conf_textf(load, "give at least %u", l->allocations * 4),
			"are too few for %u allocations with one channel each", l->allocations);
	where = conf_spot_of_value(load, &l->allocations);
	if (where != NULL && l->allocations > ports * c->relay.n_addresses)
		conf_warn(load, where, "widen relay.ports or add relay.addresses",
			"exceed the ports of the %zu relay addresses (%u each)",
			c->relay.n_addresses, (unsigned)ports);
}

void conf_budget_check(struct conf_loader *load, const struct conf_budget *b)
{
	const struct spot *start = conf_spot_of_value(load, &b->start);
	const struct spot *bandwidth = conf_spot_of_value(load, &b->bandwidth_kbps);

	if (start != NULL && b->period == CONF_BUDGET_DAY && b->start > 23)
		conf_complain(load, start, "give an hour, 0 to 23", "is no hour of a day");
	if (bandwidth != NULL && b->spent != CONF_SPENT_CAP)
		conf_warn(load, bandwidth, "add calls: cap or remove bandwidth",
			"has no effect: calls end when the budget is spent");
}

void conf_settle(struct conf_loader *load, const char *instance)
{
	names_settle(load, instance);
	conf_settle_endpoints(load);
	conf_settle_ports(load);
	conf_settle_places(load);
	conf_settle_edge(load);
	if (load->role == CONF_FOR_CONTROL || load->role == CONF_FOR_DIRECTORY)
		conf_settle_directory(load);
	if (load->role != CONF_FOR_CONTROL)
		return;
	own_realm_check(load);
	conf_peers_check(load, &load->draft->conf.peers);
	conf_budget_check(load, &load->draft->conf.limits.budget);
	conf_policies_check(load, load->draft->conf.policies, load->draft->conf.n_policies);
	conf_settle_realms(load);
	separator_check(load);
	lifetimes_check(load);
	capacity_settle(load);
}
