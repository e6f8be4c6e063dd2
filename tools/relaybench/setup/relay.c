// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <log/log.h>

#include <bench/clock.h>
#include <traffic/flow.h>

#define INTERFACE	"relaybench0"
#define IFINDEX		0x7fff0001u // none that the kernel gave
#define GATEWAY		0x0a4d00feu // 10.77.0.254
#define ROUTE_METRIC	0xfffffff0u // no route of the machine's own has it
// Ports are taken at random: towards the last one that takes longer.
#define PORTS_USED	(BENCH_RELAY_PORTS / 10 * 9)
// Entries that rest for a grace period: a ChannelBind replaces the permission's, and several bursts
// of clients may do so in one period. One set-up takes four.
#define ENTRIES_SPARE	1024u
#define ENTRIES_PER_ONE 4u
#define RINGS_OCTETS	(16ull << 20)
#define USERS_FILE	"users"
#define SECRET_FILE	"secret"
#define CONFIG_FILE	"turnpike.yaml"

static uint32_t relays_for(uint32_t allocations)
{
	return allocations / PORTS_USED + 1;
}

uint64_t bench_relay_octets(const struct bench_relay_shape *shape)
{
	struct shm_tables_shape tables = {
		.n_entries = shape->allocations * ENTRIES_PER_ONE + ENTRIES_SPARE,
		.n_next_hops = 4096,
		.n_port_indexes = relays_for(shape->allocations) + 2,
		.n_allocations = shape->allocations,
		.n_workers = 1};

	return shm_tables_size(&tables) + (uint64_t)tables.n_entries * sizeof(struct tp_cell) +
	       tables_private_octets(&tables) + RINGS_OCTETS;
}

// ---- configuration ------------------------------------------------------------------------------

