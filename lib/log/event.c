// SPDX-License-Identifier: BSD-3-Clause
#include <log/event.h>

#include <errno.h>
#include <string.h>

static const struct log_event_info infos[LOG_EV_COUNT] = {
#define LOG_EVENT_INFO(id, name, level, rate, description)                                         \
	[LOG_EV_##id] = {name, LOG_LEVEL_##level, rate, description},
	LOG_EVENTS(LOG_EVENT_INFO)
#undef LOG_EVENT_INFO
};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

const struct log_event_info *log_event_info(enum log_event_id id)
{
	return &infos[id];
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}
