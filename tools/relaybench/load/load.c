// SPDX-License-Identifier: BSD-3-Clause
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bench/cores.h>
#include <bench/host.h>
#include <bench/machine.h>
#include <bench/exit.h>
#include <bench/output.h>
#include "session.h"

#define LINE_MAX_OCTETS 512u

static struct load_interval interval_default(const struct load_options *o)
{
	return (struct load_interval){.rate = o->rate,
		.seconds = o->seconds,
		.directions = o->directions,
		.sink = o->sink,
		.payload = o->payload,
		.churn = o->churn,
		.flood_binding = o->flood_binding,
		.flood_allocate = o->flood_allocate};
}

// ---- interactive --------------------------------------------------------------------------------

static bool word_take(struct load_interval *interval, const char *name, const char *value)
{
	double v = atof(value);

	if (strcmp(name, "rate") == 0 && v >= 0)
		interval->rate = v;
	else if (strcmp(name, "seconds") == 0 && v > 0 && v <= 3600)
		interval->seconds = v;
	else if (strcmp(name, "direction") == 0)
		interval->directions = value[0] == 'u' ? 1 : value[0] == 'd' ? 2 : 3;
	else if (strcmp(name, "sink") == 0)
		interval->sink = value[0] == 'c' ? LOAD_SINK_COUNT : LOAD_SINK_FULL;
	else if (strcmp(name, "payload") == 0 && v >= LOAD_PAYLOAD_MIN && v <= LOAD_PAYLOAD_MAX)
		interval->payload = (uint16_t)v;
	else if (strcmp(name, "churn") == 0 && v >= 0)
		interval->churn = v;
	else if (strcmp(name, "flood_binding") == 0 && v >= 0)
		interval->flood_binding = v;
	else if (strcmp(name, "flood_allocate") == 0 && v >= 0)
		interval->flood_allocate = v;
	else
		return false;
	return true;
}

static bool line_take(struct load_interval *interval, char *line)
{
	char *rest, *word = strtok_r(line, " \t\r\n", &rest);

	if (word == NULL || strcmp(word, "interval") != 0)
		return false;
	while ((word = strtok_r(NULL, " \t\r\n", &rest)) != NULL) {
		char *value = strchr(word, '=');

		if (value == NULL)
			return false;
		*value++ = '\0';
		if (!word_take(interval, word, value))
			return false;
	}
	return true;
}

static int json_out(json_t *j, FILE *f, size_t flags)
{
	int rc = json_dumpf(j, f, flags) == 0 && fputc('\n', f) != EOF && fflush(f) == 0 ? 0 : -EIO;

	json_decref(j);
	return rc;
}

// One line without its end, or false at the end of input. The allocations are kept meanwhile.
static bool line_wait(struct load_session *s, uint64_t end_ns, char *line)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	size_t n = 0;

	while (!bench_host_stopped() && load_now_ns() < end_ns) {
		load_session_serve(s);
		if (poll(&p, 1, 1) <= 0)
			continue;
		if (read(STDIN_FILENO, line + n, 1) != 1)
			return false;
		if (line[n] == '\n') {
			line[n] = '\0';
			return true;
		}
		n += n + 1 < LINE_MAX_OCTETS;
	}
	return false;
}

static int interact(struct load_session *s, uint64_t end_ns)
{
	char line[LINE_MAX_OCTETS];
	int rc = json_out(json_pack("{s:o, s:o}", "setup", load_setup_describe(s), "machine",
				  bench_machine_describe()),
		stdout, JSON_COMPACT);

	while (rc == 0 && line_wait(s, end_ns, line)) {
		struct load_interval interval = interval_default(s->o);
		json_t *j = NULL;

		if (strcmp(line, "setup") == 0)
			j = load_setup_describe(s);
		else if (!line_take(&interval, line))
			j = json_pack("{s:s}", "error", "interval NAME=VALUE..., or setup");
		else
			rc = load_interval_run(s, &interval, &j);
		if (rc == 0)
			rc = json_out(j, stdout, JSON_COMPACT);
	}
	return rc;
}

// ---- one run ------------------------------------------------------------------------------------

static void address_print(FILE *f, const struct load_addr *a)
{
	for (unsigned i = 0; i < sizeof(a->net.prefix) && a->net.v6; i += 2)
		fprintf(f, "%x:", a->net.prefix[i] << 8 | a->net.prefix[i + 1]);
	if (a->net.v6)
		fprintf(f, "%x:%x %u ", a->ip >> 16, a->ip & 0xffff, a->port);
	else
		fprintf(f, "%u.%u.%u.%u %u ", a->ip >> 24, a->ip >> 16 & 0xff, a->ip >> 8 & 0xff,
			a->ip & 0xff, a->port);
}