static FILE *file_make(const char *directory, const char *name)
{
	char path[2 * SHM_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int users_write(const char *directory, uint32_t n)
{
	FILE *f = file_make(directory, USERS_FILE);

	if (f == NULL)
		return -errno;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t key[16];
		char name[BENCH_USER_NAME_MAX];

		bench_user_name(i, name);
		bench_user_key(i, key);
		fprintf(f, "%s:", name);
		for (unsigned k = 0; k < sizeof(key); k++)
			fprintf(f, "%02x", key[k]);
		fputc('\n', f);
	}
	return fclose(f) == 0 ? 0 : -errno;
}

static int secret_write(const char *directory)
{
	FILE *f = file_make(directory, SECRET_FILE);

	if (f == NULL)
		return -errno;
	fprintf(f, "%s\n", bench_rest_secret);
	return fclose(f) == 0 ? 0 : -errno;
}

static char *text_make(const struct bench_relay_shape *shape, const char *directory,
	uint32_t relays, const char *deny)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	fprintf(f,
		"instance: relaybench\nruntime_directory: %s\nrealm: " BENCH_REALM "\n"
		"dataplane: {workers: 1, ports: [{interface: " INTERFACE "}]}\n"
		"listeners: [{address: 10.77.0.1}]\n"
		"limits: {allocations: %u, entries: %u, max_lifetime: 3600, "
		"credential_lifetime: 0}\n"
		"peers: {allow: [172.16.0.0/12]%s%s%s}\n"
		"relay:\n  ports: %u-%u\n  addresses: [",
		directory, shape->allocations, shape->allocations * ENTRIES_PER_ONE + ENTRIES_SPARE,
		deny == NULL ? "" : ", deny: [", deny == NULL ? "" : deny, deny == NULL ? "" : "]",
		BENCH_RELAY_PORT_MIN, BENCH_RELAY_PORT_MAX);
	for (uint32_t i = 0; i < relays; i++) {
		struct tp_addr a = bench_relay_address(BENCH_IPV4, i);

		fprintf(f, "%s%u.%u.%u.%u", i == 0 ? "" : ", ", a.ip[0], a.ip[1], a.ip[2], a.ip[3]);
	}
	fputs("]\n", f);
	if (shape->users != 0)
		fputs("users_file: " USERS_FILE "\n", f);
	else
		fputs("secrets: [{id: bench, secret_file: " SECRET_FILE "}]\n", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static int config_write(
	struct bench_relay *b, const struct bench_relay_shape *shape, const char *deny)
{
	char *text = text_make(shape, b->directory, b->n_relays, deny);
	FILE *f = text == NULL ? NULL : file_make(b->directory, CONFIG_FILE);
	int rc = f == NULL ? -EIO : 0;

	if (f != NULL && (fputs(text, f) == EOF || fclose(f) == EOF))
		rc = -EIO;
	free(text);
	return rc;
}

static struct conf *conf_make(struct bench_relay *b, const struct bench_relay_shape *shape,
	char *wrong, size_t wrong_size)
{
	struct conf_request request = {.role = CONF_FOR_CONTROL, .path = b->config};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;

	if (config_write(b, shape, NULL) < 0 || conf_load(&request, &conf, &errs) < 0)
		for (size_t i = 0; i < errs.len; i++)
			if (!errs.items[i].warning)
				conf_error_format(&errs.items[i], wrong, wrong_size);
	conf_errors_fini(&errs);
	return conf;
}

// About the first half of the peers, as one prefix.
int bench_relay_deny(struct bench_relay *b, const struct bench_relay_shape *shape, uint32_t *denied)
{
	const struct bench_population all = {.n_flows = shape->allocations};
	struct bench_flow first, flow;
	struct text_cidr prefix;
	char text[TEXT_ADDR_SIZE];
	uint32_t hosts;
	uint8_t bits = 32;

	bench_flow_at(&all, 0, &first);
	bench_flow_at(&all, shape->allocations - 1, &flow);
	hosts = tp_load_be32(flow.peer.ip) - tp_load_be32(first.peer.ip) + 1;
	for (; bits > 16 && 2u << (32 - bits) <= hosts / 2; bits--)
		;
	prefix = text_cidr_make(&first.peer, bits);
	*denied = 0;
	for (uint32_t i = 0; i < shape->allocations; i++) {
		bench_flow_at(&all, i, &flow);
		*denied += text_cidr_contains(&prefix, &flow.peer);
	}
	return config_write(b, shape, text_cidr_format(&prefix, text));
}

// ---- the way out --------------------------------------------------------------------------------

static int feed(struct net_mirror *m, const struct nlmsghdr *nlh)
{
	return net_mirror_feed(m, nlh, nlh->nlmsg_len);
}

static struct nlmsghdr *message(uint8_t *buf, uint16_t type)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	return nlh;
}

// One link with one gateway for everybody, beside the machine's own: no packet leaves here.
static int hops_make(struct link_hops *h)
{
	static const uint8_t mac[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0xfe};
	uint8_t buf[512] TP_ALIGNED(8) = {0};
	struct nlmsghdr *nlh = message(buf, RTM_NEWLINK);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(nlh, sizeof(*link));
	struct rtmsg *route;
	struct ndmsg *neighbour;
	int rc;

	link->ifi_index = (int)IFINDEX;
	link->ifi_flags = IFF_UP | IFF_RUNNING;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, INTERFACE);
	mnl_attr_put_u32(nlh, IFLA_MTU, 1500);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	rc = feed(h->mirror, nlh);
	nlh = message(buf, RTM_NEWROUTE);
	route = mnl_nlmsg_put_extra_header(nlh, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_GATEWAY, tp_htonl(GATEWAY));
	mnl_attr_put_u32(nlh, RTA_OIF, IFINDEX);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, ROUTE_METRIC);
	if (rc == 0)
		rc = feed(h->mirror, nlh);
	nlh = message(buf, RTM_NEWNEIGH);
	neighbour = mnl_nlmsg_put_extra_header(nlh, sizeof(*neighbour));
	neighbour->ndm_family = AF_INET;
	neighbour->ndm_ifindex = (int)IFINDEX;
	neighbour->ndm_state = NUD_PERMANENT;
	mnl_attr_put_u32(nlh, NDA_DST, tp_htonl(GATEWAY));
	mnl_attr_put(nlh, NDA_LLADDR, sizeof(mac), mac);
	return rc == 0 ? feed(h->mirror, nlh) : rc;
}

// ---- the data plane's part ----------------------------------------------------------------------

static int plane_make(struct bench_relay *b, struct shm_error *err)
{
	const struct shm_tables *t = tables_shm(b->process.link.tables);
	const struct shm_place *p = &b->process.link.place;
	int rc = shm_state_create(&b->state, p, t, 1, err);

	// All counters at once: nobody makes room for them later.
	if (rc == 0)
		rc = shm_state_reserve(&b->state, p, t->table.n_entries, err);
	if (rc == 0) {
		struct tp_port *port = &b->state.header->ports[0];

		shm_state_tell(&b->state);
		strcpy(port->interface, INTERFACE);
		port->ifindex = IFINDEX;
		port->mtu = 1500;
		atomic_store(&port->link_up, 1);
		b->state.header->n_ports = 1;
		shm_state_adopt(&b->state, t);
		rc = shm_file_publish(&b->state.file, p, err);
	}
	if (rc == 0)
		rc = shm_punt_create(&b->punt, p, t, 1, err);
	if (rc == 0)
		rc = shm_file_publish(&b->punt.file, p, err);
	return rc;
}

