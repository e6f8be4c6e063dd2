// SPDX-License-Identifier: BSD-3-Clause
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RING_FRAME    1024u // longer frames are cut: only their beginning is read
#define RING_BLOCK    (1u << 20)
#define RING_BLOCKS   48u
#define RING_FRAMES   (RING_BLOCK / RING_FRAME * RING_BLOCKS)
#define RING_OCTETS   ((size_t)RING_BLOCK * RING_BLOCKS)
#define LEARN_TRIES   20u
#define LEARN_WAIT_MS 100
#define PROBE_LEN     24u
#define SEND_BUFFER   (8 << 20)

// ---- the road -----------------------------------------------------------------------------------

struct learn {
	struct load_link *l;
	struct load_addr towards;
};

static int packet_socket(void *ctx)
{
	const struct load_link *l = ctx;
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(l->netns.interface)};
	int fd = at.sll_ifindex == 0 ? -1 : socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	return fd;
}

static int udp_socket(void *ctx)
{
	const struct learn *n = ctx;
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(n->towards.port),
		.sin_addr.s_addr = htonl(n->towards.ip)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(n->towards.port)};
	const struct load_net *net = &n->towards.net;
	int fd = socket(net->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(to6.sin6_addr.s6_addr, net->prefix, sizeof(net->prefix));
	memcpy(to6.sin6_addr.s6_addr + sizeof(net->prefix), &to.sin_addr, sizeof(to.sin_addr));
	if (fd >= 0 && connect(fd, net->v6 ? (struct sockaddr *)&to6 : (struct sockaddr *)&to,
			       net->v6 ? sizeof(to6) : sizeof(to)) != 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

// Waits for our probe on its way out; its Ethernet header is the road.
static bool probe_see(struct load_link *l, int fd, const uint8_t *probe)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t frame[LOAD_FRAME_MAX];
	struct load_seen seen;
	ssize_t n;

	while (poll(&p, 1, LEARN_WAIT_MS) > 0) {
		n = recv(fd, frame, sizeof(frame), 0);
		if (n <= 0 || !load_frame_read(frame, (size_t)n, (size_t)n, &seen) ||
			seen.len != PROBE_LEN || memcmp(seen.payload, probe, PROBE_LEN) != 0)
			continue;
		memcpy(l->road.ethernet, frame, LOAD_ETH_LEN);
		l->own = seen.from;
		return true;
	}
	return false;
}

static int road_learn(struct load_link *l, struct load_addr towards)
{
	struct learn n = {.l = l, .towards = towards};
	uint8_t probe[PROBE_LEN];
	int fd = load_netns_open(l->netns.name, packet_socket, l);
	int udp = load_netns_open(l->netns.name, udp_socket, &n);
	bool seen = false;

	if (fd < 0 || udp < 0) {
		fprintf(stderr, "relaybench: no socket on '%s' in namespace '%s': %s\n",
			l->netns.interface, l->netns.name, strerror(fd < 0 ? -fd : -udp));
		goto out;
	}
	if (getrandom(probe, sizeof(probe), 0) != (ssize_t)sizeof(probe))
		goto out;
	probe[0] |= 0x80; // neither STUN nor ChannelData
	for (unsigned i = 0; i < LEARN_TRIES && !seen; i++) {
		// An error of an earlier one (port unreachable) is reported here; no matter.
		if (send(udp, probe, sizeof(probe), 0) < 0 && errno != ECONNREFUSED)
			break;
		seen = probe_see(l, fd, probe);
	}
	if (!seen)
		fprintf(stderr,
			"relaybench: no way from '%s' in namespace '%s' to the server: is its "
			"network reached by that interface?\n",
			l->netns.interface, l->netns.name);
out:
	if (fd >= 0)
		close(fd);
	if (udp >= 0)
		close(udp);
	return seen ? 0 : -EHOSTUNREACH;
}

// ---- the ring -----------------------------------------------------------------------------------

static int ring_open(struct load_link *l)
{
	struct tpacket_req req = {.tp_block_size = RING_BLOCK,
		.tp_block_nr = RING_BLOCKS,
		.tp_frame_size = RING_FRAME,
		.tp_frame_nr = RING_FRAMES};
	int version = TPACKET_V2, yes = 1, size = SEND_BUFFER;
	void *ring;

	if (setsockopt(l->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0 ||
		setsockopt(l->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) != 0 ||
		setsockopt(l->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)) != 0 ||
		setsockopt(l->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) != 0)
		return -errno;
	(void)setsockopt(l->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	ring = mmap(NULL, RING_OCTETS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, l->fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	l->ring = ring;
	return 0;
}

// Jumps count instructions; the last two are "take it" and "leave it".
#define JUMP(code, k, jt, jf) BPF_JUMP(BPF_JMP | (code) | BPF_K, (k), (jt), (jf))
#define LOADED(size, at)      BPF_STMT(BPF_LD | (size) | BPF_ABS, (at))

int load_link_sink(struct load_link *l, enum load_sink sink)
{
	const uint32_t type = l->v6 ? ETH_P_IPV6 : ETH_P_IP, protocol = l->v6 ? 20 : 23;
	const uint32_t headers = l->v6 ? LOAD_HEADERS6_LEN : LOAD_HEADERS_LEN;
	struct sock_filter full[] = {
		LOADED(BPF_H, 12),
		JUMP(BPF_JEQ, type, 0, 5),
		LOADED(BPF_B, protocol),
		JUMP(BPF_JEQ, IPPROTO_UDP, 0, 3),
		LOADED(BPF_H, headers - 6),
		JUMP(BPF_JGE, 10000, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0x40000),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter count[] = {
		LOADED(BPF_H, 12),
		JUMP(BPF_JEQ, type, 0, 8),
		LOADED(BPF_B, protocol),
		JUMP(BPF_JEQ, IPPROTO_UDP, 0, 6),
		LOADED(BPF_W, SKF_AD_OFF + SKF_AD_RANDOM),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 63),
		JUMP(BPF_JEQ, 0, 2, 0),
		LOADED(BPF_W, headers + 4),
		JUMP(BPF_JEQ, 0x2112a442, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0x40000),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = sink == LOAD_SINK_FULL ? (struct sock_fprog){8, full}
							  : (struct sock_fprog){11, count};

	return setsockopt(l->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0
		       ? 0
		       : -errno;
}

int load_link_open(struct load_link *l, struct load_addr towards, bool learn, uint16_t port_low,
	uint16_t port_high)
{
	int rc = load_netns_make(&l->netns, port_low, port_high);

	l->fd = -1;
	l->v6 = towards.net.v6;
	if (rc == 0 && learn)
		rc = road_learn(l, towards);
	if (rc != 0)
		return rc;
	l->fd = load_netns_open(l->netns.name, packet_socket, l);
	rc = l->fd < 0 ? l->fd : ring_open(l);
	if (rc == 0)
		rc = load_link_sink(l, LOAD_SINK_FULL);
	if (rc != 0)
		fprintf(stderr, "relaybench: packet socket on '%s': %s\n", l->netns.interface,
			strerror(-rc));
	return rc;
}

void load_link_close(struct load_link *l)
{
	if (l->ring != NULL)
		munmap(l->ring, RING_OCTETS);
	l->ring = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	load_netns_undo(&l->netns);
}

unsigned load_link_poll(struct load_link *l, unsigned max,
	void (*take)(void *ctx, const struct load_arrived *a), void *ctx)
{
	unsigned n;

	for (n = 0; n < max; n++) {
		uint8_t *slot = l->ring + (size_t)l->ring_at * RING_FRAME;
		struct tpacket2_hdr *h = (struct tpacket2_hdr *)slot;
		struct load_arrived a;

		if ((__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
			break;
		a = (struct load_arrived){slot + h->tp_mac, h->tp_snaplen, h->tp_len,
			(uint64_t)h->tp_sec * 1000000000u + h->tp_nsec};
		take(ctx, &a);
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		l->ring_at = l->ring_at + 1 == RING_FRAMES ? 0 : l->ring_at + 1;
	}
	return n;
}

void load_link_ask_lost(struct load_link *l)
{
	struct tpacket_stats s;
	socklen_t len = sizeof(s);

	// Reading clears them.
	if (getsockopt(l->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) == 0)
		l->ring_lost += s.tp_drops;
}

// ---- sending ------------------------------------------------------------------------------------

void load_link_commit(struct load_link *l, size_t len)
{
	l->lens[l->n_batch++] = (uint16_t)len;
	if (l->n_batch == LOAD_BATCH)
		load_link_flush(l);
}

void load_link_flush(struct load_link *l)
{
	struct mmsghdr msgs[LOAD_BATCH];
	struct iovec iov[LOAD_BATCH];
	unsigned done = 0;

	for (unsigned i = 0; i < l->n_batch; i++) {
		iov[i] = (struct iovec){l->frames[i], l->lens[i]};
		msgs[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
	}
	while (done < l->n_batch) {
		int n = sendmmsg(l->fd, msgs + done, l->n_batch - done, 0);

		if (n > 0) {
			l->sent += (unsigned)n;
			done += (unsigned)n;
		} else if (errno != EINTR) {
			// The device's queue is full; that one is lost, and counted.
			l->refused++;
			done++;
		}
	}
	l->n_batch = 0;
}
