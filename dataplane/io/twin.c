// SPDX-License-Identifier: BSD-3-Clause
#include <io/twin.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <turnpike/limits.h>

#include <io/frames.h>

#define BUDGET	    64u // frames one way before the other way has its turn
#define LINK_OCTETS 18u // Ethernet header and a tag
#define WAKE_GAP_NS TP_NS_PER_MS
#define NAP_FULL_MS 1 // the workers are behind with what the kernel sends
#define NAP_MS	    1000
#define NAP_GONE_NS 100000000 // somebody has deleted the interface

// One worker's way to the kernel. The first two words are the worker's alone.
struct lane {
	uint64_t woken_ns TP_ALIGNED(64);
	bool pending; // the thread has not been told of all that was given
	struct io_frames frames;
};

struct io_twin {
	_Atomic bool sleeping TP_ALIGNED(64);
	_Atomic bool stop;
	_Atomic uint64_t to_kernel TP_ALIGNED(64); // the thread's counts
	_Atomic uint64_t from_kernel;
	_Atomic uint64_t refused;
	int fd TP_ALIGNED(64); // the interface
	int event_fd;
	unsigned n_lanes;
	uint16_t frame_max;
	struct io_frames from;
	struct lane lanes[];
};

static int refuse(struct steer_fault *fault, const char *name, const char *what, int err)
{
	const char *remedy = "see: ip -d link show; then dataplane.ports[].kernel";

	if (err == -EBUSY)
		remedy = "another process uses it: choose another name";
	else if (err == -EINVAL)
		remedy = "give a name that no other kind of interface has; a TAP made beforehand: "
			 "ip tuntap add dev NAME mode tap";
	else if (err == -ENOENT)
		remedy = "modprobe tun";
	else if (err == -EPERM || err == -EACCES)
		remedy = "needs CAP_NET_ADMIN";
	return steer_fault_set(
		fault, err, remedy, "%s, the kernel's twin: %s: %s", name, what, strerror(-err));
}

static void name_set(struct ifreq *req, const char *name)
{
	memset(req, 0, sizeof(*req));
	snprintf(req->ifr_name, sizeof(req->ifr_name), "%s", name);
}

static int open_tap(struct io_twin *t, const char *name)
{
	struct ifreq req;

	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return -errno;
	name_set(&req, name);
	req.ifr_flags = IFF_TAP | IFF_NO_PI;
	return ioctl(t->fd, TUNSETIFF, &req) == 0 ? 0 : -errno;
}

// What is right already is left alone: a change of the MAC address is news to everybody.
static int dress(int sock, const struct io_twin_settings *s)
{
	struct ifreq req;

	name_set(&req, s->name);
	if (ioctl(sock, SIOCGIFHWADDR, &req) != 0)
		return -errno;
	if (memcmp(req.ifr_hwaddr.sa_data, s->mac, sizeof(s->mac)) != 0) {
		req.ifr_hwaddr.sa_family = ARPHRD_ETHER;
		memcpy(req.ifr_hwaddr.sa_data, s->mac, sizeof(s->mac));
		if (ioctl(sock, SIOCSIFHWADDR, &req) != 0)
			return -errno;
	}
	name_set(&req, s->name);
	req.ifr_mtu = s->mtu;
	if (ioctl(sock, SIOCSIFMTU, &req) != 0)
		return -errno;
	name_set(&req, s->name);
	if (ioctl(sock, SIOCGIFFLAGS, &req) != 0)
		return -errno;
	req.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &req) == 0 ? 0 : -errno;
}

static int make_queues(struct io_twin *t, uint16_t mtu)
{
	int err;

	t->frame_max = (uint16_t)(mtu + LINK_OCTETS);
	err = io_frames_init(&t->from, t->frame_max);
	for (unsigned i = 0; i < t->n_lanes && err == 0; i++)
		err = io_frames_init(&t->lanes[i].frames, t->frame_max);
	if (err != 0)
		return err;
	t->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return t->event_fd < 0 ? -errno : 0;
}

int io_twin_create(
	struct io_twin **out, const struct io_twin_settings *s, struct steer_fault *fault)
{
	struct io_twin *t =
		aligned_alloc(TP_CACHE_LINE, sizeof(*t) + s->n_workers * sizeof(t->lanes[0]));
	int sock, err;

	if (t == NULL)
		return refuse(fault, s->name, "making it", -ENOMEM);
	memset(t, 0, sizeof(*t) + s->n_workers * sizeof(t->lanes[0]));
	t->n_lanes = s->n_workers;
	t->fd = -1;
	t->event_fd = -1;
	err = make_queues(t, s->mtu);
	if (err == 0)
		err = open_tap(t, s->name);
	if (err != 0) {
		io_twin_destroy(t);
		return refuse(fault, s->name, "making it", err);
	}
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	err = sock < 0 ? -errno : dress(sock, s);
	if (sock >= 0)
		close(sock);
	if (err != 0) {
		io_twin_destroy(t);
		return refuse(fault, s->name, "MAC address, MTU and state", err);
	}
	*out = t;
	return 0;
}

