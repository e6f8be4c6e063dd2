// SPDX-License-Identifier: BSD-3-Clause
#include <bench/output.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bench/machine.h>

json_t *bench_output_make(int argc, char **argv, json_t *body)
{
	json_t *words = json_array(), *j;

	json_array_append_new(words, json_string("relaybench"));
	for (int i = 0; i < argc; i++)
		json_array_append_new(words, json_string(argv[i]));
	j = json_pack("{s:s++, s:s, s:o, s:o}", "tool", "relaybench", " ", argv[0], "version",
		TURNPIKE_VERSION, "command", words, "machine", bench_machine_describe());
	if (json_object_update(j, body) != 0) {
		json_decref(j);
		j = NULL;
	}
	json_decref(body);
	return j;
}

static int dump(const json_t *report, FILE *out)
{
	return json_dumpf(report, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF &&
			       fflush(out) == 0
		       ? 0
		       : -EIO;
}

int bench_output_write(json_t *report, const char *file, bool print)
{
	int rc = report == NULL ? -ENOMEM : 0;

	if (rc == 0 && file != NULL) {
		FILE *f = fopen(file, "we");

		if (f == NULL || dump(report, f) != 0)
			rc = -EIO;
		if (f != NULL && fclose(f) != 0)
			rc = -EIO;
		if (rc != 0)
			fprintf(stderr, "relaybench: %s: %s\n", file, strerror(errno));
	}
	if (report != NULL && print && dump(report, stdout) != 0)
		rc = -EIO;
	json_decref(report);
	return rc;
}
