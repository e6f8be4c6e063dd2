// SPDX-License-Identifier: BSD-3-Clause
// Runs this program again under callgrind, which counts inside stage_run, once with N packets and
// once with twice as many: the difference leaves out the one-time cost of a run, and that of cold
// caches.
#include "instructions.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bench/exit.h>
#include <bench/output.h>
#include <fixture/fixture.h>

#include "memory.h"

#define PACKETS	 6400u
#define PORT_OUT 1u
#define TOTAL	 "Collected :"

// Arguments of both runs.
struct count {
	struct bench_population population;
	enum bench_direction direction;
	uint16_t payload;
	uint32_t packets;
	double zipf;
	uint64_t seed;
};

// ---- under callgrind ----------------------------------------------------------------------------

static int count_run(const struct count *c, struct shm_place *place, char *wrong, size_t wrong_size)
{
	struct shm_error err = {.text = ""};
	struct bench_fixture *fixture = NULL;
	struct bench_memory *m = NULL;
	struct bench_distribution d;
	struct bench_traffic t;
	int rc = bench_fixture_create(&fixture, &c->population, PORT_OUT, place, &err);

	if (rc == 0)
		rc = bench_memory_create(&m, fixture, place, &err);
	if (rc != 0) {
		snprintf(wrong, wrong_size, "%.150s", err.text);
	} else {
		bench_traffic_init(&t, &c->population, c->direction, c->payload, c->seed);
		bench_distribution_init(&d, c->population.n_flows, c->zipf, c->seed);
		// As many in each run, so that they leave no difference.
		rc = bench_memory_verify(m, &t, &d, PACKETS, wrong, wrong_size);
		if (rc == 0)
			rc = bench_memory_count(m, &t, &d, c->packets, wrong, wrong_size);
	}
	bench_memory_destroy(m);
	bench_fixture_destroy(fixture);
	return rc;
}

int bench_count_main(int argc, char **argv)
{
	struct shm_error err = {.text = ""};
	struct shm_place place;
	struct count c;
	char wrong[160] = "";
	unsigned family, hairpin, mixed, direction;
	unsigned long long seed;
	int rc;

	if (argc != 3 ||
		sscanf(argv[2], "%u,%u,%u,%u,%u,%hu,%u,%lf,%llu", &c.population.n_flows, &family,
			&hairpin, &mixed, &direction, &c.payload, &c.packets, &c.zipf, &seed) != 9)
		return BENCH_EXIT_USAGE;
	c.population.family = family;
	c.population.hairpin = hairpin != 0;
	c.population.mixed = mixed != 0;
	c.direction = direction;
	c.seed = seed;
	rc = shm_place_init(&place, "relaybench", argv[1], argv[1], (gid_t)-1, &err);
	if (rc == 0) {
		rc = count_run(&c, &place, wrong, sizeof(wrong));
		bench_host_clear(&place);
	} else {
		snprintf(wrong, sizeof(wrong), "%.150s", err.text);
	}
	if (rc != 0)
		fprintf(stderr, "relaybench: %s\n", wrong[0] != '\0' ? wrong : strerror(-rc));
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}

// ---- beside it ----------------------------------------------------------------------------------

static void valgrind_exec(const struct count *c, const char *directory, int output)
{
	char self[4096], numbers[160];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(127);
	self[n] = '\0';
	snprintf(numbers, sizeof(numbers), "%u,%u,%u,%u,%u,%u,%u,%.17g,%llu", c->population.n_flows,
		(unsigned)c->population.family, (unsigned)c->population.hairpin,
		(unsigned)c->population.mixed, (unsigned)c->direction, c->payload, c->packets,
		c->zipf, (unsigned long long)c->seed);
	execlp("valgrind", "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
		"--toggle-collect=stage_run", self, BENCH_COUNT_COMMAND, directory, numbers,
		(char *)NULL);
	_exit(127);
}

// The total of its summary; -1 without one. Its last line is the reason then.
static long long total_read(FILE *f, char *wrong, size_t wrong_size)
{
	long long total = -1;
	char line[512];

	while (fgets(line, sizeof(line), f) != NULL) {
		const char *at = strstr(line, TOTAL);

		if (at != NULL)
			total = atoll(at + strlen(TOTAL));
		line[strcspn(line, "\n")] = '\0';
		if (total < 0)
			snprintf(wrong, wrong_size, "%.150s", line);
	}
	return total;
}

