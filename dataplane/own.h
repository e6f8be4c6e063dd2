// SPDX-License-Identifier: BSD-3-Clause
// What of the host's UDP is ours, told by the configuration or, once there are tables, by these.
#pragma once

#include <conf/conf.h>
#include <steer/own.h>
#include <turnpike/segment.h>

struct own {
	size_t n;
	struct steer_own items[TP_LOCALS_MAX];
};

void own_from_conf(struct own *o, const struct conf *c);
void own_from_locals(struct own *o, const struct tp_local locals[TP_LOCALS_MAX],
	const struct tp_path_config *path);
bool own_equal(const struct own *a, const struct own *b);
