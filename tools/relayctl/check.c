// SPDX-License-Identifier: BSD-3-Clause
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <conf/conf.h>

#include "printer.h"

bool rctl_check_is_local(const struct rctl_request *r)
{
	return strcmp(r->command->name, "config check") == 0 &&
	       json_object_get(r->arguments, "file") != NULL;
}

int rctl_check_verdict(const struct rctl_request *r, const json_t *result)
{
	size_t i;
	const json_t *row;

	if (strcmp(r->command->name, "config check") != 0)
		return RCTL_EXIT_OK;
	json_array_foreach(result, i, row)
	{
		const char *severity = json_string_value(json_object_get(row, "severity"));

		if (severity != NULL && strcmp(severity, "error") == 0)
			return RCTL_EXIT_REFUSED;
	}
	return RCTL_EXIT_OK;
}

static json_t *rows_make(const struct conf_errors *errs)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < errs->len; i++) {
		const struct conf_error *e = &errs->items[i];

		json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "severity",
						    e->warning ? "warning" : "error", "file",
						    e->file, "line", (int)e->line, "key", e->key,
						    "problem", e->problem, "remedy", e->remedy));
	}
	return rows;
}

static void errors_print(const struct conf_errors *errs)
{
	char line[1024];

	for (size_t i = 0; i < errs->len; i++)
		printf("%s\n", conf_error_format(&errs->items[i], line, sizeof(line)));
}

int rctl_check_run(const struct rctl_request *r, enum rctl_style style)
{
	const char *path = json_string_value(json_object_get(r->arguments, "file"));
	struct conf_request request = {.role = CONF_FOR_CONTROL, .path = path};
	struct conf_errors errs = {0};
	struct rctl_printer printer;
	struct conf *conf = NULL;
	json_t *rows;
	int rc = conf_load(&request, &conf, &errs);

	if (rc == 0)
		conf_host_judge(conf, conf_host_has, NULL, &errs);
	conf_free(conf);
	if (rc == -ENOMEM || errs.out_of_memory) {
		fprintf(stderr, "relayctl: out of memory\n");
		conf_errors_fini(&errs);
		return RCTL_EXIT_REFUSED;
	}
	if (style == RCTL_TABLE) {
		errors_print(&errs);
		printf("%s: %s\n", path, rc < 0 ? "not usable" : "ok");
	} else {
		rows = rows_make(&errs);
		rctl_printer_init(&printer, stdout, style, r->command);
		rctl_printer_add(&printer, rows);
		rctl_printer_end(&printer);
		json_decref(rows);
	}
	conf_errors_fini(&errs);
	return rc < 0 ? RCTL_EXIT_REFUSED : RCTL_EXIT_OK;
}
