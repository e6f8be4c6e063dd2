// SPDX-License-Identifier: BSD-3-Clause
// The control process keeps off the cores of the workers.
#include <process/process.h>

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

// The first two cores that this process may run on; false: there is one.
static bool two_cores(uint32_t cores[2])
{
	cpu_set_t set;
	unsigned n = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (unsigned c = 0; c < CPU_SETSIZE && n < 2; c++) {
		if (CPU_ISSET(c, &set))
			cores[n++] = c;
	}
	return n == 2;
}

static bool runs_on(uint32_t core)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_ISSET(core, &set);
}

// A worker tells its core after its data plane is there, and a later data plane may choose another.
static void workers_move(void **state)
{
	struct process *p = calloc(1, sizeof(*p));
	static struct tp_worker_stats worker;
	uint32_t cores[2];

	(void)state;
	assert_non_null(p);
	if (!two_cores(cores)) {
		free(p);
		skip();
	}
	CPU_SET(cores[0], &p->cores);
	CPU_SET(cores[1], &p->cores);
	p->link.state.workers = &worker;
	p->link.state.n_workers = 1;
	atomic_store(&worker.lcore, cores[1]);
	process_cores_choose(p);
	assert_true(runs_on(cores[1]));
	atomic_store(&worker.lcore, cores[0]);
	p->link.up = true;
	process_cores_choose(p);
	assert_false(runs_on(cores[0]));
	atomic_store(&worker.lcore, cores[1]);
	process_cores_choose(p);
	assert_true(runs_on(cores[0]));
	assert_false(runs_on(cores[1]));
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
