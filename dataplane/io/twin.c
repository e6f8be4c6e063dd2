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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <turnpike/limits.h>

#include "twin_body.h"

#define BUDGET	    64u // frames one way before the other way has its turn
#define LINK_OCTETS 18u // Ethernet header and a tag
#define WAKE_GAP_NS TP_NS_PER_MS
#define NAP_FULL_MS 1 // the workers are behind with the kernel's frames
#define NAP_MS	    1000
#define NAP_GONE_NS 100000000 // somebody has deleted the interface

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

// Values that are right already are left alone: a change of the MAC address is announced to the
// whole network.
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

static void interface_put(struct io_twin *t, const uint8_t *frame, uint16_t len)
{
	// The interface counts the frames that it refuses.
	ssize_t written = write(t->fd, frame, len);

	(void)written;
}

static uint16_t interface_get(struct io_twin *t, uint8_t *slot)
{
	ssize_t len = read(t->fd, slot, t->frame_max);

	return len > 0 ? (uint16_t)len : 0;
}

struct io_twin *io_twin_body(unsigned n_workers, uint16_t frame_max)
{
	struct io_twin *t =
		aligned_alloc(TP_CACHE_LINE, sizeof(*t) + n_workers * sizeof(t->lanes[0]));
	int err;

	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t) + n_workers * sizeof(t->lanes[0]));
	t->n_lanes = n_workers;
	t->fd = t->ready_fd = t->raw_fds[0] = t->raw_fds[1] = -1;
	t->wake_gap_ns = WAKE_GAP_NS;
	t->frame_max = frame_max;
	t->put = interface_put;
	t->get = interface_get;
	t->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = t->event_fd < 0 ? -errno : io_frames_init(&t->from, frame_max);
	for (unsigned i = 0; i < n_workers && err == 0; i++)
		err = io_frames_init(&t->lanes[i].frames, frame_max);
	if (err == 0)
		return t;
	io_twin_destroy(t);
	return NULL;
}

int io_twin_create(
	struct io_twin **out, const struct io_twin_settings *s, struct steer_fault *fault)
{
	struct io_twin *t = io_twin_body(s->n_workers, (uint16_t)(s->mtu + LINK_OCTETS));
	int sock, err;

	if (t == NULL)
		return refuse(fault, s->name, "making it", -ENOMEM);
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

static void descriptor_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void io_twin_destroy(struct io_twin *t)
{
	if (t == NULL)
		return;
	descriptor_close(t->fd);
	descriptor_close(t->event_fd);
	descriptor_close(t->ready_fd);
	descriptor_close(t->raw_fds[0]);
	descriptor_close(t->raw_fds[1]);
	io_frames_fini(&t->from);
	for (unsigned i = 0; i < t->n_lanes; i++)
		io_frames_fini(&t->lanes[i].frames);
	free(t);
}

static void ring(int event_fd)
{
	const uint64_t one = 1;

	// Full means that it has been told often enough.
	if (write(event_fd, &one, sizeof(one)) < 0)
		return;
}

static unsigned write_lane(struct io_twin *t, struct io_frames *f)
{
	const uint8_t *frame;
	unsigned n = 0;
	uint16_t len;

	for (; n < BUDGET && (frame = io_frames_peek(f, &len)) != NULL; n++) {
		t->put(t, frame, len);
		io_frames_release(f);
	}
	return n;
}

static unsigned read_some(struct io_twin *t)
{
	unsigned n = 0;
	uint8_t *slot;

	for (; n < BUDGET && (slot = io_frames_reserve(&t->from)) != NULL; n++) {
		uint16_t len = t->get(t, slot);

		if (len == 0)
			break;
		io_frames_publish(&t->from, len);
	}
	if (n > 0 && t->ready_fd >= 0)
		ring(t->ready_fd);
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

// The thread is made by one that opens ports, and needs none of its capabilities.
static void capabilities_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	(void)syscall(SYS_capset, &header, none);
}

void *io_twin_run(void *twin)
{
	struct io_twin *t = twin;

	capabilities_drop();
	while (!atomic_load_explicit(&t->stop, memory_order_relaxed)) {
		unsigned n = read_some(t);

		for (unsigned i = 0; i < t->n_lanes; i++)
			n += write_lane(t, &t->lanes[i].frames);
		if (n == 0)
			rest(t);
	}
	return NULL;
}

void io_twin_stop(struct io_twin *t)
{
	atomic_store(&t->stop, true);
	ring(t->event_fd);
}

void io_twin_carrier(struct io_twin *t, bool up)
{
	int on = up ? 1 : 0;

	// Kernels before 5.0 don't know it; then the interface simply stays up.
	ioctl(t->fd, TUNSETCARRIER, &on);
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
	if (now_ns - l->woken_ns < t->wake_gap_ns)
		return;
	l->pending = false;
	l->woken_ns = now_ns;
	ring(t->event_fd);
}

const uint8_t *io_twin_peek(const struct io_twin *t, uint16_t *len)
{
	return io_frames_peek(&t->from, len);
}

void io_twin_release(struct io_twin *t)
{
	io_frames_release(&t->from);
}