static int map_write(const struct load_session *s)
{
	const struct load_population *p = &s->population;
	FILE *f = fopen(s->o->map, "we");

	if (f == NULL) {
		fprintf(stderr, "relaybench: %s: %s\n", s->o->map, strerror(errno));
		return -EIO;
	}
	fprintf(f, "# client_ip client_port relayed_ip relayed_port peer_ip peer_port channel\n");
	for (uint32_t flow = 0; flow < s->n_flows; flow++) {
		const struct load_slot *slot = load_client_slot(s->client, flow / p->n_channels);
		const struct load_addr a[] = {
			load_client_at(p, slot->client), slot->relayed, load_peer_at(p, flow)};

		for (unsigned i = 0; i < 3; i++)
			address_print(f, &a[i]);
		fprintf(f, "0x%04x\n", load_channel_at(p, flow));
	}
	return fclose(f) == 0 ? 0 : -EIO;
}

static void hold(struct load_session *s)
{
	uint64_t start_ns = load_now_ns();
	const struct timespec pause = {.tv_nsec = 1000000};

	fprintf(stderr, "relaybench: holding %u allocations for %.0f s\n",
		load_client_live(s->client), s->o->hold_s);
	while (!bench_host_stopped() && load_now_ns() - start_ns < (uint64_t)(s->o->hold_s * 1e9)) {
		load_session_serve(s);
		nanosleep(&pause, NULL);
	}
}

// The set-up with the answers to the deletions, which end it.
static json_t *deletions_describe(struct load_session *s)
{
	json_t *before = load_setup_describe(s), *after;

	load_session_delete(s);
	after = load_setup_describe(s);
	if (json_is_object(after)) {
		json_object_set(after, "live", json_object_get(before, "live"));
		json_object_set(after, "per_second", json_object_get(before, "per_second"));
	}
	json_decref(before);
	return after;
}

static json_t *report_make(struct load_session *s, json_t *interval)
{
	const struct load_options *o = s->o;

	return bench_output_make(o->argc, o->argv,
		json_pack("{s:i, s:i, s:o, s:o}", "allocations", (int)o->population.n_allocations,
			"channels", (int)o->population.n_channels, "setup", deletions_describe(s),
			"interval", interval == NULL ? json_null() : interval));
}

static void print_direction(FILE *out, const json_t *interval, const char *name)
{
	const json_t *d = json_object_get(interval, name), *delay = json_object_get(d, "delay_ns");

	if (d == NULL)
		return;
	fprintf(out,
		"%-4s sent %lld (%.0f/s), arrived %lld, lost %lld (%.4f %%), not sent %lld, "
		"reordered %lld, duplicate %lld, wrong %lld\n"
		"     delay p50 %.1f us, p99 %.1f us, p99.9 %.1f us, most %.1f us\n",
		name, json_integer_value(json_object_get(d, "sent")),
		json_real_value(json_object_get(d, "sent_per_second")),
		json_integer_value(json_object_get(d, "arrived")),
		json_integer_value(json_object_get(d, "lost")),
		100 * json_real_value(json_object_get(d, "loss")),
		json_integer_value(json_object_get(d, "refused")),
		json_integer_value(json_object_get(d, "reordered")),
		json_integer_value(json_object_get(d, "duplicates")),
		json_integer_value(json_object_get(d, "wrong")),
		(double)json_integer_value(json_object_get(delay, "p50")) / 1e3,
		(double)json_integer_value(json_object_get(delay, "p99")) / 1e3,
		(double)json_integer_value(json_object_get(delay, "p99_9")) / 1e3,
		(double)json_integer_value(json_object_get(delay, "most")) / 1e3);
}

static int run_once(struct load_session *s)
{
	struct load_interval interval = interval_default(s->o);
	// Standard output is for JSON alone where that was asked for.
	FILE *out = s->o->json ? stderr : stdout;
	json_t *described = NULL;
	int rc = 0;

	if (s->client != NULL)
		fprintf(out, "%u allocations with %u channels each in %.2f s: %.0f set-ups/s\n",
			load_client_live(s->client), s->population.n_channels, s->setup_s,
			load_client_live(s->client) / s->setup_s);
	if (s->o->map != NULL && s->client != NULL)
		rc = map_write(s);
	if (rc == 0 && s->o->hold_s >= 0)
		hold(s);
	else if (rc == 0)
		rc = load_interval_run(s, &interval, &described);
	if (rc != 0)
		return rc;
	print_direction(out, described, "up");
	print_direction(out, described, "down");
	return bench_output_write(report_make(s, described), s->o->output, s->o->json);
}

static int run(struct bench_host *g, void *arg)
{
	const struct load_options *o = arg;
	struct load_session s;
	int rc;

	(void)g;
	if (bench_cores_init(-1) >= 0 && o->core >= 0)
		bench_cores_on(o->core);
	rc = load_session_open(&s, o);
	if (rc == 0)
		rc = load_session_set_up(&s);
	if (rc == 0 && o->interactive)
		rc = interact(&s, load_now_ns() + (uint64_t)(o->limit_s * 1e9));
	else if (rc == 0)
		rc = run_once(&s);
	if (s.client != NULL)
		load_session_delete(&s);
	load_session_close(&s);
	return rc == 0 ? BENCH_EXIT_OK : BENCH_EXIT_WRONG;
}

int load_main(int argc, char **argv)
{
	struct load_options o;

	int rc = load_options_read(&o, argc, argv);

	if (rc != 0)
		return rc > 0 ? BENCH_EXIT_OK : BENCH_EXIT_USAGE;
	return bench_host_supervise(run, &o, !o.no_boost);
}