void io_twin_destroy(struct io_twin *t)
{
	if (t == NULL)
		return;
	if (t->fd >= 0)
		close(t->fd);
	if (t->event_fd >= 0)
		close(t->event_fd);
	io_frames_fini(&t->from);
	for (unsigned i = 0; i < t->n_lanes; i++)
		io_frames_fini(&t->lanes[i].frames);
	free(t);
}

static void count(_Atomic uint64_t *word)
{
	atomic_store_explicit(
		word, atomic_load_explicit(word, memory_order_relaxed) + 1, memory_order_relaxed);
}

static unsigned write_lane(struct io_twin *t, struct io_frames *f)
{
	const uint8_t *frame;
	unsigned n = 0;
	uint16_t len;

	for (; n < BUDGET && (frame = io_frames_peek(f, &len)) != NULL; n++) {
		count(write(t->fd, frame, len) == (ssize_t)len ? &t->to_kernel : &t->refused);
		io_frames_release(f);
	}
	return n;
}

static unsigned read_some(struct io_twin *t)
{
	unsigned n = 0;
	uint8_t *slot;

	for (; n < BUDGET && (slot = io_frames_reserve(&t->from)) != NULL; n++) {
		ssize_t len = read(t->fd, slot, t->frame_max);

		if (len <= 0)
			break;
		io_frames_publish(&t->from, (uint16_t)len);
		count(&t->from_kernel);
	}
	return n;
}

static bool any_given(const struct io_twin *t)
{
	uint16_t len;

	for (unsigned i = 0; i < t->n_lanes; i++) {
		if (io_frames_peek(&t->lanes[i].frames, &len) != NULL)
			return true;
	}
	return false;
}

// A worker publishes, then reads `sleeping`; we write it, then look at the queues. One of the two
// sees the other.
static void rest(struct io_twin *t)
{
	const struct timespec gone = {.tv_nsec = NAP_GONE_NS};
	bool room = io_frames_reserve(&t->from) != NULL;
	struct pollfd fds[] = {
		{.fd = t->event_fd, .events = POLLIN}, {.fd = t->fd, .events = room ? POLLIN : 0}};
	uint64_t times;

	atomic_store_explicit(&t->sleeping, true, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	if (!any_given(t) && !atomic_load(&t->stop))
		poll(fds, TP_ARRAY_LEN(fds), room ? NAP_MS : NAP_FULL_MS);
	atomic_store_explicit(&t->sleeping, false, memory_order_relaxed);
	if ((fds[0].revents & POLLIN) != 0 && read(t->event_fd, &times, sizeof(times)) < 0)
		return;
	if ((fds[1].revents & (POLLERR | POLLHUP)) != 0)
		nanosleep(&gone, NULL);
}

void *io_twin_run(void *twin)
{
	struct io_twin *t = twin;

	while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
		unsigned n = read_some(t);

		for (unsigned i = 0; i < t->n_lanes; i++)
			n += write_lane(t, &t->lanes[i].frames);
		if (n == 0)
			rest(t);
	}
	return NULL;
}

static void ring(const struct io_twin *t)
{
	const uint64_t one = 1;

	// Full means that it has been told often enough.
	if (write(t->event_fd, &one, sizeof(one)) < 0)
		return;
}

void io_twin_stop(struct io_twin *t)
{
	atomic_store(&t->stop, true);
	ring(t);
}

void io_twin_carrier(struct io_twin *t, bool up)
{
	int on = up ? 1 : 0;

	// Kernels before 5.0 don't know it; then the interface simply stays up.
	ioctl(t->fd, TUNSETCARRIER, &on);
}

void io_twin_count(const struct io_twin *t, struct io_twin_counters *c)
{
	c->to_kernel = atomic_load_explicit(&t->to_kernel, memory_order_relaxed);
	c->from_kernel = atomic_load_explicit(&t->from_kernel, memory_order_relaxed);
	c->refused = atomic_load_explicit(&t->refused, memory_order_relaxed);
}

bool io_twin_give(struct io_twin *t, unsigned worker, const uint8_t *frame, uint16_t len)
{
	struct lane *l = &t->lanes[worker];
	uint8_t *slot = len > t->frame_max ? NULL : io_frames_reserve(&l->frames);

	if (slot == NULL)
		return false;
	memcpy(slot, frame, len);
	io_frames_publish(&l->frames, len);
	l->pending = true;
	return true;
}

void io_twin_wake(struct io_twin *t, unsigned worker, uint64_t now_ns)
{
	struct lane *l = &t->lanes[worker];

	if (!l->pending)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&t->sleeping, memory_order_relaxed)) {
		l->pending = false;
		return;
	}
	if (now_ns - l->woken_ns < WAKE_GAP_NS)
		return;
	l->pending = false;
	l->woken_ns = now_ns;
	ring(t);
}

const uint8_t *io_twin_peek(const struct io_twin *t, uint16_t *len)
{
	return io_frames_peek(&t->from, len);
}

void io_twin_release(struct io_twin *t)
{
	io_frames_release(&t->from);
}
