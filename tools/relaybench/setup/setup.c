// SPDX-License-Identifier: BSD-3-Clause
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bench/clock.h>
#include <bench/cores.h>
#include <bench/exit.h>
#include <bench/output.h>
#include "drive.h"
#include "reload.h"

#define END_AHEAD_S 3600u // every lifetime that was granted is shorter

struct run {
	struct bench_setup_result result;
	struct bench_relay relay;
	struct bench_clients clients;
	double resident_before;
	char wrong[160];
};

// Octets of memory that are this process's own.
static double resident_octets(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long total, resident, shared;
	double octets = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu %lu %lu", &total, &resident, &shared) == 3)
		octets = (double)(resident - shared) * (double)sysconf(_SC_PAGESIZE);
	fclose(f);
	return octets;
}

static int driven(struct run *run, int rc)
{
	if (rc == -ETIMEDOUT)
		snprintf(run->wrong, sizeof(run->wrong), "requests stay without an answer");
	return rc;
}

static int batch_run(struct run *run, uint32_t first, uint32_t n)
{
	struct bench_setup_result *r = &run->result;
	struct bench_setup_batch *b = &r->batches[r->n_batches], unused;
	struct bench_clients *c = &run->clients;
	int rc;

	bench_clients_begin(c, first, n);
	rc = driven(run,
		bench_drive(&run->relay, c, BENCH_CHALLENGE, BENCH_ALLOCATE, r->core, &unused));
	if (rc == 0)
		rc = bench_clients_sign(c);
	if (rc == 0)
		rc = driven(
			run, bench_drive(&run->relay, c, BENCH_ALLOCATE, BENCH_STAGES, r->core, b));
	if (rc == 0)
		rc = bench_clients_verify(c);
	if (rc == -EPROTO)
		snprintf(run->wrong, sizeof(run->wrong), "%.150s", c->wrong);
	if (rc == 0)
		r->batch_clients[r->n_batches++] = n;
	return rc;
}

// The tables must hold exactly the allocations that were set up.
static int tables_judge(struct run *run)
{
	uint32_t n = run->result.options->allocations;
	uint32_t permitted = n - run->result.reload.revoked;
	struct tables_counts c;

	tables_get_counts(run->relay.process.link.tables, bench_clock_ns(CLOCK_BOOTTIME), &c);
	if (c.allocations == n && c.permissions == permitted && c.channels == permitted)
		return 0;
	snprintf(run->wrong, sizeof(run->wrong),
		"the tables hold %u allocations, %u permissions and %u channels instead of %u each",
		c.allocations, c.permissions, c.channels, n);
	return -EPROTO;
}

static void memory_take(struct run *run)
{
	const struct bench_relay *b = &run->relay;
	struct bench_setup_result *r = &run->result;
	const struct shm_tables_shape shape = settings_shape(b->process.core.settings->conf);

	r->segment_octets = tables_shm(b->process.link.tables)->file.size + b->state.file.size +
			    tables_private_octets(&shape);
	r->ring_octets = b->punt.file.size + b->process.link.inject.file.size;
	r->resident_octets = resident_octets() - run->resident_before;
}

static int batches_run(struct run *run)
{
	const struct bench_setup_options *o = run->result.options;
	int rc = 0;

	for (uint32_t first = 0; first < o->allocations && rc == 0; first += o->batch) {
		uint32_t left = o->allocations - first;

		if (bench_host_stopped())
			return -EINTR;
		rc = batch_run(run, first, left < o->batch ? left : o->batch);
		fprintf(stderr, "\rrelaybench: %u of %u set up", first + run->clients.n,
			o->allocations);
	}
	fputc('\n', stderr);
	if (rc == 0)
		rc = tables_judge(run);
	if (rc == 0)
		memory_take(run);
	return rc;
}

static int end_run(struct run *run)
{
	struct bench_setup_result *r = &run->result;
	uint64_t took_ns;
	int rc = bench_relay_restart(&run->relay, &took_ns, run->wrong, sizeof(run->wrong));

	if (rc == 0)
		rc = tables_judge(run);
	if (rc != 0)
		return rc;
	r->recovery_s = (double)took_ns / 1e9;
	r->ended = true;
	bench_cores_on(r->core);
	rc = bench_drive_end(&run->relay, END_AHEAD_S, &r->ending);
	if (rc == -ETIMEDOUT)
		snprintf(run->wrong, sizeof(run->wrong), "allocations outlive their time");
	return rc;
}

static int all_run(struct run *run, struct bench_host *g)
{
	struct bench_setup_result *r = &run->result;
	const struct bench_setup_options *o = r->options;
	const struct bench_relay_shape shape = {
		.allocations = o->allocations, .users = o->rest ? 0 : o->users};
	int rc;

	r->core = bench_cores_init(o->core);
	if (r->core < 0)
		return r->core;
	r->boosted = !o->no_boost && geteuid() == 0;
	r->huge_pages = !o->small_pages && bench_host_take_huge(g, bench_relay_octets(&shape));
	rc = bench_clients_init(&run->clients, o->batch, o->users, o->rest);
	run->resident_before = resident_octets();
	if (rc == 0)
		rc = bench_relay_start(&run->relay, g, &shape, run->wrong, sizeof(run->wrong));
	if (rc == 0) {
		r->relay_addresses = run->relay.n_relays;
		rc = batches_run(run);
	}
	if (rc == 0 && o->reload) {
		rc = bench_reload(&run->relay, &run->clients, &shape, r->core, &r->reload,
			run->wrong, sizeof(run->wrong));
		r->reloaded = rc == 0;
	}
	if (rc == 0 && o->end)
		rc = end_run(run);
	bench_relay_stop(&run->relay);
	bench_host_clear(&run->relay.process.link.place);
	bench_clients_fini(&run->clients);
	return rc;
}

static int report(const struct bench_setup_result *r)
{
	const struct bench_setup_options *o = r->options;

	if (!o->json)
		bench_setup_report_text(r, stdout);
	return bench_output_write(bench_setup_report_json(r), o->output, o->json);
}

static int setup_run(struct bench_host *h, void *arg)
{
	const struct bench_setup_options *o = arg;
	struct run *run = calloc(1, sizeof(*run));
	int rc = -ENOMEM;

	if (run != NULL) {
		run->result.options = o;
		rc = all_run(run, h);
	}
	if (rc == 0)
		rc = report(&run->result);
	else if (rc != -EINTR)
		fprintf(stderr, "relaybench: %s\n",
			run != NULL && run->wrong[0] != '\0' ? run->wrong : strerror(-rc));
	free(run);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}

int bench_setup_main(int argc, char **argv)
{
	struct bench_setup_options o;

	int rc = bench_setup_options_read(&o, argc, argv);

	if (rc != 0)
		return rc > 0 ? BENCH_EXIT_OK : BENCH_EXIT_USAGE;
	return bench_host_supervise(setup_run, &o, !o.no_boost);
}
