// SPDX-License-Identifier: BSD-3-Clause
// Readers against a writer on the real tables, in two processes (or one, with --threads):
//
//   stress [--seconds N] [--kills N] [--readers N] [--threads] [--seed N]
//          [--mutant no-grace-period|publish-first] [--expect-errors]
//
// With --kills the writer is killed at random moments, its recoveries too, and every chain is
// checked after each. Exit status 0: no error; with --expect-errors: at least one.
#include "stress.h"

#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch_place.h"

#ifdef TABLES_MUTANTS
enum mutant tables_mutant;
static void pause_long(void)
{
	for (unsigned i = 0; i < 4; i++)
		sched_yield();
}
void (*tables_mutant_pause)(void) = pause_long;
#endif

static void options_parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"seconds", required_argument, NULL, 's'},
		{"kills", required_argument, NULL, 'k'},
		{"readers", required_argument, NULL, 'r'},
		{"threads", no_argument, NULL, 't'},
		{"seed", required_argument, NULL, 'S'},
		{"mutant", required_argument, NULL, 'm'},
		{"expect-errors", no_argument, NULL, 'e'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){.seconds = 3, .readers = 1, .seed = stress_now_ns()};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o->seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			o->kills = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			o->readers = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			o->threads = true;
			break;
		case 'S':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			o->mutant = strcmp(optarg, "no-grace-period") == 0 ? MUTANT_NO_GRACE_PERIOD
				    : strcmp(optarg, "publish-first") == 0 ? MUTANT_PUBLISH_FIRST
									   : MUTANT_NONE;
			break;
		case 'e':
			o->expect_errors = true;
			break;
		default:
			exit(2);
		}
	}
	if (o->readers == 0 || o->readers > 8)
		stress_die("--readers: 1 to 8", NULL);
#ifdef TABLES_MUTANTS
	tables_mutant = o->mutant;
#else
	if (o->mutant != MUTANT_NONE)
		stress_die("this program has no mutants: take stress_mutants", NULL);
#endif
}

static uint64_t errors_seen(const struct tally *t)
{
	return atomic_load(&t->torn) + atomic_load(&t->wrong) + atomic_load(&t->lost) +
	       atomic_load(&t->chain_errors) + atomic_load(&t->corrupt);
}

static bool over(const struct world *w, uint64_t end_ns)
{
	return stress_now_ns() >= end_ns || atomic_load(&w->tally->writer_failed) != 0 ||
	       (w->options.expect_errors && errors_seen(w->tally) != 0);
}

// Runs `fn` in a process that ends with us.
static pid_t process_start(void (*fn)(struct world *, uint64_t), struct world *w, uint64_t seed)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		stress_die("fork", NULL);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(2);
		fn(w, seed);
		_exit(0);
	}
	return pid;
}

static void readers_process(struct world *w, uint64_t seed)
{
	(void)seed;
	readers_join(readers_start(w, NULL, NULL));
}

static void writer_process(struct world *w, uint64_t seed)
{
	struct writer *wr = writer_open(w);

	writer_run(wr, seed);
	writer_close(wr);
}

static void wait_for_readers(const struct world *w)
{
	while (atomic_load(&w->tally->reader_ready) != w->options.readers)
		sched_yield();
}

// Waits for a process; one that was not killed by us must have ended well.
static void process_join(struct world *w, pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid ||
		(!(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) &&
			!(WIFEXITED(status) && WEXITSTATUS(status) == 0)))
		atomic_store(&w->tally->writer_failed, 1);
}

static void pause_us(uint64_t us)
{
	struct timespec ts = {
		.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};

	nanosleep(&ts, NULL);
}

// Until the writer has recovered, or ended, or five seconds have passed.
static void wait_for_recovery(const struct world *w, uint64_t recoveries, pid_t pid)
{
	uint64_t end_ns = stress_now_ns() + 5 * TP_NS_PER_S;
	siginfo_t info = {.si_pid = 0};

	while (atomic_load(&w->tally->recoveries) == recoveries && stress_now_ns() < end_ns &&
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		info.si_pid == 0)
		pause_us(100);
}

