// SPDX-License-Identifier: BSD-3-Clause
#include <text/page.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Number of the first line that differs, 0 if none does.
static unsigned file_compare(FILE *file, const char *page, size_t len)
{
	unsigned line = 1;
	size_t i = 0;
	int c;

	while ((c = fgetc(file)) != EOF) {
		if (i >= len || (char)c != page[i])
			return line;
		line += c == '\n';
		i++;
	}
	return i < len ? line : 0;
}

int text_page_main(int argc, char **argv, text_page_fn print)
{
	char *page = NULL;
	size_t len = 0;
	unsigned line;
	FILE *out, *file;

	if (argc < 2) {
		print(stdout);
		return ferror(stdout) != 0 || fflush(stdout) != 0 ? 2 : 0;
	}
	out = open_memstream(&page, &len);
	if (out == NULL)
		return 2;
	print(out);
	fclose(out);
	file = fopen(argv[1], "r");
	if (file == NULL) {
		fprintf(stderr, "%s: %s; write it with: %s > %s\n", argv[1], strerror(errno),
			argv[0], argv[1]);
		free(page);
		return 2;
	}
	line = file_compare(file, page, len);
	fclose(file);
	free(page);
	if (line == 0)
		return 0;
	fprintf(stderr, "%s:%u: not what the program says; write it anew with: %s > %s\n", argv[1],
		line, argv[0], argv[1]);
	return 1;
}
