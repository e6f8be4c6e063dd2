// SPDX-License-Identifier: BSD-3-Clause
// relayctl: inspects and controls a running relay.
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "pages.h"
#include "batch.h"
#include "session.h"

static int page_print(const char *page)
{
	static const struct {
		const char *name;
		void (*print)(FILE *out);
	} pages[] = {
		{"help", rctl_page_help},
		{"version", rctl_page_version},
		{"man", rctl_page_man},
		{"completion", rctl_page_completion},
	};

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(page, pages[i].name) == 0)
			pages[i].print(stdout);
	}
	return RCTL_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct rctl_options options;
	struct rctl_session session;
	int rc;

	(void)argc;
	if (rctl_options_read(&options, argv) < 0)
		return RCTL_EXIT_USAGE;
	if (options.page != NULL)
		return page_print(options.page);
	rctl_session_init(&session, &options);
	if (options.batch != NULL)
		rc = rctl_batch_run(&session, options.batch);
	else
		rc = rctl_session_run(&session, options.words);
	rctl_session_fini(&session);
	if (fflush(stdout) != 0) {
		perror("relayctl: standard output");
		return RCTL_EXIT_REFUSED;
	}
	return rc;
}
