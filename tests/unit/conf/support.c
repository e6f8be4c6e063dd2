// SPDX-License-Identifier: BSD-3-Clause
#include "support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/turnpike-conf-XXXXXX";
static bool made;

const char *support_directory(void)
{
	if (!made) {
		assert_non_null(mkdtemp(directory));
		made = true;
	}
	return directory;
}

void support_write(const char *name, const char *text, unsigned mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", support_directory(), name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

void support_clean(void)
{
	struct dirent *e;
	DIR *d;

	if (!made)
		return;
	d = opendir(directory);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	}
	closedir(d);
	assert_int_equal(rmdir(directory), 0);
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	made = false;
}

int support_load(enum conf_role role, const char *text, struct conf **out, struct conf_errors *errs)
{
	struct conf_request req = {
		.role = role,
		.text = text,
		.directory = support_directory(),
	};

	return conf_load(&req, out, errs);
}

struct conf *support_load_good(enum conf_role role, const char *text)
{
	struct conf_errors errs = {0};
	struct conf *c = NULL;
	char line[1024];
	int rc = support_load(role, text, &c, &errs);

	for (size_t i = 0; i < errs.len; i++)
		print_message("%s\n", conf_error_format(&errs.items[i], line, sizeof(line)));
	assert_int_equal(rc, 0);
	assert_int_equal(errs.len, 0);
	assert_non_null(c);
	conf_errors_fini(&errs);
	return c;
}
