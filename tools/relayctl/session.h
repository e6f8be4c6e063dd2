// SPDX-License-Identifier: BSD-3-Clause
// Runs commands: over the operator socket, opened when the first command needs it, or here for
// what needs no daemon.
#pragma once

#include "client.h"
#include "options.h"
#include "request.h"

struct rctl_session {
	const struct rctl_options *options;
	char socket[108];
	bool connected;
	struct rctl_client client;
};

void rctl_session_init(struct rctl_session *s, const struct rctl_options *o);
void rctl_session_fini(struct rctl_session *s);

// One command of words. RCTL_EXIT_*; what is wrong is on stderr.
int rctl_session_run(struct rctl_session *s, const char *const *words);
