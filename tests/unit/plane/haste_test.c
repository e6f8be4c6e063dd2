// SPDX-License-Identifier: BSD-3-Clause
// The start's priority: threads made meanwhile have it, and give it back.
#include <plane/haste.h>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <plane/privilege.h>

static sem_t made;

static void *be_there(void *tid)
{
	*(pid_t *)tid = gettid();
	sem_post(&made);
	pause();
	return NULL;
}

static void threads_give_it_back(void **state)
{
	pthread_t thread;
	pid_t tid;

	(void)state;
	if (plane_privilege_realtime() != 0)
		skip();
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	assert_int_equal(sem_init(&made, 0, 0), 0);
	plane_haste_begin();
	assert_int_equal(pthread_create(&thread, NULL, be_there, &tid), 0);
	while (sem_wait(&made) != 0)
		;
	assert_int_equal(sched_getscheduler(0), SCHED_RR);
	assert_int_equal(sched_getscheduler(tid), SCHED_RR);
	plane_haste_end_others();
	assert_int_equal(sched_getscheduler(0), SCHED_RR);
	assert_int_equal(sched_getscheduler(tid), SCHED_OTHER);
	plane_haste_end();
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_give_it_back),
	};

	return cmocka_run_group_tests_name("plane haste", tests, NULL, NULL);
}
