// SPDX-License-Identifier: BSD-3-Clause
// Fields of a log line.
#include <log/log.h>

#include <string.h>

struct log_field log_text(const char *key, const void *data, size_t len)
{
	return (struct log_field){.key = key, .type = LOG_TYPE_TEXT, .data = data, .len = len};
}

struct log_field log_str(const char *key, const char *s)
{
	return s != NULL ? log_text(key, s, strlen(s)) : log_text(key, "-", 1);
}

struct log_field log_u64(const char *key, uint64_t v)
{
	return (struct log_field){.key = key, .type = LOG_TYPE_U64, .u64 = v};
}

struct log_field log_i64(const char *key, int64_t v)
{
	return (struct log_field){.key = key, .type = LOG_TYPE_I64, .i64 = v};
}

struct log_field log_bool(const char *key, bool v)
{
	return (struct log_field){.key = key, .type = LOG_TYPE_BOOL, .u64 = v};
}

struct log_field log_addr(const char *key, const struct tp_addr *a)
{
	return (struct log_field){.key = key, .type = LOG_TYPE_ADDR, .data = a};
}

struct log_field log_ip(const char *key, const struct tp_addr *a)
{
	return (struct log_field){.key = key, .type = LOG_TYPE_IP, .data = a};
}

struct log_field log_allocation(uint64_t id)
{
	return (struct log_field){.key = "allocation", .type = LOG_TYPE_ID, .u64 = id};
}

struct log_field log_errno(int err)
{
	return (struct log_field){.key = "error", .type = LOG_TYPE_ERRNO, .i64 = err};
}
