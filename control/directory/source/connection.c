// SPDX-License-Identifier: BSD-3-Clause
#include "connection.h"

#include <stdlib.h>
#include <string.h>

static const char *known_find(const char *const *known, const char *key)
{
	for (; *known != NULL; known++) {
		if (strcmp(*known, key) == 0)
			return *known;
	}
	return NULL;
}

// Quotes around a value are dropped.
static char *value_of(char *text)
{
	size_t len = strlen(text);

	if (len >= 2 && (text[0] == '\'' || text[0] == '"') && text[len - 1] == text[0]) {
		text[len - 1] = '\0';
		return text + 1;
	}
	return text;
}

static bool pair_add(struct connection *c, char *word, const char *const *known)
{
	char *equals = strchr(word, '=');

	if (equals == NULL) {
		c->problem = "has a word without \"=\"";
		return false;
	}
	*equals = '\0';
	if (c->n == sizeof(c->pairs) / sizeof(c->pairs[0])) {
		c->problem = "has too many keys";
		return false;
	}
	c->pairs[c->n].key = known_find(known, word);
	c->pairs[c->n].value = value_of(equals + 1);
	if (c->pairs[c->n++].key == NULL) {
		c->problem = "has a key that is not known";
		return false;
	}
	return true;
}

bool connection_parse(struct connection *c, const char *text, size_t len, const char *const *known)
{
	char *rest;

	*c = (struct connection){.copy = calloc(1, len + 1), .len = len};
	c->problem = "is not read: there is no memory";
	if (c->copy == NULL)
		return false;
	if (len > 0)
		memcpy(c->copy, text, len);
	for (char *word = strtok_r(c->copy, " \t", &rest); word != NULL;
		word = strtok_r(NULL, " \t", &rest)) {
		if (!pair_add(c, word, known))
			return false;
	}
	c->problem = NULL;
	return true;
}

const char *connection_get(const struct connection *c, const char *key, const char *initial)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (c->pairs[i].key != NULL && strcmp(c->pairs[i].key, key) == 0)
			return c->pairs[i].value;
	}
	return initial;
}

void connection_fini(struct connection *c)
{
	if (c->copy != NULL)
		explicit_bzero(c->copy, c->len);
	free(c->copy);
	*c = (struct connection){0};
}
