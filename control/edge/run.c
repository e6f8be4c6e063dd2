// SPDX-License-Identifier: BSD-3-Clause
// Loop, reload and end.
#include "edge.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/clock.h>
#include <proc/notify.h>
#include <proc/sandbox.h>
#include <proc/signals.h>
#include <proc/start.h>

#define TICK_MS	   100
#define OWN_FDS	   6 // of the loop, beside those of processes that drain
#define DAY_S	   86400u
#define EXPIRES_S  (14u * DAY_S)
#define TRIM_NS	   (10u * TP_NS_PER_S)
#define TRIM_LEAST 16u // connections and handshakes that end before memory is given back

// ---- certificates -------------------------------------------------------------------------------

static void certificates_log(struct edge *e)
{
	char file[256] = "";
	uint64_t expires_s = serve_expires_s(e->serve, file, sizeof(file));
	uint64_t now_s = proc_wall_s();

	edge_link_expires(e->link, expires_s, serve_last_expires_s(e->serve));
	if (expires_s != 0)
		log_event(LOG_EV_CERTIFICATE_LOADED,
			LOG_FIELDS(log_str("expires_first", file),
				log_i64("days", ((int64_t)expires_s - (int64_t)now_s) / DAY_S)));
}

// Once a day, from 14 days before.
static void certificates_watch(struct edge *e)
{
	char file[256] = "";
	uint64_t expires_s = serve_expires_s(e->serve, file, sizeof(file));
	uint64_t now_s = proc_wall_s();

	if (expires_s == 0 || expires_s > now_s + EXPIRES_S || now_s < e->warned_s + DAY_S)
		return;
	e->warned_s = now_s;
	log_event(LOG_EV_CERTIFICATE_EXPIRES,
		LOG_FIELDS(log_str("file", file),
			log_i64("days", ((int64_t)expires_s - (int64_t)now_s) / DAY_S),
			log_str("remedy", "renew it, then send SIGHUP to turnpike-edge")));
}

// Names a key that is read at the start alone.
static void start_log(const char *key, const char *problem)
{
	log_event(
		LOG_EV_CONFIG_WARNING, LOG_FIELDS(log_str("key", key), log_str("problem", problem),
					       log_str("remedy", "restart turnpike-edge")));
}

static void reload_log(const struct conf *conf, int rc, const struct serve_changes *changes,
	const struct tls_error *err)
{
	if (rc < 0)
		log_event(LOG_EV_CERTIFICATE_REFUSED,
			LOG_FIELDS(log_str("problem", err->problem), log_str("remedy", err->remedy),
				log_str("state", "certificates and listeners stay as they were")));
	else
		log_event(LOG_EV_CONFIG_RELOADED,
			LOG_FIELDS(log_str("file", conf->path),
				log_u64("listeners_added", changes->added),
				log_u64("listeners_removed", changes->removed)));
	if (rc == 0 && changes->others)
		start_log("listeners", "some have other keys, which a reload does not take over");
}

// A thread has room for so many connections as it started with.
static void connections_take(struct edge *e, struct conf *conf)
{
	uint32_t room = edge_link_connections_max(e->link);

	if (conf->edge.connections <= room)
		return;
	start_log("edge.connections", "more than there is room for wait for the next start");
	conf->edge.connections = room;
}

// Keys of tickets that can't be read stay as they are: all else is good.
static void tickets_reload(struct edge *e, const struct conf *conf)
{
	const char *path = conf->edge.ticket_key_file;
	uint8_t seed[TLS_TICKET_KEY_MAX];
	struct tls_error err;
	size_t len = 0;

	if (path == NULL && e->conf->edge.ticket_key_file != NULL)
		start_log("edge.ticket_key_file", "the keys of the file stay until the next start");
	if (path == NULL)
		return;
	if (tls_seed_read(path, seed, &len, &err) < 0)
		log_event(LOG_EV_CONFIG_WARNING,
			LOG_FIELDS(log_str("key", "edge.ticket_key_file"),
				log_str("problem", err.problem), log_str("remedy", err.remedy)));
	else
		(void)tls_tickets_seed(e->tickets, seed, len);
	explicit_bzero(seed, sizeof(seed));
}

