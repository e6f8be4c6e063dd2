// SPDX-License-Identifier: BSD-3-Clause
#include <io/local.h>

#include <errno.h>
#include <netinet/in.h>
#include <net/if.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <turnpike/addr.h>

#include "twin_body.h"

#define LOOPBACK   "lo"
#define ETHERNET   14u
#define IPV4_LEAST 20u
#define IPV6_LEN   40u
#define UDP_LEN	   8u
#define UDP_NUMBER 17u

// ---- to the peer ------------------------------------------------------------------------------

static void raw_put(struct io_twin *t, const uint8_t *frame, uint16_t len)
{
	const uint8_t *ip = frame + ETHERNET;
	bool v4 = ip[0] >> 4 == 4;
	struct sockaddr_in to4 = {.sin_family = AF_INET};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
	ssize_t sent;

	if (len < ETHERNET + (v4 ? IPV4_LEAST : IPV6_LEN))
		return;
	if (v4) {
		memcpy(&to4.sin_addr, ip + 16, 4);
		sent = sendto(
			t->raw_fds[0], ip, len - ETHERNET, MSG_DONTWAIT, (void *)&to4, sizeof(to4));
	} else {
		memcpy(&to6.sin6_addr, ip + 24, 16);
		sent = sendto(
			t->raw_fds[1], ip, len - ETHERNET, MSG_DONTWAIT, (void *)&to6, sizeof(to6));
	}
	// The peer's socket is full: as on any network.
	(void)sent;
}

// ---- from the peer ----------------------------------------------------------------------------

static uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
	for (; len > 1; len -= 2, p += 2)
		sum += tp_load_be16(p);
	return len == 1 ? sum + (uint32_t)(p[0] << 8) : sum;
}

// The loopback interface leaves checksums for a card to fill in, which there is none of.
static void checksum_fill(uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + ETHERNET, *udp;
	size_t udp_len;
	uint32_t sum;

	if (ip[0] >> 4 == 4) {
		udp = ip + (size_t)(ip[0] & 15) * 4;
		sum = sum_of(ip + 12, 8, UDP_NUMBER);
	} else {
		udp = ip + IPV6_LEN;
		sum = sum_of(ip + 8, 32, UDP_NUMBER);
	}
	if ((size_t)(udp - frame) + UDP_LEN > len)
		return;
	udp_len = tp_load_be16(udp + 4);
	if (udp_len < UDP_LEN || (size_t)(udp - frame) + udp_len > len)
		return;
	tp_store_be16(udp + 6, 0);
	sum = sum_of(udp, udp_len, sum + (uint32_t)udp_len);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	tp_store_be16(udp + 6, sum == 0xffff ? 0xffff : (uint16_t)~sum);
}

static uint16_t packet_get(struct io_twin *t, uint8_t *slot)
{
	ssize_t len = recv(t->fd, slot, t->frame_max, MSG_DONTWAIT);

	// A longer one is cut here, and dropped by name later: its lengths do not fit.
	if (len < (ssize_t)(ETHERNET + IPV4_LEAST + UDP_LEN))
		return 0;
	checksum_fill(slot, (size_t)len);
	return (uint16_t)len;
}

// UDP, not in fragments, to a relayed port. The port of origin is the worker's to judge.
static int filter_set(int fd, const struct io_local_settings *s)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 7),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETHERNET + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UDP_NUMBER, 0, 12),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETHERNET + 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 10, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETHERNET),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, ETHERNET + 2),
		BPF_JUMP(BPF_JMP | BPF_JA, 4, 0, 0),
		// IPv6
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 6),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETHERNET + 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UDP_NUMBER, 0, 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETHERNET + IPV6_LEN + 2),
		// The port
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, s->port_min, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, s->port_max, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {.len = TP_ARRAY_LEN(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

// Hears nothing before its filter is there.
static int packet_open(struct io_twin *t, const struct io_local_settings *s)
{
	struct sockaddr_ll lo = {.sll_family = AF_PACKET,
		.sll_protocol = tp_htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(LOOPBACK)};
	const int on = 1;
	int err;

	t->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0)
		return -errno;
	err = filter_set(t->fd, s);
	if (err == 0 && setsockopt(t->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0)
		err = -errno;
	if (err == 0 && bind(t->fd, (void *)&lo, sizeof(lo)) < 0)
		err = -errno;
	return err;
}

// Without IPv6 on the host there are no peers of it.
static int raw_open(struct io_twin *t)
{
	t->raw_fds[0] = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (t->raw_fds[0] < 0)
		return -errno;
	t->raw_fds[1] = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	return t->raw_fds[1] < 0 && errno != EAFNOSUPPORT ? -errno : 0;
}

int io_local_create(
	struct io_twin **out, const struct io_local_settings *s, struct steer_fault *fault)
{
	struct io_twin *t = io_twin_body(s->n_workers, (uint16_t)(s->mtu + ETHERNET));
	int err = t == NULL ? -ENOMEM : raw_open(t);

	if (err == 0)
		err = packet_open(t, s);
	if (err == 0) {
		t->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		err = t->ready_fd < 0 ? -errno : 0;
	}
	if (err != 0) {
		io_twin_destroy(t);
		return steer_fault_set(fault, err,
			err == -EPERM ? "needs CAP_NET_RAW"
				      : "allow AF_PACKET and raw sockets, turn " LOOPBACK
					" on, or remove peers.local",
			"the way to peers.local: %s", strerror(-err));
	}
	t->wake_gap_ns = 0;
	t->put = raw_put;
	t->get = packet_get;
	*out = t;
	return 0;
}

int io_local_ready_fd(const struct io_twin *t)
{
	return t->ready_fd;
}
