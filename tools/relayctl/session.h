// SPDX-License-Identifier: BSD-3-Clause
// Runs commands: over the operator socket, opened when the first command needs it, or here for
// commands that need no daemon.
#pragma once

#include <ctl/client.h>

#include "locate.h"
#include "options.h"
#include "request.h"

struct rctl_session {
	const struct rctl_options *options;
	struct rctl_place place; // valid while `located`
	bool located;
	bool connected;
	bool edge; // place.control is the edge's
	struct ctl_client client;
};

void rctl_session_init(struct rctl_session *s, const struct rctl_options *o);
void rctl_session_fini(struct rctl_session *s);

// One command of words. Returns RCTL_EXIT_*; a failure is reported on stderr.
int rctl_session_run(struct rctl_session *s, const char *const *words);