static int valgrind_run(const struct count *c, const char *directory, long long *instructions,
	char *wrong, size_t wrong_size)
{
	int pipe_fds[2], status = 0;
	FILE *f;
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return -errno;
	child = fork();
	if (child == 0)
		valgrind_exec(c, directory, pipe_fds[1]);
	close(pipe_fds[1]);
	f = fdopen(pipe_fds[0], "re");
	*instructions = f == NULL ? -1 : total_read(f, wrong, wrong_size);
	if (f != NULL)
		fclose(f);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -ECHILD;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 && *instructions > 0 ? 0 : -EPROTO;
}

static int cell_run(struct bench_host *h, struct count *c, json_t *cells)
{
	long long counted[2];
	char wrong[160] = "";
	struct shm_error err;
	struct shm_place place;
	int rc = bench_host_place(h, &place, &err);
	double each;

	fprintf(stderr, "relaybench: instructions %s, family %s, %u bytes, %u channels\n",
		bench_direction_name(c->direction), bench_family_name(c->population.family),
		c->payload, c->population.n_flows);
	for (unsigned i = 0; i < 2 && rc == 0; i++) {
		c->packets = (i + 1) * PACKETS;
		rc = bench_host_stopped()
			     ? -EINTR
			     : valgrind_run(c, h->directory, &counted[i], wrong, sizeof(wrong));
	}
	if (rc != 0) {
		fprintf(stderr, "relaybench: callgrind: %s\n",
			wrong[0] != '\0' ? wrong : strerror(-rc));
		return rc;
	}
	each = (double)(counted[1] - counted[0]) / PACKETS;
	json_array_append_new(
		cells, json_pack("{s:s, s:s, s:i, s:I, s:i, s:f}", "direction",
			       bench_direction_name(c->direction), "family",
			       bench_family_name(c->population.family), "payload", (int)c->payload,
			       "channels", (json_int_t)c->population.n_flows, "packets",
			       (int)PACKETS, "instructions_per_packet", round(each * 100) / 100));
	return 0;
}

static int cells_run(struct bench_host *h, const struct bench_options *o, json_t *cells)
{
	struct count c = {.zipf = o->zipf, .seed = o->seed};
	int rc = 0;

	for (unsigned n = 0; n < o->n_channels; n++)
		for (unsigned f = 0; f < o->n_families; f++)
			for (unsigned p = 0; p < o->n_payloads; p++)
				for (unsigned d = 0; d < o->n_directions && rc == 0; d++) {
					c.direction = o->directions[d];
					c.payload = o->payloads[p];
					c.population = (struct bench_population){
						.n_flows = o->channels[n],
						.family = o->families[f],
						.hairpin = c.direction == BENCH_HAIRPIN,
						.mixed = c.direction == BENCH_MIX,
					};
					rc = cell_run(h, &c, cells);
				}
	return rc;
}

static void table_print(const json_t *cells)
{
	const json_t *c;
	size_t i;

	printf("Instructions per packet inside the packet path, no NIC, no kernel.\n\n"
	       "direction       fam.  bytes  channels  instructions\n");
	json_array_foreach((json_t *)(uintptr_t)cells, i, c)
		printf("%-14s  %-4s  %5lld  %8lld  %12.1f\n",
			json_string_value(json_object_get(c, "direction")),
			json_string_value(json_object_get(c, "family")),
			json_integer_value(json_object_get(c, "payload")),
			json_integer_value(json_object_get(c, "channels")),
			json_real_value(json_object_get(c, "instructions_per_packet")));
}

int bench_instructions(struct bench_host *h, const struct bench_options *o)
{
	json_t *cells = json_array();
	int rc = cells_run(h, o, cells);

	if (rc == 0 && !o->json)
		table_print(cells);
	if (rc == 0)
		rc = bench_output_write(
			bench_output_make(o->argc, o->argv,
				json_pack("{s:s, s:I, s:f, s:O}", "label",
					"instructions, relay logic alone", "seed",
					(json_int_t)o->seed, "zipf", o->zipf, "cells", cells)),
			o->output, o->json);
	json_decref(cells);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}
