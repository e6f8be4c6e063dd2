// SPDX-License-Identifier: BSD-3-Clause
// The difference of two configurations for keys_test.py: show FROM TO. A change is a line: its key,
// the process that it reaches, and its text.
#include <settings/diff.h>

#include <stdio.h>

static struct conf *load(const char *path)
{
	const struct conf_request request = {.role = CONF_FOR_CONTROL, .path = path};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;

	if (conf_load(&request, &conf, &errs) < 0) {
		for (size_t i = 0; i < errs.len; i++)
			if (!errs.items[i].warning)
				printf("%s: %s\n", errs.items[i].key, errs.items[i].problem);
	}
	conf_errors_fini(&errs);
	return conf;
}

static void show(const struct settings_change *c)
{
	static const char *const reaches[] = {
		[SETTINGS_CONTROL] = "control",
		[SETTINGS_EDGE] = "edge",
		[SETTINGS_EDGE_START] = "edge-start",
		[SETTINGS_DIRECTORY] = "directory",
	};

	printf("%s\t%s\t%s\n", c->key, c->restart ? "start" : reaches[c->reach], c->text);
}

int main(int argc, char **argv)
{
	struct conf *from, *to;
	struct settings_diff d;
	int status = 2;

	if (argc != 3)
		return 2;
	from = load(argv[1]);
	to = load(argv[2]);
	if (from != NULL && to != NULL && settings_diff(&d, from, to) == 0) {
		for (unsigned i = 0; i < d.n && i < SETTINGS_CHANGES_MAX; i++)
			show(&d.changes[i]);
		status = 0;
	}
	conf_free(from);
	conf_free(to);
	return status;
}
