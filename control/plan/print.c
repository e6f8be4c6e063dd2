// SPDX-License-Identifier: BSD-3-Clause
#include <plan/plan.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <proc/buffers.h>
#include <proc/host.h>
#include <proc/start.h>
#include <shm/numa.h>

static const char *const file_names[PLAN_FILES] = {
	[PLAN_TABLES] = "tables",
	[PLAN_STATE] = "state",
	[PLAN_PUNT] = "punt",
	[PLAN_INJECT] = "inject",
	[PLAN_EDGE] = "edge",
	[PLAN_STREAM] = "stream",
	[PLAN_PRIVATE] = "private",
};

// ---- the machine ------------------------------------------------------------------------------

static uint64_t number_read(const char *path, bool *known)
{
	FILE *f = fopen(path, "re");
	long long v = -1;

	if (f != NULL) {
		if (fscanf(f, "%lld", &v) != 1)
			v = -1;
		fclose(f);
	}
	*known = v >= 0;
	return v < 0 ? 0 : (uint64_t)v;
}

static uint32_t link_number(const char *interface, const char *name)
{
	char path[128];
	uint64_t v;
	bool known;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", interface, name);
	v = number_read(path, &known);
	return v > UINT32_MAX ? 0 : (uint32_t)v;
}

static uint32_t queues_count(const char *interface)
{
	char path[160];
	uint32_t n = 0;

	for (; n < 1024; n++) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/queues/rx-%u", interface, n);
		if (access(path, F_OK) != 0)
			break;
	}
	return n;
}

void plan_host_read(struct plan_host *h, const struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	*h = (struct plan_host){.cores = cores > 0 ? (uint32_t)cores : 0};
	h->memory_max = proc_memory_limit(PROC_CGROUP_SELF, PROC_CGROUP_ROOT);
	h->huge_free = number_read(
		"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", &h->huge_known);
	for (size_t i = 0; i < conf->dataplane.n_ports && i < TP_PORTS_MAX; i++) {
		const char *interface = conf->dataplane.ports[i].interface;

		h->node[i] = proc_port_node(SHM_SYSFS, interface, conf->dataplane.ports[i].device);
		if (interface == NULL)
			continue;
		h->link_mbps[i] = link_number(interface, "speed");
		h->mtu[i] = link_number(interface, "mtu");
		h->rx_queues[i] = queues_count(interface);
	}
}

// ---- for people -------------------------------------------------------------------------------

// 1,234,567
static const char *grouped(uint64_t v, char buf[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, v);
	char *out = buf;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

static void count_print(FILE *out, const char *what, uint64_t v, const char *text)
{
	char buf[32];

	fprintf(out, "  %-26s %14s  %s\n", what, grouped(v, buf), text);
}

static void capacity_print(const struct plan *p, FILE *out)
{
	char text[128];

	fputs("capacity, in allocations\n", out);
	snprintf(text, sizeof(text), "%u ports on each of %u IPv4 and %u IPv6 relay addresses",
		p->ports_per_address, p->n_addresses4, p->n_addresses6);
	count_print(out, "by ports", p->by_ports, text);
	snprintf(text, sizeof(text), "limits.entries %u, four each with one channel",
		p->conf->limits.entries);
	count_print(out, "by entries", p->by_entries, text);
	count_print(out, "by limits.allocations", p->conf->limits.allocations, "");
	count_print(out, "there is room for", p->allocations,
		"a call whose two ends are both relayed takes two");
}

static void memory_print(const struct plan *p, FILE *out)
{
	char text[128];

	fputs("\nmemory, in octets (huge pages of 2 MiB)\n", out);
	for (unsigned i = 0; i < PLAN_FILES; i++) {
		if (p->octets[i] == 0)
			continue;
		snprintf(text, sizeof(text), "%" PRIu64 "%s", p->huge_pages[i],
			i == PLAN_STATE && p->state_first < p->octets[i]
				? " (with all entries in use)"
				: "");
		count_print(out, file_names[i], p->octets[i], text);
		if (i != PLAN_STATE || p->state_first == p->octets[i])
			continue;
		snprintf(text, sizeof(text), "%" PRIu64, p->state_first_huge);
		count_print(out, "state at the start", p->state_first, text);
	}
	snprintf(text, sizeof(text), "%" PRIu64 " (%u buffers, NUMA nodes: %u; about)",
		p->buffer_huge_pages, p->buffers, p->buffer_nodes);
	count_print(out, "packet buffers", p->buffer_octets, text);
	snprintf(text, sizeof(text), "%" PRIu64, p->huge_total);
	count_print(out, "all", p->segment_octets + p->buffer_octets, text);
	if (p->segment_first < p->segment_octets) {
		snprintf(text, sizeof(text), "%" PRIu64,
			p->huge_total - p->huge_pages[PLAN_STATE] + p->state_first_huge);
		count_print(out, "all at the start", p->segment_first + p->buffer_octets, text);
	}
	snprintf(text, sizeof(text), "0 (%u workers, dataplane.fragment_memory %u MiB each)",
		p->conf->dataplane.workers, p->conf->dataplane.fragment_mib);
	count_print(out, "fragments", p->fragment_octets, text);
	snprintf(text, sizeof(text), "%" PRIu64 " (segment)", p->huge_per_100k);
	count_print(out, "for 100,000 allocations", p->octets_per_100k, text);
	count_print(out, "used by one allocation", p->used_per_allocation,
		"with one permission and one channel");
}

static void media_print(const struct plan *p, FILE *out)
{
	char a[32], b[32], c[32];

	fputs("\ntraffic, per allocation (all of them), received; as much is sent\n", out);
	for (unsigned i = 0; i < PLAN_MEDIA; i++) {
		const struct plan_media *m = &p->media[i];

		fprintf(out, "  %-26s %14s  packets/s, %s kbit/s on the wire (%s Mbit/s): %s\n",
			m->name, grouped(m->relayed, a), grouped(m->bits_per_s / 1000, b),
			grouped(m->bits_per_s_all / 1000000, c), m->text);
		if (m->per_worker != 0)
			fprintf(out, "  %-26s %14s  allocations per worker at %s packets/s\n", "",
				grouped(m->per_worker, a),
				grouped(p->host.worker_packets_per_s, b));
	}
}

static void workers_print(const struct plan *p, FILE *out)
{
	const struct conf_dataplane *d = &p->conf->dataplane;

	fprintf(out, "\nworkers\n  %u, each on a core of its own and with a queue on each port\n",
		d->workers);
	for (size_t i = 0; i < d->n_ports && i < TP_PORTS_MAX; i++) {
		const struct conf_port *port = &d->ports[i];

		fprintf(out, "  port %zu: %s", i,
			port->interface != NULL ? port->interface : port->device);
		if (p->host.rx_queues[i] != 0)
			fprintf(out, ", %u receive queues here", p->host.rx_queues[i]);
		if (p->host.link_mbps[i] != 0)
			fprintf(out, ", %u Mbit/s", p->host.link_mbps[i]);
		fputc('\n', out);
	}
	if (p->host.worker_packets_per_s == 0)
		fputs("  how much one carries: measure with relaybench core, then --worker-rate "
		      "PACKETS\n",
			out);
}

void plan_print(const struct plan *p, FILE *out)
{
	capacity_print(p, out);
	memory_print(p, out);
	media_print(p, out);
	workers_print(p, out);
	fputs(p->n_short == 0 ? "\nnothing is short\n" : "\nshort\n", out);
	for (unsigned i = 0; i < p->n_short; i++)
		fprintf(out, "  %s\n    next: %s\n", p->shortages[i].what, p->shortages[i].remedy);
}

// ---- for programs -----------------------------------------------------------------------------

static json_t *u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

static json_t *capacity_json(const struct plan *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "allocations", u64(p->allocations),
		"by_ports", u64(p->by_ports), "by_entries", u64(p->by_entries), "by_limit",
		u64(p->conf->limits.allocations), "ports_per_address", u64(p->ports_per_address),
		"addresses_ipv4", u64(p->n_addresses4), "addresses_ipv6", u64(p->n_addresses6));
}

