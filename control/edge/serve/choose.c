// SPDX-License-Identifier: BSD-3-Clause
#include "internal.h"

#include <strings.h>

// "*.example.org" has one part more than "example.org".
static bool name_fits(const char *pattern, const char *name)
{
	const char *dot = strchr(name, '.');

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, name) == 0;
	return dot != NULL && dot != name && strcasecmp(pattern + 1, dot) == 0;
}

static bool names_have(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (name_fits(names[i], name))
			return true;
	}
	return false;
}

const struct conf_backend *choose_backend(
	const struct conf_listener *l, const struct wire_hello *h, bool own)
{
	bool nameless = h->name[0] == '\0', listed = names_have(l->names, l->n_names, h->name);
	// A WebSocket begins with a request of HTTP/1.1, and no browser offers h2 for one.
	bool asks_ours = h->protocols == 0 || (h->protocols & WIRE_HELLO_TURN) != 0 ||
			 (l->websocket.path != NULL && h->protocols == WIRE_HELLO_HTTP1);
	const struct conf_backend *named = NULL, *any = NULL;

	for (size_t i = l->n_backends; i-- > 0;) {
		const struct conf_backend *b = &l->backends[i];

		if (b->plain)
			continue;
		if (b->n_names == 0)
			any = b;
		else if (!nameless && names_have(b->names, b->n_names, h->name))
			named = b;
	}
	// A certificate for *.example.org has the names of servers that are listed elsewhere.
	if (asks_ours && (nameless || listed || (own && named == NULL)))
		return NULL;
	return named != NULL ? named : any;
}

const struct conf_backend *choose_plain(const struct conf_listener *l, const char *name)
{
	for (size_t i = 0; i < l->n_backends; i++) {
		const struct conf_backend *b = &l->backends[i];

		if (b->plain && (b->n_names == 0 ||
					(name != NULL && names_have(b->names, b->n_names, name))))
			return b;
	}
	return NULL;
}