// New listeners refer to it. Without memory it is nobody's, and stays.
static bool conf_keep(struct edge *e, struct conf *conf)
{
	struct edge_conf *kept = malloc(sizeof(*kept));

	if (kept != NULL) {
		*kept = (struct edge_conf){.next = e->later, .conf = conf};
		e->later = kept;
	}
	return true;
}

int edge_reload(struct edge *e, struct tls_error *err)
{
	const struct conf_request request = {
		.role = CONF_FOR_EDGE, .path = e->options.config, .instance = e->options.instance};
	struct serve_changes changes = {.added = 0};
	struct conf *conf;
	bool kept = false;
	int rc = -1;

	proc_notify("RELOADING=1");
	conf = proc_conf_load(&request);
	if (conf != NULL) {
		edge_connections_clamp(e, conf);
		connections_take(e, conf);
	}
	snprintf(err->problem, sizeof(err->problem), "the configuration has mistakes");
	snprintf(err->remedy, sizeof(err->remedy), "relayctl config check lists them");
	if (conf != NULL) {
		rc = serve_reload(e->serve, conf, &changes, err);
		kept = changes.added > 0 && conf_keep(e, conf);
		reload_log(conf, rc, &changes, err);
	}
	if (rc == 0) {
		e->next_is_stale = true;
		e->warned_s = 0;
		e->conf->edge.drain_s = conf->edge.drain_s;
		e->conf->edge.connections = conf->edge.connections;
		if (conf->edge.threads != e->conf->edge.threads)
			start_log("edge.threads", "another number is for the next start");
		tickets_reload(e, conf);
		log_level_set(conf->log.level);
		if (edge_relay_addresses(e->relay, conf->relay.addresses, conf->relay.n_addresses) <
			0)
			log_event(LOG_EV_CONFIG_WARNING,
				LOG_FIELDS(log_str("key", "relay.addresses"),
					log_str("problem", "no memory for them"),
					log_str("remedy", "free memory, then reload again")));
		certificates_log(e);
	}
	if (!kept)
		conf_free(conf);
	proc_notify("READY=1");
	return rc;
}

// ---- the loop -----------------------------------------------------------------------------------

static void signals_read(struct edge *e)
{
	struct signalfd_siginfo info;
	struct tls_error err;

	while (read(e->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && !e->draining)
			(void)edge_reload(e, &err);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			e->stopping = true;
		else
			proc_signal_log((int)info.ssi_signo, info.ssi_pid);
	}
}

// The allocator keeps the memory of connections that have gone and of handshakes that are done, and
// hands it to the kernel here: in a quiet second, or when there were half as many as there are
// connections, because threads wait meanwhile, the longer the more memory there is.
static void memory_return(struct edge *e)
{
	struct serve_counters c;
	uint64_t ended, since;
	bool quiet;

	serve_counters_read(e->serve, &c);
	ended = c.handshakes;
	for (unsigned i = 0; i < SERVE_CLOSE_COUNT; i++)
		ended += c.closed[i];
	quiet = ended == e->ended;
	e->ended = ended;
	since = ended - e->trimmed;
	if (since < TRIM_LEAST || e->now_ns < e->trimmed_ns + TRIM_NS ||
		(!quiet && since < serve_connections(e->serve) / 2))
		return;
	e->trimmed = ended;
	e->trimmed_ns = e->now_ns;
	(void)malloc_trim(0);
}

static void second_pass(struct edge *e)
{
	memory_return(e);
	if (!e->draining)
		certificates_watch(e);
	proc_denied_log();
	if (!e->draining &&
		!proc_role_check(&e->place, SHM_ROLE_EDGE, e->role_fd, &e->lock_reported))
		e->failed = e->stopping = true;
	log_tick();
	proc_notify("WATCHDOG=1");
}

