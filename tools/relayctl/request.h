// SPDX-License-Identifier: BSD-3-Clause
// From words to a command of the table and its arguments.
#pragma once

#include <jansson.h>

#include <ctl/command.h>

struct rctl_request {
	const struct ctl_command *command;
	json_t *arguments; // an object
};

// `words` is NULL-terminated; without any it is `status`. 0, or -EINVAL with a message and the
// remedy in `error`.
int rctl_request_read(
	struct rctl_request *r, const char *const *words, char *error, size_t error_size);
void rctl_request_fini(struct rctl_request *r);
