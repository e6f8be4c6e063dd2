// SPDX-License-Identifier: BSD-3-Clause
#include "report.h"

#include <stdlib.h>

static const struct sm_flow *flow_of(const struct sm_run *r, uint32_t stream, int direction)
{
	return direction == 0 ? &r->streams[stream].up : &r->streams[stream].down;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_delay(const struct sm_run *r, int direction, uint64_t received, FILE *to)
{
	uint32_t *all = calloc(received + 1, sizeof(*all));
	size_t n = 0;

	if (all == NULL || received == 0) {
		fprintf(to, "null");
		free(all);
		return;
	}
	for (uint32_t i = 0; i < r->options->streams; i++) {
		const struct sm_flow *f = flow_of(r, i, direction);

		for (uint32_t k = 0; k < f->sent; k++)
			if (f->delay_us[k] != 0)
				all[n++] = f->delay_us[k] - 1;
	}
	qsort(all, n, sizeof(*all), compare);
	fprintf(to, "{\"p50\": %u, \"p99\": %u, \"max\": %u}", all[n / 2], all[n * 99 / 100],
		all[n - 1]);
	free(all);
}

// The longest silence of a flow, that before its first and after its last arrival among them.
static uint64_t longest_gap(const struct sm_run *r, const struct sm_flow *f, uint64_t *at_ns)
{
	uint64_t last_ns = f->last_ns != 0 ? f->last_ns : r->start_ns;
	uint64_t tail_ns = r->end_ns > last_ns ? r->end_ns - last_ns : 0;

	*at_ns = tail_ns > f->gap_ns ? last_ns : f->gap_at_ns;
	return tail_ns > f->gap_ns ? tail_ns : f->gap_ns;
}

static void print_direction(const struct sm_run *r, const char *name, int direction, FILE *to)
{
	uint64_t sent = 0, received = 0, lost = 0, dup = 0, reordered = 0, corrupt = 0, errors = 0;
	uint32_t longest = 0;
	uint64_t gap_ns = 0, gap_at_ns = r->start_ns;

	for (uint32_t i = 0; i < r->options->streams; i++) {
		const struct sm_flow *f = flow_of(r, i, direction);
		uint32_t run = sm_flow_longest_loss(f);

		sent += f->sent;
		received += f->received;
		lost += sm_flow_lost(f);
		dup += f->duplicated;
		reordered += f->reordered;
		corrupt += f->corrupt;
		errors += f->send_errors;
		longest = run > longest ? run : longest;
		uint64_t f_at_ns, f_gap_ns = longest_gap(r, f, &f_at_ns);

		if (f_gap_ns > gap_ns) {
			gap_ns = f_gap_ns;
			gap_at_ns = f_at_ns;
		}
	}
	fprintf(to,
		"  \"%s\": {\"sent\": %llu, \"received\": %llu, \"lost\": %llu, \"duplicated\": "
		"%llu,"
		" \"reordered\": %llu, \"corrupt\": %llu, \"send_errors\": %llu,\n"
		"    \"longest_loss\": %u, \"gap_ms\": %.1f, \"gap_at_ms\": %.1f, \"delay_us\": ",
		name, (unsigned long long)sent, (unsigned long long)received,
		(unsigned long long)lost, (unsigned long long)dup, (unsigned long long)reordered,
		(unsigned long long)corrupt, (unsigned long long)errors, longest,
		(double)gap_ns / 1e6, (double)(gap_at_ns - r->start_ns) / 1e6);
	print_delay(r, direction, received, to);
	fprintf(to, "},\n");
}

static void print_requests(const struct sm_run *r, FILE *to)
{
	const struct tc_client *c = &r->streams[0].client.client;
	const char *comma = "";

	fprintf(to, "  \"requests\": [");
	for (unsigned i = 0; i < c->n_requests; i++) {
		const struct tc_request *q = &c->requests[i];
		bool answered = q->answer == TC_SUCCEEDED || q->answer == TC_FAILED;

		if (!q->reported)
			continue;
		fprintf(to,
			"%s\n    {\"request\": \"%s\", \"at_ms\": %.1f, \"answer\": \"%s\", "
			"\"code\": %d,"
			" \"after_ms\": %.1f, \"tries\": %u, \"integrity\": %s",
			comma, tc_kind_name(q->kind), (double)(q->sent_ns - r->start_ns) / 1e6,
			q->answer == TC_SUCCEEDED ? "success"
			: answered		  ? "error"
						  : "none",
			q->error_code,
			answered ? (double)(q->answered_ns - q->sent_ns) / 1e6 : -1.0, q->tries,
			q->integrity_ok ? "true" : "false");
		if (q->kind == TC_K_ALLOCATE_AGAIN)
			fprintf(to, ", \"same_relayed\": %s", q->same_relayed ? "true" : "false");
		fprintf(to, "}");
		comma = ",";
	}
	fprintf(to, "],\n");
}

static void print_errors(const char *name, const struct sm_errors *e, FILE *to)
{
	fprintf(to, "\"%s\": {\"count\": %u, \"last\": \"%s%u/%u\"}", name, e->count,
		e->v6 ? "icmp6 " : "icmp ", e->type, e->code);
}

void sm_report_print(const struct sm_run *r, FILE *to)
{
	const struct sm_options *o = r->options;
	struct sm_errors client = {0}, peer = {0};
	uint64_t strange = 0, other_source = 0;
	char text[64];

	for (uint32_t i = 0; i < o->streams; i++) {
		const struct sm_stream *s = &r->streams[i];
		const struct sm_errors *e[2] = {&s->client.errors, &s->peer.errors};
		struct sm_errors *sum[2] = {&client, &peer};

		for (int k = 0; k < 2; k++) {
			uint32_t count = sum[k]->count + e[k]->count;

			if (e[k]->count != 0)
				*sum[k] = *e[k];
			sum[k]->count = count;
		}
		strange +=
			s->client.client.strange + (s->peer.relayed ? s->peer.client.strange : 0);
		other_source += s->peer.other_source;
	}
	fprintf(to, "{\n  \"started_at\": %.6f,", r->started_at);
	fprintf(to, " \"streams\": %u, \"rate_pps\": %u, \"size\": %u, \"seconds\": %.1f,\n",
		o->streams, o->rate_pps, o->size_len, (double)(r->end_ns - r->start_ns) / 1e9);
	fprintf(to, "  \"data\": \"%s\", \"relayed\": \"%s\",",
		o->by_indication ? "send" : "channel",
		tc_addr_text(&r->streams[0].client.client.relayed, text));
	fprintf(to, " \"peer\": \"%s\",\n", tc_addr_text(&r->streams[0].client.client.peer, text));
	print_direction(r, o->echo_peer ? "loop" : "up", 0, to);
	if (!o->echo_peer)
		print_direction(r, "down", 1, to);
	print_requests(r, to);
	fprintf(to, "  \"icmp_errors\": {");
	print_errors("client", &client, to);
	fprintf(to, ", ");
	print_errors("peer", &peer, to);
	fprintf(to, "},\n  \"strange\": %llu, \"other_source\": %llu\n}\n",
		(unsigned long long)strange, (unsigned long long)other_source);
}