static void serve_pass(struct edge *e)
{
	edge_relay_poll(e->relay, e->now_ns);
	edge_link_tick(e->link, e->now_ns);
	ctl_server_poll(e->ctl, e->now_ns);
	ctl_server_advance(e->ctl, e->now_ns);
	edge_before_poll(e);
	edge_next_poll(e);
}

// The next process has all but the connections that stay. It says nothing any more: its end, or
// that of the last of those after it, is all that may come.
static void drain_pass(struct edge *e)
{
	if (takeover_has_come(e->next_fd))
		edge_next_died(e);
	if (serve_connections(e->serve) == 0 || e->now_ns >= e->drain_ns)
		e->stopping = true;
}

void edge_run(struct edge *e)
{
	uint64_t second_ns = 0;

	certificates_log(e);
	while (!e->stopping) {
		struct pollfd fds[] = {
			{.fd = e->signal_fd, .events = POLLIN},
			{.fd = e->draining ? -1 : edge_link_fd(e->link), .events = POLLIN},
			{.fd = e->draining ? -1 : ctl_server_fd(e->ctl), .events = POLLIN},
			{.fd = e->draining ? -1 : edge_relay_fd(e->relay), .events = POLLIN},
			// One at a time: another one waits.
			{.fd = e->next_fd < 0 ? e->next_listen_fd : -1, .events = POLLIN},
			{.fd = e->next_fd, .events = POLLIN},
			// Then those that drain.
			[OWN_FDS + TAKEOVER_DRAINS_MAX - 1] = {.fd = -1},
		};

		for (unsigned i = 0; i < e->before.n_drains; i++)
			fds[OWN_FDS + i] =
				(struct pollfd){.fd = e->before.drains[i], .events = POLLIN};
		(void)poll(fds, OWN_FDS + e->before.n_drains,
			e->draining ? TICK_MS : (int)edge_link_wait_ms(e->link));
		e->now_ns = proc_now_ns();
		signals_read(e);
		if (e->draining)
			drain_pass(e);
		else
			serve_pass(e);
		if (e->now_ns >= second_ns + TP_NS_PER_S) {
			second_ns = e->now_ns;
			second_pass(e);
		}
	}
}

void edge_stop(struct edge *e)
{
	struct serve_counters c = {0};
	bool orderly = e->stopping && !e->failed;

	if (e->stopping)
		proc_notify("STOPPING=1");
	if (e->ctl != NULL)
		ctl_server_destroy(e->ctl);
	if (e->serve != NULL) {
		serve_stop(e->serve);
		serve_counters_read(e->serve, &c);
	}
	// The ends of the connections are told, but for those of a process that goes on.
	if (e->link != NULL && e->stopping && !e->draining) {
		edge_relay_poll(e->relay, proc_now_ns());
		edge_link_tick(e->link, proc_now_ns());
	}
	edge_next_close(e);
	edge_before_close(e);
	// It orders threads.
	edge_relay_destroy(e->relay);
	serve_destroy(e->serve);
	edge_link_destroy(e->link);
	tls_tickets_destroy(e->tickets);
	if (e->signal_fd >= 0)
		close(e->signal_fd);
	if (e->role_fd >= 0 && orderly)
		(void)shm_role_leave(&e->place, SHM_ROLE_EDGE, e->role_fd);
	else if (e->role_fd >= 0)
		close(e->role_fd);
	while (e->later != NULL) {
		struct edge_conf *next = e->later->next;

		conf_free(e->later->conf);
		free(e->later);
		e->later = next;
	}
	conf_free(e->conf);
	if (orderly)
		log_event(LOG_EV_PROCESS_STOPPED, LOG_FIELDS(log_u64("accepted", c.accepted),
							  log_u64("messages_in", c.messages_in),
							  log_u64("messages_out", c.messages_out)));
}
