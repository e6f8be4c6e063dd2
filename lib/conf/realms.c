// SPDX-License-Identifier: BSD-3-Clause
// Further realms: their ids, which listeners and origins choose them, and their checks.
#include "loader.h"
#include "settle.h"

#include <turnpike/siphash.h>

#include <string.h>

// Records of allocations carry the id over restarts, so it comes from the name and not from the
// place in the list.
static uint16_t id_make(const char *name)
{
	static const uint8_t key[16] = "number of realm";
	uint16_t id = (uint16_t)tp_siphash24(key, name, strlen(name));

	return id != 0 ? id : 1;
}

static void twins_check(struct conf_loader *load, size_t index)
{
	const struct draft *d = load->draft;
	const struct conf_realm *r = &d->realms[index].conf;
	const struct spot *where = conf_spot_of_struct(load, &d->realms[index]);

	if (strcmp(r->name, d->conf.realm) == 0)
		conf_complain(load, where, "give each realm a name of its own",
			"has the name of the file's own realm");
	for (size_t i = 0; i < index; i++) {
		const struct conf_realm *other = &d->realms[i].conf;

		if (other->name == NULL || other->id != r->id)
			continue;
		conf_complain(load, where, "give each realm a name of its own",
			strcmp(other->name, r->name) == 0
				? "has the same name as realm %s"
				: "has by chance the same number as realm %s",
			conf_quote(load, other->name));
	}
}

static void origins_check(struct conf_loader *load, size_t index)
{
	const struct draft *d = load->draft;
	const struct conf_realm *r = &d->realms[index].conf;

	for (size_t k = 0; k < r->n_origins; k++) {
		for (size_t i = 0; i < index; i++) {
			const struct conf_realm *other = &d->realms[i].conf;

			for (size_t m = 0; m < other->n_origins; m++) {
				if (r->origins[k] != NULL && other->origins[m] != NULL &&
					strcmp(r->origins[k], other->origins[m]) == 0)
					conf_complain(load,
						conf_spot_of_value(load, &r->origins[k]),
						"name each origin once", "chooses realm %s already",
						conf_quote(load, other->name));
			}
		}
	}
}

// 0: the file's own; UINT32_MAX: there is none of the name.
static uint32_t realm_find(const struct draft *d, const char *name)
{
	if (name == NULL || strcmp(name, d->conf.realm) == 0)
		return 0;
	for (size_t i = 0; i < d->n_realms; i++) {
		if (d->realms[i].conf.name != NULL && strcmp(d->realms[i].conf.name, name) == 0)
			return (uint32_t)i + 1;
	}
	return UINT32_MAX;
}

static void listeners_settle(struct conf_loader *load)
{
	struct draft *d = load->draft;

	for (size_t i = 0; i < d->conf.n_listeners; i++) {
		// Nobody else sees them yet.
		struct conf_listener *l = (struct conf_listener *)(uintptr_t)&d->conf.listeners[i];

		l->realm = realm_find(d, d->listeners[i].realm);
		if (l->realm != UINT32_MAX)
			continue;
		l->realm = 0;
		conf_complain(load, conf_spot_of_value(load, &d->listeners[i].realm),
			"name one of realms", "there is no realm %s",
			conf_quote(load, d->listeners[i].realm));
	}
}

void conf_settle_realms(struct conf_loader *load)
{
	static const struct spot list = {.key = "realms"};
	struct draft *d = load->draft;
	struct conf_realm *realms = conf_array(load, d->n_realms, sizeof(*realms));

	if (realms == NULL)
		return;
	if (d->n_realms > CONF_REALMS_MAX)
		conf_complain(load, &list, "run another instance for the rest",
			"has more than %u realms", CONF_REALMS_MAX);
	for (size_t i = 0; i < d->n_realms && i < CONF_REALMS_MAX; i++) {
		struct draft_realm *r = &d->realms[i];
		const struct spot *where = conf_spot_of_struct(load, r);

		if (where == NULL)
			continue;
		r->conf.id = id_make(r->conf.name);
		twins_check(load, i);
		origins_check(load, i);
		conf_realm_check(load, &r->conf.name, where, &r->own, false);
		conf_peers_check(load, &r->conf.peers);
		conf_budget_check(load, &r->conf.budget);
		conf_policies_check(load, r->conf.policies, r->conf.n_policies);
		realms[i] = r->conf;
	}
	listeners_settle(load);
	d->conf.realms = realms;
	d->conf.n_realms = d->n_realms;
}
