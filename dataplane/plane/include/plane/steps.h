// SPDX-License-Identifier: BSD-3-Clause
// A watch over the steps of the start: some wait for devices and for the kernel, without a bound. A
// step that takes long is named; one that does not end after SIGTERM is not waited for.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <turnpike/base.h>

enum plane_step_verdict { PLANE_STEP_WAIT, PLANE_STEP_NAME, PLANE_STEP_END };

struct plane_steps {
	_Atomic(const char *) step; // a constant text; NULL: none is under way
	_Atomic uint64_t since_ns;
	// The watch's own.
	const char *named;
	uint64_t stop_ns; // since when an end is asked for; 0: it is not
	const volatile int *stop;
	void (*end)(void *ctx, const char *step);
	void *ctx;
	int wake_fd;
	pthread_t thread;
	bool runs;
};

// `end` is called on the watch's thread for a step that does not end, and does not return.
// Without memory for a thread the start goes on unwatched.
void plane_steps_begin(struct plane_steps *s, const volatile int *stop,
	void (*end)(void *ctx, const char *step), void *ctx);
void plane_steps_next(struct plane_steps *s, const char *step, uint64_t now_ns);
void plane_steps_end(struct plane_steps *s);

// The watch's decision: NAME once for each step, after two seconds of it; END one second after an
// end was asked for.
enum plane_step_verdict plane_steps_judge(struct plane_steps *s, uint64_t now_ns, bool stop);