// Every second writer is killed at its work, the others somewhere in their start and recovery,
// which takes as long as it took last time.
static void run_killing(struct world *w, uint64_t end_ns)
{
	uint64_t random = w->options.seed, start_us = 5000;

	for (unsigned i = 0; i < w->options.kills && !over(w, end_ns); i++) {
		uint64_t begun_ns = stress_now_ns(),
			 recoveries = atomic_load(&w->tally->recoveries);
		pid_t pid = process_start(writer_process, w, stress_random(&random));

		if (i % 2 == 0) {
			wait_for_recovery(w, recoveries, pid);
			start_us = (stress_now_ns() - begun_ns) / 1000;
			pause_us(stress_random(&random) % 10000);
		} else {
			pause_us(stress_random(&random) % (start_us + 1));
		}
		kill(pid, SIGKILL);
		process_join(w, pid);
		stress_count(&w->tally->chain_errors, chains_check(w));
		stress_count(&w->tally->kills, 1);
	}
}

static void run_processes(struct world *w, uint64_t end_ns)
{
	pid_t readers = process_start(readers_process, w, 0), writer;

	wait_for_readers(w);
	if (w->options.kills != 0) {
		run_killing(w, end_ns);
	} else {
		writer = process_start(writer_process, w, w->options.seed);
		while (!over(w, end_ns))
			pause_us(10000);
		atomic_store(&w->tally->stop, 1);
		process_join(w, writer);
		stress_count(&w->tally->chain_errors, chains_check(w));
	}
	atomic_store(&w->tally->stop, 1);
	process_join(w, readers);
}

struct thread_writer {
	struct writer *wr;
	uint64_t seed;
};

static void *writer_thread(void *arg)
{
	struct thread_writer *tw = arg;

	writer_run(tw->wr, tw->seed);
	return NULL;
}

static void run_threads(struct world *w, struct writer *wr, uint64_t end_ns)
{
	struct thread_writer tw = {wr, w->options.seed};
	struct reader_set *readers = readers_start(w, writer_tables(wr), writer_state(wr));
	pthread_t thread;

	wait_for_readers(w);
	if (pthread_create(&thread, NULL, writer_thread, &tw) != 0)
		stress_die("thread", NULL);
	while (!over(w, end_ns))
		pause_us(10000);
	atomic_store(&w->tally->stop, 1);
	pthread_join(thread, NULL);
	readers_join(readers);
	stress_count(&w->tally->chain_errors, chains_check(w));
}

static int report(const struct world *w)
{
	const struct tally *t = w->tally;
	uint64_t errors = errors_seen(t);

#define N(name) atomic_load(&t->name)
	printf("%" PRIu64 " look-ups, %" PRIu64 " hits checked; %" PRIu64 " added, %" PRIu64
	       " deleted, %" PRIu64 " replaced, %" PRIu64 " refreshed; %" PRIu64
	       " grace periods, %" PRIu64 " times full\n",
		N(lookups), N(hits), N(added), N(deleted), N(replaced), N(refreshed),
		N(grace_periods), N(full));
	printf("%" PRIu64 " kills, %" PRIu64 " recoveries begun, %" PRIu64 " ended, %" PRIu64
	       " half-made entries removed\n",
		N(kills), N(recoveries_begun), N(recoveries), N(removed));
	printf("torn %" PRIu64 ", wrong %" PRIu64 ", lost %" PRIu64 ", chain errors %" PRIu64
	       ", damage found by recoveries %" PRIu64 "%s\n",
		N(torn), N(wrong), N(lost), N(chain_errors), N(corrupt),
		N(writer_failed) != 0 ? "; a process failed" : "");
#undef N
	if (w->options.expect_errors)
		return errors != 0 ? 0 : 1;
	if (w->options.kills != 0 && atomic_load(&t->kills) != w->options.kills) {
		printf("not all of the %u kills were done in time\n", w->options.kills);
		return 1;
	}
	return errors != 0 || atomic_load(&t->writer_failed) != 0 || atomic_load(&t->hits) == 0;
}

int main(int argc, char **argv)
{
	struct options options;
	struct world w;
	struct writer *wr;
	uint64_t end_ns;
	int rc;

	options_parse(&options, argc, argv);
	printf("seed %" PRIu64 "\n", options.seed);
	fflush(stdout);
	world_init(&w, &options);
	w.tally = mmap(
		NULL, sizeof(*w.tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w.tally == MAP_FAILED)
		stress_die("no memory", NULL);
	wr = writer_create(&w);
	end_ns = stress_now_ns() + options.seconds * TP_NS_PER_S;
	if (options.threads) {
		run_threads(&w, wr, end_ns);
		writer_close(wr);
	} else {
		writer_close(wr);
		run_processes(&w, end_ns);
	}
	rc = report(&w);
	scratch_place_remove(&w.place);
	munmap(w.tally, sizeof(*w.tally));
	free(w.expected);
	return rc;
}