static int rings_take(struct bench_relay *b, struct shm_error *err)
{
	int rc;

	shm_inject_close(&b->inject);
	rc = shm_inject_open(&b->inject, &b->process.link.place, tables_shm(b->process.link.tables),
		0, false, err);
	if (rc < 0)
		return rc;
	for (unsigned cls = 0; cls < TP_PUNT_CLASSES; cls++)
		b->punts[cls] = shm_punt_producer(&b->punt, &b->inject, 0, cls);
	b->answers = shm_inject_consumer(&b->punt, &b->inject, 0);
	return 0;
}

void bench_relay_grace(struct bench_relay *b)
{
	const struct tp_tables_header *h = tables_shm(b->process.link.tables)->header;

	atomic_store_explicit(&b->state.header->gp_done,
		atomic_load_explicit(&h->gp_req, memory_order_acquire), memory_order_release);
}

// ---- life ---------------------------------------------------------------------------------------

static bool line_drop(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	(void)line;
	(void)len;
	return true;
}

// Lines are made as they are by default, and go nowhere.
static void log_start(void)
{
	static const struct log_env env = {.write = line_drop};
	const struct log_settings settings = {.process = "control",
		.instance = "relaybench",
		.level = LOG_LEVEL_INFO,
		.env = &env};

	log_init(&settings);
}

static int core_start(struct bench_relay *b, struct conf *conf, struct shm_error *err)
{
	struct process *p = &b->process;
	struct link *l = &p->link;
	int rc;

	p->core.settings = settings_create(conf);
	if (p->core.settings == NULL)
		return -errno;
	p->role_fd = shm_role_lock(&l->place, SHM_ROLE_CONTROL, err);
	rc = p->role_fd < 0 ? p->role_fd : link_hops_init(&l->hops);
	if (rc == 0)
		rc = hops_make(&l->hops);
	if (rc == 0)
		rc = process_core_open(p, p->core.settings, err);
	if (rc < 0)
		return rc;
	b->listener_id = p->core.settings->listeners[0].id;
	link_init(l, p->loop.epoll_fd, PROCESS_TAG_LINK, PROCESS_TAG_KICK);
	rc = plane_make(b, err);
	if (rc == 0)
		rc = rings_take(b, err);
	if (rc == 0)
		link_tick(l, bench_clock_ns(CLOCK_BOOTTIME));
	return rc == 0 && l->punt.file.base == NULL ? -EPROTO : rc;
}

int bench_relay_start(struct bench_relay *b, struct bench_host *g,
	const struct bench_relay_shape *shape, char *wrong, size_t wrong_size)
{
	struct shm_error err = {.text = ""};
	struct conf *conf;
	int rc;

	memset(b, 0, sizeof(*b));
	process_init(&b->process, &(struct process_options){.config = b->config});
	b->n_relays = relays_for(shape->allocations);
	log_start();
	rc = bench_host_place(g, &b->process.link.place, &err);
	snprintf(b->directory, sizeof(b->directory), "%s", g->directory);
	snprintf(b->config, sizeof(b->config), "%s/" CONFIG_FILE, g->directory);
	if (rc == 0)
		rc = shape->users != 0 ? users_write(g->directory, shape->users)
				       : secret_write(g->directory);
	if (rc == 0) {
		conf = conf_make(b, shape, wrong, wrong_size);
		rc = conf == NULL ? -EINVAL : core_start(b, conf, &err);
	}
	if (rc < 0 && err.text[0] != '\0')
		snprintf(wrong, wrong_size, "%.150s", err.text);
	return rc;
}

int bench_relay_restart(struct bench_relay *b, uint64_t *took_ns, char *wrong, size_t wrong_size)
{
	struct shm_error err = {.text = ""};
	uint64_t start;
	int rc;

	process_core_close(&b->process);
	start = bench_clock_ns(CLOCK_MONOTONIC_RAW);
	rc = process_core_open(&b->process, b->process.core.settings, &err);
	if (rc == 0)
		link_tick(&b->process.link, bench_clock_ns(CLOCK_BOOTTIME));
	*took_ns = bench_clock_ns(CLOCK_MONOTONIC_RAW) - start;
	if (rc == 0)
		rc = rings_take(b, &err);
	if (rc < 0)
		snprintf(wrong, wrong_size, "%.150s", err.text);
	return rc;
}

void bench_relay_stop(struct bench_relay *b)
{
	struct process *p = &b->process;

	if (p->core.turn != NULL) {
		link_fini(&p->link);
		process_core_close(p);
	}
	process_keys_fini(p);
	settings_destroy(p->core.settings);
	if (p->link.hops.mirror != NULL)
		link_hops_fini(&p->link.hops);
	shm_inject_close(&b->inject);
	shm_punt_close(&b->punt);
	shm_state_close(&b->state);
	if (p->role_fd >= 0)
		close(p->role_fd);
	log_fini();
}
