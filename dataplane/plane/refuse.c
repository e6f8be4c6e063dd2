// SPDX-License-Identifier: BSD-3-Clause
#include <plane/refuse.h>

#include <errno.h>

#include <log/log.h>

int plane_refuse(enum log_event_id event, int err, const struct steer_fault *f)
{
	log_event(event, LOG_FIELDS(log_str("problem", f->problem), log_str("remedy", f->remedy)));
	return err == -EADDRINUSE ? PROC_EXIT_BUSY : PROC_EXIT_FAILED;
}
