// SPDX-License-Identifier: BSD-3-Clause
// Checks of a realm's policies for some of its users.
#include "loader.h"
#include "settle.h"

#include <string.h>

// The first policies that have the user, and the place of it there.
static const struct conf_policy *user_find(const struct conf_policy *list, size_t n_policies,
	const char *name, const struct conf_policy *last, size_t n_last)
{
	for (size_t i = 0; i < n_policies; i++) {
		size_t n = &list[i] == last ? n_last : list[i].n_users;

		for (size_t k = 0; k < n; k++) {
			if (list[i].users[k] != NULL && strcmp(list[i].users[k], name) == 0)
				return &list[i];
		}
	}
	return NULL;
}

static void users_check(struct conf_loader *load, const struct conf_policy *list, size_t index)
{
	const struct conf_policy *p = &list[index];

	for (size_t k = 0; k < p->n_users; k++) {
		const char *name = p->users[k];
		const struct conf_policy *first =
			name == NULL ? NULL : user_find(list, index + 1, name, p, k);

		if (first != NULL && first->name != NULL)
			conf_complain(load, conf_spot_of_value(load, &p->users[k]),
				"name each user once", "has policy %s already",
				conf_quote(load, first->name));
	}
}

void conf_policies_check(struct conf_loader *load, const struct conf_policy *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (list[i].name != NULL && list[k].name != NULL &&
				strcmp(list[i].name, list[k].name) == 0)
				conf_complain(load, conf_spot_of_value(load, &list[i].name),
					"give each policy a name of its own",
					"is the name of another policy");
		}
		conf_peers_check(load, &list[i].peers);
		users_check(load, list, i);
	}
}
