// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <log/log.h>

#include "clock.h"
#include "notify.h"

#define MESSAGES_MAX 64u		  // of one turn of the loop
#define TIMERS_MAX   256u		  // likewise
#define SPIN_NS	     (200 * TP_NS_PER_US) // after the last message
#define LOOK_NS	     (50 * TP_NS_PER_US)  // while spinning: how often at the descriptors
#define SLEEP_MS     10			  // at most
#define BEAT_NS	     (100 * TP_NS_PER_MS)
#define SECOND_NS    TP_NS_PER_S
#define STOP_WAIT_NS TP_NS_PER_S

struct turns {
	uint64_t busy_ns;   // last message
	uint64_t looked_ns; // last look at the descriptors
	uint64_t beat_ns;
	uint64_t second_ns;
};

static void signals_read(struct io_relay *r, uint64_t now_ns)
{
	struct signalfd_siginfo info;

	while (read(r->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			r->reloading = true;
		} else if (!r->stopping) {
			r->stopping = true;
			r->stop_ns = now_ns + STOP_WAIT_NS;
			io_notify("STOPPING=1");
		} else {
			// A second time: now.
			r->stop_ns = now_ns;
		}
	}
}

static void descriptor_serve(struct io_relay *r, uint32_t tag, uint64_t now_ns)
{
	switch ((enum io_tag)tag) {
	case IO_TAG_SIGNAL:
		signals_read(r, now_ns);
		break;
	case IO_TAG_NETLINK:
		io_hops_read(&r->hops, now_ns);
		break;
	case IO_TAG_CTL:
		ctl_server_poll(r->ctl, now_ns);
		break;
	case IO_TAG_LINK:
		io_plane_link_read(r, now_ns);
		break;
	case IO_TAG_KICK:
		// The link may have gone a moment ago, in the same batch.
		if (io_dplink_is_up(&r->plane.link))
			io_dplink_kicked(&r->plane.link);
		break;
	}
}

static void descriptors_serve(struct io_relay *r, int timeout_ms)
{
	struct epoll_event events[8];
	int n = epoll_wait(r->epoll_fd, events, TP_ARRAY_LEN(events), timeout_ms);
	uint64_t now_ns = io_now_ns();

	io_rings_wake(&r->rings);
	for (int i = 0; i < n; i++)
		descriptor_serve(r, events[i].data.u32, now_ns);
}

static void rings_report(struct io_relay *r)
{
	uint64_t resets = io_rings_resets(&r->rings);
	uint64_t lost = r->hops.lost;

	if (resets != r->resets_logged)
		log_event(LOG_EV_RING_RESET, LOG_FIELDS(log_u64("resets", resets)));
	if (lost != r->lost_logged)
		log_event(LOG_EV_NETLINK_OVERRUN, LOG_FIELDS(log_u64("times", lost)));
	r->resets_logged = resets;
	r->lost_logged = lost;
}

static void second_pass(struct io_relay *r, uint64_t now_ns)
{
	if (r->plane.state.file.base != NULL)
		io_rates_sample(&r->rates, &r->plane.state, now_ns);
	rings_report(r);
	log_tick();
	io_notify("WATCHDOG=1");
}

static void beat(struct io_relay *r, struct turns *t, uint64_t now_ns)
{
	if (now_ns >= t->beat_ns + BEAT_NS) {
		t->beat_ns = now_ns;
		atomic_store_explicit(
			&r->inject.header->file.heartbeat_ns, now_ns, memory_order_relaxed);
		io_plane_tick(r, now_ns);
		io_top_tick(r, now_ns);
	}
	if (now_ns >= t->second_ns + SECOND_NS) {
		t->second_ns = now_ns;
		second_pass(r, now_ns);
	}
}

unsigned io_loop_step(struct io_relay *r, uint64_t now_ns)
{
	unsigned n = io_serve_rings(r, now_ns, MESSAGES_MAX);

	if (now_ns >= turn_deadline(r->turn)) {
		turn_advance(r->turn, now_ns, TIMERS_MAX);
		io_serve_outputs(r, now_ns, 0);
	}
	if (now_ns >= tables_deadline(r->tables, now_ns))
		tables_advance(r->tables, now_ns);
	if (now_ns >= io_hops_deadline(&r->hops))
		io_hops_advance(&r->hops, now_ns);
	return n;
}

static int sleep_ms(const struct io_relay *r, uint64_t now_ns)
{
	uint64_t deadlines[] = {turn_deadline(r->turn), tables_deadline(r->tables, now_ns),
		io_hops_deadline(&r->hops), ctl_server_deadline(r->ctl)};
	uint64_t first = now_ns + SLEEP_MS * TP_NS_PER_MS;

	for (size_t i = 0; i < TP_ARRAY_LEN(deadlines); i++) {
		if (deadlines[i] < first)
			first = deadlines[i];
	}
	// Rounded up: waking a moment too early would be a spin.
	return first <= now_ns ? 0 : (int)((first - now_ns + TP_NS_PER_MS - 1) / TP_NS_PER_MS);
}

static void turn(struct io_relay *r, struct turns *t)
{
	uint64_t now_ns = io_now_ns();

	if (io_loop_step(r, now_ns) > 0)
		t->busy_ns = now_ns;
	if (now_ns >= ctl_server_deadline(r->ctl))
		ctl_server_advance(r->ctl, now_ns);
	beat(r, t, now_ns);
	if (now_ns < t->busy_ns + SPIN_NS) {
		// The next message of a set-up follows soon: sleeping would cost a worker a wake.
		if (now_ns < t->looked_ns + LOOK_NS)
			return;
		t->looked_ns = now_ns;
		descriptors_serve(r, 0);
		return;
	}
	t->looked_ns = now_ns;
	descriptors_serve(r, io_rings_sleep(&r->rings) ? sleep_ms(r, now_ns) : 0);
}

// A stop waits for the data plane for a moment: where both are stopped together, the last
// packets are counted and the files go.
static bool is_over(const struct io_relay *r)
{
	return r->failed || (r->stopping && (io_now_ns() >= r->stop_ns ||
						    !shm_role_held(&r->place, SHM_ROLE_DATAPLANE)));
}

void io_relay_run(struct io_relay *r)
{
	struct turns t = {0};

	while (!r->stopping || !is_over(r)) {
		turn(r, &t);
		if (r->reloading && !r->stopping) {
			r->reloading = false;
			io_notify("RELOADING=1");
			io_reload(r);
			io_notify("READY=1");
		}
	}
}
