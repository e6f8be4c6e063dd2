// SPDX-License-Identifier: BSD-3-Clause
#include <log/log.h>

#include "line.h"
#include "meter.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static bool stderr_write(void *ctx, const char *line, size_t len)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	(void)ctx;
	// A reader that stopped reading must not stop the relay. A pipe that polls writable takes
	// PIPE_BUF octets, more than a line.
	if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
		return false;
	return write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t system_wall_ns(void *ctx)
{
	(void)ctx;
	return clock_read(CLOCK_REALTIME);
}

static uint64_t system_now_ns(void *ctx)
{
	(void)ctx;
	return clock_read(CLOCK_BOOTTIME);
}

static _Atomic int current_level = LOG_LEVEL_INFO;

// One logger per process, everything of it under its lock.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct log_env env;
	enum log_format format;
	const char *process;
	const char *instance;
	struct meter meters[LOG_EV_COUNT];
	uint64_t lost; // lines, not reported yet
} logger = {
	.env = {.write = stderr_write, .wall_ns = system_wall_ns, .now_ns = system_now_ns},
};

static bool line_write(enum log_event_id id, uint64_t suppressed, const struct log_field *fields)
{
	struct line_head head = {
		.format = logger.format,
		.wall_ns = logger.env.wall_ns(logger.env.ctx),
		.process = logger.process,
		.instance = logger.instance,
		.event = log_event_info(id),
		.suppressed = suppressed,
	};
	char line[LINE_SIZE];
	size_t len = log_line_format(line, &head, fields);

	return logger.env.write(logger.env.ctx, line, len);
}

// `all`: also counts that the next line of the event itself may still report.
static void report(uint64_t now_ns, bool all)
{
	for (int i = 0; i < LOG_EV_COUNT; i++) {
		struct meter *m = &logger.meters[i];
		uint64_t n = m->suppressed;

		if (n == 0 || (!all && now_ns - m->window_ns < METER_WINDOW_NS))
			continue;
		if (line_write(LOG_EV_LOG_SUPPRESSED, 0,
			    LOG_FIELDS(log_str("of", log_event_info((enum log_event_id)i)->name),
				    log_u64("count", n))))
			m->suppressed = 0;
	}
	if (logger.lost > 0 &&
		line_write(LOG_EV_LOG_LOST, 0, LOG_FIELDS(log_u64("count", logger.lost))))
		logger.lost = 0;
}

void log_init(const struct log_settings *s)
{
	static const struct log_env none;
	const struct log_env *env = s->env != NULL ? s->env : &none;

	pthread_mutex_lock(&lock);
	memset(&logger, 0, sizeof(logger));
	logger.env.ctx = env->ctx;
	logger.env.write = env->write != NULL ? env->write : stderr_write;
	logger.env.wall_ns = env->wall_ns != NULL ? env->wall_ns : system_wall_ns;
	logger.env.now_ns = env->now_ns != NULL ? env->now_ns : system_now_ns;
	logger.format = s->format;
	logger.process = s->process;
	logger.instance = s->instance;
	pthread_mutex_unlock(&lock);
	log_level_set(s->level);
}

void log_fini(void)
{
	static const struct log_settings initial = {.level = LOG_LEVEL_INFO};

	pthread_mutex_lock(&lock);
	report(logger.env.now_ns(logger.env.ctx), true);
	pthread_mutex_unlock(&lock);
	log_init(&initial);
}

void log_level_set(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum log_level log_level_get(void)
{
	return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

bool log_enabled(enum log_event_id id)
{
	return log_event_info(id)->level <= log_level_get();
}

void log_event(enum log_event_id id, const struct log_field *fields)
{
	uint64_t suppressed = 0;

	if (!log_enabled(id))
		return;
	pthread_mutex_lock(&lock);
	if (meter_pass(&logger.meters[id], log_event_info(id)->lines_per_s, fields,
		    logger.env.now_ns(logger.env.ctx), &suppressed) &&
		!line_write(id, suppressed, fields))
		logger.lost += 1 + suppressed;
	pthread_mutex_unlock(&lock);
}

void log_tick(void)
{
	pthread_mutex_lock(&lock);
	report(logger.env.now_ns(logger.env.ctx), false);
	pthread_mutex_unlock(&lock);
}