static json_t *memory_json(const struct plan *p)
{
	json_t *files = json_object();

	for (unsigned i = 0; i < PLAN_FILES; i++)
		json_object_set_new(files, file_names[i],
			json_pack("{s:o, s:o}", "octets", u64(p->octets[i]), "huge_pages",
				u64(p->huge_pages[i])));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "files",
		files, "fragment_octets", u64(p->fragment_octets), "segment_octets",
		u64(p->segment_octets), "segment_octets_at_start", u64(p->segment_first),
		"state_octets_at_start", u64(p->state_first), "buffers", u64(p->buffers),
		"buffer_octets", u64(p->buffer_octets), "buffer_huge_pages",
		u64(p->buffer_huge_pages), "huge_pages", u64(p->huge_total),
		"octets_per_100000_allocations", u64(p->octets_per_100k),
		"huge_pages_per_100000_allocations", u64(p->huge_per_100k),
		"used_octets_per_allocation", u64(p->used_per_allocation));
}

static json_t *media_json(const struct plan *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < PLAN_MEDIA; i++) {
		const struct plan_media *m = &p->media[i];
		json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "name", m->name,
			"text", m->text, "packets_per_s_each_way", u64(m->packets_per_s),
			"payload_octets", u64(m->payload), "packets_per_s", u64(m->relayed),
			"bits_per_s", u64(m->bits_per_s), "bits_per_s_all", u64(m->bits_per_s_all));

		if (m->per_worker != 0)
			json_object_set_new(o, "allocations_per_worker", u64(m->per_worker));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *shortages_json(const struct plan *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->n_short; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "what", p->shortages[i].what,
						    "remedy", p->shortages[i].remedy));
	return list;
}

int plan_print_json(const struct plan *p, FILE *out)
{
	json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "instance", p->conf->instance,
		"workers", u64(p->conf->dataplane.workers), "capacity", capacity_json(p), "memory",
		memory_json(p), "traffic", media_json(p), "short", shortages_json(p));

	if (o == NULL)
		return -ENOMEM;
	json_dumpf(o, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(o);
	return 0;
}

// ---- --plan -----------------------------------------------------------------------------------

int plan_run(const char *path, const char *instance, uint32_t worker_packets_per_s, bool json)
{
	struct conf_request request = {
		.role = CONF_FOR_CONTROL, .path = path, .instance = instance};
	struct conf_errors errs = {0};
	struct plan_host host;
	struct conf *conf = NULL;
	struct plan *plan;
	char line[1024];
	int rc = conf_load(&request, &conf, &errs);

	if (rc == 0)
		conf_host_judge(conf, conf_host_has, NULL, &errs);
	for (size_t i = 0; i < errs.len; i++)
		fprintf(stderr, "%s\n", conf_error_format(&errs.items[i], line, sizeof(line)));
	conf_errors_fini(&errs);
	if (rc < 0)
		return PROC_EXIT_CONFIG;
	plan = malloc(sizeof(*plan));
	if (plan != NULL) {
		plan_host_read(&host, conf);
		host.worker_packets_per_s = worker_packets_per_s;
		plan_make(plan, conf, &host);
		if (json)
			rc = plan_print_json(plan, stdout);
		else
			plan_print(plan, stdout);
		free(plan);
	}
	conf_free(conf);
	return plan == NULL || rc < 0 ? PROC_EXIT_FAILED : PROC_EXIT_STOPPED;
}
