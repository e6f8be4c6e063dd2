// SPDX-License-Identifier: BSD-3-Clause
#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int shm_fail(
	struct shm_error *err, enum shm_cause cause, int negative_errno, const char *format, ...)
{
	va_list args;

	err->cause = cause;
	err->remedy[0] = '\0';
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return negative_errno;
}

int shm_fail_errno(struct shm_error *err, const char *format, ...)
{
	int number = errno != 0 ? errno : EIO;
	char why[96];
	va_list args;
	size_t len;

	err->cause = SHM_SYSTEM;
	err->remedy[0] = '\0';
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s",
		strerror_r(number, why, sizeof(why)));
	return -number;
}

void shm_remedy(struct shm_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->remedy, sizeof(err->remedy), format, args);
	va_end(args);
}

const char *shm_cause_name(enum shm_cause cause)
{
	static const char *const names[] = {
		[SHM_OK] = "ok",
		[SHM_MISSING] = "missing",
		[SHM_UNFINISHED] = "unfinished",
		[SHM_OTHER_BOOT] = "other_boot",
		[SHM_OTHER_LAYOUT] = "other_layout",
		[SHM_LAYOUT_IN_USE] = "layout_in_use",
		[SHM_CORRUPT] = "corrupt",
		[SHM_OTHER_PAIR] = "other_pair",
		[SHM_OTHER_SHAPE] = "other_shape",
		[SHM_REFUSED] = "refused",
		[SHM_BUSY] = "busy",
		[SHM_NO_SPACE] = "no_space",
		[SHM_UNSUPPORTED] = "unsupported",
		[SHM_SYSTEM] = "system",
	};

	return (unsigned)cause < sizeof(names) / sizeof(names[0]) ? names[cause] : "unknown";
}
