// SPDX-License-Identifier: BSD-3-Clause
#include "batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Splits a line into words in place: blanks separate, "..." and '...' keep them, # begins a
// comment. Their number, or -EINVAL.
static int line_split(char *line, char **words, size_t max)
{
	char *out = line;
	size_t n = 0;

	for (char *p = line; *p != '\0' && *p != '#' && *p != '\n';) {
		char quote = '\0';

		if (*p == ' ' || *p == '\t' || *p == '\r') {
			p++;
			continue;
		}
		if (n + 1 >= max)
			return -EINVAL;
		words[n++] = out;
		for (; *p != '\0' && *p != '\n'; p++) {
			if (quote != '\0' ? *p == quote : *p == '"' || *p == '\'')
				quote = quote == '\0' ? *p : '\0';
			else if (quote == '\0' && (*p == ' ' || *p == '\t' || *p == '\r'))
				break;
			else
				*out++ = *p;
		}
		if (quote != '\0')
			return -EINVAL;
		p += *p != '\0';
		*out++ = '\0';
	}
	words[n] = NULL;
	return (int)n;
}

static int line_run(struct rctl_session *s, char *line, const char *path, unsigned number)
{
	char *words[32];
	char echo[1024];
	int n;

	snprintf(echo, sizeof(echo), "%.*s", (int)strcspn(line, "\n"), line);
	n = line_split(line, words, sizeof(words) / sizeof(words[0]));
	if (n < 0) {
		fprintf(stderr, "relayctl: %s:%u: too many words, or a quote is not closed\n", path,
			number);
		return RCTL_EXIT_USAGE;
	}
	if (n == 0)
		return RCTL_EXIT_OK;
	if (s->options->echo)
		printf("> %s\n", echo);
	n = rctl_session_run(s, (const char *const *)words);
	fflush(stdout);
	if (n != RCTL_EXIT_OK)
		fprintf(stderr, "  at %s:%u\n", path, number);
	return n;
}

int rctl_batch_run(struct rctl_session *s, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	unsigned number = 0;
	char *line = NULL;
	size_t size = 0;
	int first = RCTL_EXIT_OK;

	if (f == NULL) {
		fprintf(stderr, "relayctl: %s: %s\n", path, strerror(errno));
		return RCTL_EXIT_USAGE;
	}
	while (getline(&line, &size, f) >= 0) {
		int rc = line_run(s, line, path, ++number);

		if (first == RCTL_EXIT_OK)
			first = rc;
		if (rc != RCTL_EXIT_OK && s->options->stop_on_error)
			break;
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return first;
}
