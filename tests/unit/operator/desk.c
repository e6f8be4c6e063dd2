// SPDX-License-Identifier: BSD-3-Clause
#include "desk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <proc/clock.h>

// The relayed ports are none that a kernel picks by itself.
#define CONFIG                                                                                     \
	"realm: desk.example\n"                                                                    \
	"dataplane: {ports: [{device: net_null0}]}\n"                                              \
	"listeners: [{address: 10.77.0.1}, {address: 10.77.0.1, transport: tcp}]\n"                \
	"secrets: [{id: one, secret_file: secret}]\n"                                              \
	"relay: {ports: 2000-2100}\n"                                                              \
	"limits: {allocations: 8, entries: 64, budget: {megabytes: 1}}\n"

static int next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	const struct desk *d = ctx;

	*gateway = d->on_link ? *dst : tp_addr_ipv4(0x0a4d00fe, 0);
	*ifindex = 7;
	return 0;
}

static uint64_t neighbour(void *ctx, const struct tp_addr *gateway, uint32_t ifindex)
{
	(void)gateway;
	(void)ifindex;
	return ((const struct desk *)ctx)->mac_word;
}

static void random_fill(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 7, len);
}

static int reload(void *ctx, bool dry_run, struct operator_reload *r)
{
	(void)ctx;
	(void)dry_run;
	*r = (struct operator_reload){.diff = {.n = 1, .changes = {{.key = "realm"}}}};
	snprintf(r->diff.changes[0].text, sizeof(r->diff.changes[0].text), "a to b");
	return 0;
}

static int ban(void *ctx, const struct turn_ban *ban, bool lift)
{
	const struct desk *d = ctx;
	uint32_t index = TURN_BANS_MAX;

	return lift ? turn_ban_remove(d->turn, ban, &index)
		    : turn_ban_add(d->turn, d->now_ns, proc_wall_s(), ban, &index);
}

static int budget_reset(void *ctx, uint16_t realm_id, const char *name)
{
	const struct desk *d = ctx;
	uint32_t cursor = 0, index;
	int n = 0;

	while (turn_budget_reset(d->turn, realm_id, name, strlen(name), &cursor, &index))
		n++;
	return n;
}

