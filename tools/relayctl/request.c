// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How many words of the line the command's name takes; 0: it is another.
static size_t name_matches(const char *name, const char *const *words)
{
	size_t n = 0;

	while (*name != '\0') {
		size_t len = strcspn(name, " ");

		if (words[n] == NULL || strlen(words[n]) != len || memcmp(words[n], name, len) != 0)
			return 0;
		n++;
		name += len + (name[len] == ' ');
	}
	return n;
}

static const struct ctl_command *command_find(const char *const *words, size_t *used)
{
	*used = 0;
	if (words[0] == NULL)
		return ctl_command_find("status");
	for (size_t i = 0; i < ctl_command_count(); i++) {
		*used = name_matches(ctl_command_at(i)->name, words);
		if (*used > 0)
			return ctl_command_at(i);
	}
	return NULL;
}

static void command_missing(const char *const *words, char *error, size_t error_size)
{
	size_t len = (size_t)snprintf(error, error_size, "no such command: %s%s%s; ", words[0],
		words[1] == NULL ? "" : " ", words[1] == NULL ? "" : words[1]);
	size_t first = len;

	// The verbs of the noun, if there is one of that name.
	for (size_t i = 0; i < ctl_command_count() && len < error_size; i++) {
		const char *name = ctl_command_at(i)->name;
		size_t n = strlen(words[0]);

		if (strncmp(name, words[0], n) == 0 && name[n] == ' ')
			len += (size_t)snprintf(error + len, error_size - len, "%s%s",
				len == first ? "there is: " : ", ", name);
	}
	if (len == first && len < error_size)
		snprintf(error + len, error_size - len, "relayctl --help lists them");
}

static json_t *value_read(const struct ctl_argument *a, const char *word)
{
	char *end;
	unsigned long long v;

	if (a->type == CTL_ARGUMENT_TEXT)
		return json_string(word);
	errno = 0;
	v = strtoull(word, &end, 10);
	if (*word < '0' || *word > '9' || *end != '\0' || errno != 0 || v > INT64_MAX)
		return NULL;
	return json_integer((json_int_t)v);
}

// "ttl 60" or "--ttl 60". A required value may look like the name of an optional one, so that the
// form without dashes names optional ones only, when no required one is missing.
static const struct ctl_argument *argument_named(
	const struct rctl_request *r, const char *word, bool bare)
{
	bool dashed = strncmp(word, "--", 2) == 0;

	for (size_t i = 0; i < r->command->n_arguments; i++) {
		const struct ctl_argument *a = &r->command->arguments[i];

		if (dashed && strcmp(a->name, word + 2) == 0)
			return a;
		if (bare && !a->required && strcmp(a->name, word) == 0)
			return a;
	}
	return NULL;
}

static const struct ctl_argument *argument_next(const struct rctl_request *r)
{
	for (size_t i = 0; i < r->command->n_arguments; i++) {
		const struct ctl_argument *a = &r->command->arguments[i];

		if (a->type != CTL_ARGUMENT_FLAG && json_object_get(r->arguments, a->name) == NULL)
			return a;
	}
	return NULL;
}

static bool required_is_missing(const struct rctl_request *r)
{
	const struct ctl_argument *a = argument_next(r);

	return a != NULL && a->required;
}

static int arguments_read(
	struct rctl_request *r, const char *const *words, char *error, size_t error_size)
{
	while (*words != NULL) {
		const struct ctl_argument *a = argument_named(r, words[0], !required_is_missing(r));
		json_t *value;

		if (a != NULL && a->type == CTL_ARGUMENT_FLAG) {
			json_object_set_new(r->arguments, a->name, json_true());
			words++;
			continue;
		}
		if (a != NULL && words[1] != NULL)
			words++;
		else
			a = argument_next(r);
		if (a == NULL) {
			snprintf(error, error_size, "%s takes no further argument: %s",
				r->command->name, words[0]);
			return -EINVAL;
		}
		value = value_read(a, words[0]);
		if (value == NULL) {
			snprintf(error, error_size, "%s: %s is no %s; %s", r->command->name,
				words[0], a->type == CTL_ARGUMENT_NUMBER ? "number" : "UTF-8 text",
				a->text);
			return -EINVAL;
		}
		json_object_set_new(r->arguments, a->name, value);
		words++;
	}
	if (required_is_missing(r)) {
		const struct ctl_argument *a = argument_next(r);

		snprintf(error, error_size, "%s needs %s: %s", r->command->name, a->name, a->text);
		return -EINVAL;
	}
	return 0;
}

int rctl_request_read(
	struct rctl_request *r, const char *const *words, char *error, size_t error_size)
{
	size_t used;
	int rc;

	*r = (struct rctl_request){.command = command_find(words, &used)};
	if (r->command == NULL) {
		command_missing(words, error, error_size);
		return -EINVAL;
	}
	r->arguments = json_object();
	if (r->arguments == NULL)
		return -ENOMEM;
	rc = arguments_read(r, words + used, error, error_size);
	if (rc < 0)
		rctl_request_fini(r);
	return rc;
}

void rctl_request_fini(struct rctl_request *r)
{
	json_decref(r->arguments);
	*r = (struct rctl_request){0};
}
