// SPDX-License-Identifier: BSD-3-Clause
#include <plane/steps.h>

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <log/log.h>
#include <worker/clock.h>

#define LONG_NS (2 * TP_NS_PER_S)
#define STOP_NS TP_NS_PER_S
#define TICK_MS 100

enum plane_step_verdict plane_steps_judge(struct plane_steps *s, uint64_t now_ns, bool stop)
{
	const char *step = atomic_load(&s->step);
	uint64_t since_ns = atomic_load(&s->since_ns);

	if (step == NULL)
		return PLANE_STEP_WAIT;
	if (stop && s->stop_ns == 0)
		s->stop_ns = now_ns;
	if (stop && now_ns - s->stop_ns >= STOP_NS && now_ns - since_ns >= STOP_NS)
		return PLANE_STEP_END;
	if (step == s->named || now_ns < since_ns || now_ns - since_ns < LONG_NS)
		return PLANE_STEP_WAIT;
	s->named = step;
	return PLANE_STEP_NAME;
}

static void *watch(void *steps)
{
	struct plane_steps *s = steps;
	struct pollfd wake = {.fd = s->wake_fd, .events = POLLIN};

	while (poll(&wake, 1, TICK_MS) <= 0) {
		switch (plane_steps_judge(s, clock_boottime_ns(), *s->stop != 0)) {
		case PLANE_STEP_WAIT:
			break;
		case PLANE_STEP_NAME:
			log_event(LOG_EV_START_SLOW,
				LOG_FIELDS(log_str("starting", s->named),
					log_str("remedy", "wait; SIGTERM ends it")));
			break;
		case PLANE_STEP_END:
			s->end(s->ctx, atomic_load(&s->step));
			break;
		}
	}
	return NULL;
}

void plane_steps_begin(struct plane_steps *s, const volatile int *stop,
	void (*end)(void *ctx, const char *step), void *ctx)
{
	sigset_t all, before;

	memset(s, 0, sizeof(*s));
	s->stop = stop;
	s->end = end;
	s->ctx = ctx;
	s->wake_fd = eventfd(0, EFD_CLOEXEC);
	// Signals are the main thread's.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->runs = s->wake_fd >= 0 && pthread_create(&s->thread, NULL, watch, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void plane_steps_next(struct plane_steps *s, const char *step, uint64_t now_ns)
{
	atomic_store(&s->since_ns, now_ns);
	atomic_store(&s->step, step);
}

void plane_steps_end(struct plane_steps *s)
{
	const uint64_t one = 1;

	atomic_store(&s->step, NULL);
	if (s->runs && write(s->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(s->thread, NULL);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	s->runs = false;
	s->wake_fd = -1;
}
