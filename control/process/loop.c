// SPDX-License-Identifier: BSD-3-Clause
#include <process/process.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <log/log.h>

#include <proc/clock.h>
#include <proc/notify.h>
#include <proc/sandbox.h>
#include <proc/signals.h>
#include <proc/start.h>

#define MESSAGES_MAX 64u		  // of one iteration
#define TIMERS_MAX   256u		  // likewise
#define SPIN_NS	     (200 * TP_NS_PER_US) // after the last message
#define LOOK_NS	     (50 * TP_NS_PER_US)  // while spinning: how often at the descriptors
#define SLEEP_MS     10			  // at most
#define BEAT_NS	     (100 * TP_NS_PER_MS)
#define SECOND_NS    TP_NS_PER_S
#define STOP_WAIT_NS TP_NS_PER_S

struct loop_state {
	uint64_t busy_ns;   // last message
	uint64_t looked_ns; // last look at the descriptors
	uint64_t beat_ns;
	uint64_t second_ns;
};

static void signals_read(struct process *p, uint64_t now_ns)
{
	struct signalfd_siginfo info;

	while (read(p->loop.signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			p->loop.reloading = true;
		} else if (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT) {
			proc_signal_log((int)info.ssi_signo, info.ssi_pid);
		} else if (!p->loop.stopping) {
			p->loop.stopping = true;
			p->loop.stop_ns = now_ns + STOP_WAIT_NS;
			proc_notify("STOPPING=1");
		} else {
			// A second time: now.
			p->loop.stop_ns = now_ns;
		}
	}
}

static void descriptor_serve(struct process *p, uint32_t tag, uint64_t now_ns)
{
	switch ((enum process_tag)tag) {
	case PROCESS_TAG_SIGNAL:
		signals_read(p, now_ns);
		break;
	case PROCESS_TAG_NETLINK:
		link_hops_read(&p->link.hops, now_ns);
		break;
	case PROCESS_TAG_CTL:
		ctl_server_poll(p->loop.ctl, now_ns);
		process_serve_outputs(p, now_ns, NULL);
		break;
	case PROCESS_TAG_LINK:
		link_read(&p->link, now_ns);
		break;
	case PROCESS_TAG_EDGE:
		process_streams_read(p);
		break;
	case PROCESS_TAG_KICK:
		// The link may have gone a moment ago, in the same batch.
		if (link_socket_is_up(&p->link.socket))
			link_socket_kicked(&p->link.socket);
		break;
	case PROCESS_TAG_LOOKUP:
		process_serve_answers(p, now_ns);
		break;
	}
}

static void descriptors_serve(struct process *p, int timeout_ms)
{
	struct epoll_event events[8];
	int n = epoll_wait(p->loop.epoll_fd, events, TP_ARRAY_LEN(events), timeout_ms);
	uint64_t now_ns = proc_now_ns();

	link_rings_wake(&p->link.rings);
	for (int i = 0; i < n; i++)
		descriptor_serve(p, events[i].data.u32, now_ns);
}

static void rings_report(struct process *p)
{
	uint64_t resets = link_rings_resets(&p->link.rings);
	uint64_t lost = p->link.hops.lost;

	if (resets != p->loop.resets_logged)
		log_event(LOG_EV_RING_RESET, LOG_FIELDS(log_u64("resets", resets)));
	if (lost != p->loop.lost_logged)
		log_event(LOG_EV_NETLINK_OVERRUN, LOG_FIELDS(log_u64("times", lost)));
	p->loop.resets_logged = resets;
	p->loop.lost_logged = lost;
}

static void second_pass(struct process *p)
{
	rings_report(p);
	process_addresses_check(p);
	process_cores_choose(p);
	proc_denied_log();
	if (!proc_role_check(&p->link.place, SHM_ROLE_CONTROL, p->role_fd, &p->loop.lock_reported))
		p->loop.failed = p->loop.stopping = true;
	log_tick();
	proc_notify("WATCHDOG=1");
}

static void beat(struct process *p, struct loop_state *s, uint64_t now_ns)
{
	if (now_ns >= s->beat_ns + BEAT_NS) {
		s->beat_ns = now_ns;
		atomic_store_explicit(
			&p->link.inject.header->file.heartbeat_ns, now_ns, memory_order_relaxed);
		link_tick(&p->link, now_ns);
		process_keys_tick(p, now_ns);
		process_budgets_tick(p, now_ns);
		lookup_client_tick(&p->lookup, now_ns);
		operator_tick(&p->operator, now_ns);
	}
	if (now_ns >= s->second_ns + SECOND_NS) {
		s->second_ns = now_ns;
		second_pass(p);
	}
}

unsigned process_loop_step(struct process *p, uint64_t now_ns)
{
	unsigned n = process_serve_rings(p, now_ns, MESSAGES_MAX);

	if (now_ns >= turn_deadline(p->core.turn)) {
		turn_advance(p->core.turn, now_ns, TIMERS_MAX);
		process_serve_outputs(p, now_ns, NULL);
	}
	if (now_ns >= tables_deadline(p->link.tables, now_ns))
		tables_advance(p->link.tables, now_ns);
	if (now_ns >= link_hops_deadline(&p->link.hops))
		link_hops_advance(&p->link.hops, now_ns);
	return n;
}

static int sleep_ms(const struct process *p, uint64_t now_ns)
{
	uint64_t deadlines[] = {turn_deadline(p->core.turn),
		tables_deadline(p->link.tables, now_ns), link_hops_deadline(&p->link.hops),
		ctl_server_deadline(p->loop.ctl)};
	uint64_t first = now_ns + SLEEP_MS * TP_NS_PER_MS;

	for (size_t i = 0; i < TP_ARRAY_LEN(deadlines); i++) {
		if (deadlines[i] < first)
			first = deadlines[i];
	}
	// Rounded up: waking a moment too early would be a spin.
	return first <= now_ns ? 0 : (int)((first - now_ns + TP_NS_PER_MS - 1) / TP_NS_PER_MS);
}

static void loop_once(struct process *p, struct loop_state *s)
{
	uint64_t now_ns = proc_now_ns();

	if (process_loop_step(p, now_ns) > 0)
		s->busy_ns = now_ns;
	if (now_ns >= ctl_server_deadline(p->loop.ctl)) {
		ctl_server_advance(p->loop.ctl, now_ns);
		process_serve_outputs(p, now_ns, NULL);
	}
	beat(p, s, now_ns);
	if (now_ns < s->busy_ns + SPIN_NS) {
		// The next message of a set-up follows soon: sleeping would cost a worker a wake.
		if (now_ns < s->looked_ns + LOOK_NS)
			return;
		s->looked_ns = now_ns;
		descriptors_serve(p, 0);
		return;
	}
	s->looked_ns = now_ns;
	descriptors_serve(p, link_rings_sleep(&p->link.rings) ? sleep_ms(p, now_ns) : 0);
}

// A stop waits for the data plane for a moment: where both are stopped together, the last
// packets are counted and the files go.
static bool is_over(const struct process *p)
{
	return p->loop.failed ||
	       (p->loop.stopping && (proc_now_ns() >= p->loop.stop_ns ||
					    !shm_role_held(&p->link.place, SHM_ROLE_DATAPLANE)));
}

void process_run(struct process *p)
{
	struct loop_state s = {0};
	struct operator_reload reload;

	while (!p->loop.stopping || !is_over(p)) {
		loop_once(p, &s);
		if (p->loop.reloading && !p->loop.stopping) {
			p->loop.reloading = false;
			proc_notify("RELOADING=1");
			(void)process_reload(p, false, &reload);
			proc_notify("READY=1");
		}
	}
}