static void file_write(const struct desk *d, const char *name, const char *text)
{
	char path[SHM_PATH_MAX + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->place.directory, name);
	umask(077);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void settings_make(struct desk *d, const char *config)
{
	struct conf_request request = {.role = CONF_FOR_CONTROL, .path = d->config};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;

	file_write(d, "secret", "0123456789abcdef0123456789abcdef\n");
	file_write(d, "desk.yaml", config);
	snprintf(d->config, sizeof(d->config), "%s/desk.yaml", d->place.directory);
	if (conf_load(&request, &conf, &errs) < 0)
		fail_msg("%s: %s", errs.items[0].key, errs.items[0].problem);
	conf_errors_fini(&errs);
	d->settings = settings_create(conf);
	assert_non_null(d->settings);
}

static void server_make(struct desk *d)
{
	const struct tables_env env = {.ctx = d, .next_hop = next_hop, .neighbour = neighbour};
	const struct turn_env turn_env = {.random = random_fill};
	struct shm_tables_shape shape = settings_shape(d->settings->conf);
	struct settings *s = d->settings;
	struct turn_store store;
	struct shm_error err;

	if (tables_create(&d->tables, &d->place, &shape, &env, &err) < 0 ||
		tables_configure(d->tables, s->locals, s->n_locals, &s->path, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(settings_ids(s, tables_secrets(d->tables)), 0);
	store = tables_store(d->tables);
	d->turn = turn_create(&turn_env, &store, &s->turn);
	assert_non_null(d->turn);
}

static void state_make(struct desk *d)
{
	struct shm_state *state = &d->link.state;
	struct shm_error err;

	assert_int_equal(
		shm_state_create(state, &d->place, tables_shm(d->tables), DESK_WORKERS, &err), 0);
	shm_state_adopt(state, tables_shm(d->tables));
	assert_int_equal(shm_file_publish(&state->file, &d->place, &err), 0);
	tables_attach_state(d->tables, state);
	state->n_ports = 1;
	d->header = state->header;
	d->workers = state->workers;
	snprintf(d->header->ports[0].interface, TP_IFNAME_MAX, "desk0");
	atomic_store(&d->header->ports[0].link_up, 1);
	atomic_store(&d->header->started_ns, d->now_ns - 90 * TP_NS_PER_S);
	for (unsigned w = 0; w < DESK_WORKERS; w++)
		atomic_store(&d->workers[w].online, 1);
}

static void link_make(struct desk *d)
{
	int pair[2];

	d->link.place = d->place;
	d->link.tables = d->tables;
	d->link.up = true;
	d->link.up_ns = d->now_ns - 60 * TP_NS_PER_S;
	d->link.punt.file.base = &d->punt;
	d->link.punt.n_workers = d->link.inject.n_workers = DESK_WORKERS;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	d->link.socket.fd = pair[0];
	d->link.socket.kick_fd = dup(pair[0]);
	d->link.socket.wake_fd = -1;
	d->socket = pair[1];
}

void desk_permit(struct desk *d, uint32_t peer_ip)
{
	struct turn_store store = tables_store(d->tables);
	uint32_t expires_s = (uint32_t)(d->now_ns / TP_NS_PER_S) + 300, ref;
	struct tp_addr peer = tp_addr_ipv4(peer_ip, 0);

	assert_int_equal(store.permission_add(store.ctx, d->ref, &peer, expires_s, &ref), 0);
	assert_int_equal(
		turn_restore_permission(d->turn, d->now_ns, d->ref, &peer, expires_s, ref), 0);
}

// As a client does, but for its request.
static void allocation_make(struct desk *d)
{
	struct turn_store store = tables_store(d->tables);
	struct turn_allocation_record *rec = &d->record;
	uint32_t now_s = (uint32_t)(d->now_ns / TP_NS_PER_S);
	struct tp_addr peer = tp_addr_ipv4(0xc6336407, 5000);

	rec->client.remote = tp_addr_ipv4(0xc6336401, 4000);
	rec->client.listener_id = d->settings->listeners[0].id;
	rec->relay[0].local = tp_addr_ipv4(0x0a4d0001, 2050);
	rec->relay[0].advertised = rec->relay[0].local;
	rec->relay[0].relay_id = d->settings->relays[0].id;
	rec->relay[0].expires_s = now_s + 600;
	rec->created_ns = d->now_ns;
	rec->lifetime_s = 600;
	rec->requested_family = TP_FAMILY_IPV4;
	rec->username_len = 4;
	memcpy(rec->username, "anna", 4);
	rec->key_len = 16;
	assert_int_equal(store.allocation_add(store.ctx, rec, &d->ref), 0);
	assert_int_equal(turn_restore_allocation(d->turn, d->now_ns, rec, d->ref), 0);
	desk_permit(d, 0xc6336407);
	assert_int_equal(store.channel_add(store.ctx, d->ref, 0x4000, &peer, now_s + 600,
				 now_s + 300, &d->channel),
		0);
	assert_int_equal(turn_restore_channel(d->turn, d->now_ns, d->ref, 0x4000, &peer,
				 now_s + 600, d->channel),
		0);
}

struct desk *desk_make(bool live)
{
	return desk_make_of(CONFIG, live);
}

struct desk *desk_make_of(const char *config, bool live)
{
	struct desk *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->now_ns = 1000 * TP_NS_PER_S;
	d->mac_word = tp_next_hop_pack((const uint8_t[]){2, 0, 0, 0, 0, 1}, 0);
	scratch_place_make(&d->place);
	settings_make(d, config);
	server_make(d);
	state_make(d);
	link_make(d);
	d->mirror = net_mirror_create(NULL, NULL);
	assert_non_null(d->mirror);
	// The year 2100.
	d->edge = (struct link_edge){.fd = 0, .expires_s = 4102444800};
	d->op = (struct operator_desk){
		.sources = {.tables = d->tables,
			.turn = d->turn,
			.settings = d->settings,
			.link = &d->link,
			.mirror = d->mirror,
			.edge = &d->edge},
		.config = d->config,
		.started_ns = d->now_ns - 100 * TP_NS_PER_S,
		.reload = reload,
		.ban = ban,
		.budget_reset = budget_reset,
		.reload_ctx = d,
	};
	if (live)
		allocation_make(d);
	desk_second(d);
	return d;
}

void desk_free(struct desk *d)
{
	close(d->socket);
	close(d->link.socket.fd);
	close(d->link.socket.kick_fd);
	operator_fini(&d->op);
	net_mirror_destroy(d->mirror);
	turn_destroy(d->turn);
	tables_attach_state(d->tables, NULL);
	shm_state_close(&d->link.state);
	tables_destroy(d->tables);
	settings_destroy(d->settings);
	scratch_place_remove(&d->place);
	free(d);
}

void desk_second(struct desk *d)
{
	// By tenths, as the process does; the search for busy allocations counts on it.
	for (unsigned i = 0; i < 10; i++) {
		d->now_ns += TP_NS_PER_S / 10;
		atomic_store(&d->header->file.heartbeat_ns, d->now_ns);
		for (unsigned w = 0; w < DESK_WORKERS; w++)
			atomic_store(&d->workers[w].heartbeat_ns, d->now_ns);
		operator_tick(&d->op, d->now_ns);
	}
}

json_t *desk_ask(struct desk *d, const char *command, json_t *arguments)
{
	bool failed;
	json_t *rows = desk_try(d, command, arguments, &failed);

	if (failed)
		fail_msg("%s: %s", command, json_string_value(json_object_get(rows, "message")));
	return rows;
}

json_t *desk_try(struct desk *d, const char *command, json_t *arguments, bool *failed)
{
	struct ctl_call call = {.command = ctl_command_find(command),
		.arguments = arguments == NULL ? json_object() : arguments,
		.now_ns = d->now_ns,
		.fd = -1};
	json_t *rows = NULL;

	assert_non_null(call.command);
	call.fd = dup(d->socket);
	for (size_t i = 0; i < operator_n_handlers; i++) {
		enum ctl_step step = CTL_MORE;

		if (strcmp(operator_handlers[i].command, command) != 0)
			continue;
		while (step == CTL_MORE) {
			step = operator_handlers[i].run(&d->op, &call);
			if (rows == NULL)
				rows = json_incref(call.result);
			else
				json_array_extend(rows, call.result);
			json_decref(call.result);
			call.result = NULL;
		}
	}
	*failed = call.failed;
	close(call.fd);
	json_decref((json_t *)(uintptr_t)call.arguments);
	assert_non_null(rows);
	return rows;
}
