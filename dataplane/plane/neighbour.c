// SPDX-License-Identifier: BSD-3-Clause
#include <plane/neighbour.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define REQUESTS_PER_TICK 64u
#define PROBE_AGAIN_NS	  (5 * TP_NS_PER_S)
#define MANAGE_AGAIN_NS	  (15 * TP_NS_PER_S) // somebody may have deleted the entry meanwhile

enum asked {
	ASKED_NOTHING,
	ASKED_MANAGE, // the kernel keeps it
	ASKED_PROBE,  // at asked_ns
	ASKED_STATIC, // the operator's entry: left alone
};

struct slot {
	struct tp_addr addr;
	uint32_t ifindex;
	uint32_t wanted; // its value when the kernel was asked
	enum asked asked;
	uint64_t asked_ns;
};

struct neighbour {
	struct mnl_socket *nl;
	uint32_t seq;
	bool managed; // the kernel knows NTF_EXT_MANAGED
	unsigned n_ifindexes;
	uint32_t ifindexes[TP_PORTS_MAX];
	uint32_t n_slots;
	struct slot *slots;
};

static bool kernel_manages(void)
{
	struct utsname u;
	unsigned major, minor;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 16));
}

struct neighbour *plane_neighbour_create(const uint32_t *ifindexes, unsigned n)
{
	struct neighbour *nb = calloc(1, sizeof(*nb));

	if (nb == NULL)
		return NULL;
	nb->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nb->nl == NULL || mnl_socket_bind(nb->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		if (nb->nl != NULL)
			mnl_socket_close(nb->nl);
		free(nb);
		return NULL;
	}
	nb->managed = kernel_manages();
	for (unsigned i = 0; i < n && nb->n_ifindexes < TP_PORTS_MAX; i++) {
		if (ifindexes[i] != 0)
			nb->ifindexes[nb->n_ifindexes++] = ifindexes[i];
	}
	return nb;
}

static struct nlmsghdr *begin(struct neighbour *nb, void *buf, uint16_t type, uint16_t flags,
	const struct slot *s, struct ndmsg **header)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd;

	m->nlmsg_type = type;
	m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->nlmsg_seq = ++nb->seq;
	nd = mnl_nlmsg_put_extra_header(m, sizeof(*nd));
	nd->ndm_family = s->addr.family == TP_FAMILY_IPV6 ? AF_INET6 : AF_INET;
	nd->ndm_ifindex = (int)s->ifindex;
	mnl_attr_put(m, NDA_DST, tp_family_ip_len(s->addr.family), s->addr.ip);
	*header = nd;
	return m;
}

// Sends and reads the one answer; `found` is called with an RTM_NEWNEIGH, if that is the answer.
static int talk(struct neighbour *nb, void *buf, size_t size, struct nlmsghdr *m, mnl_cb_t found,
	void *data)
{
	uint32_t seq = m->nlmsg_seq;
	ssize_t n;

	if (mnl_socket_sendto(nb->nl, m, m->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nb->nl, buf, size);
	if (n < 0 ||
		mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nb->nl), found, data) < 0)
		return -errno;
	return 0;
}

static int judge(const struct nlmsghdr *m, void *data)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(m);
	bool *fixed = data;

	*fixed = (nd->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0 ||
		 (nd->ndm_flags & NTF_EXT_LEARNED) != 0;
	return MNL_CB_STOP;
}

// Leaves PERMANENT entries alone: probing would mark them stale.
static bool is_static(struct neighbour *nb, const struct slot *s)
{
	uint8_t buf[8192];
	struct ndmsg *nd;
	struct nlmsghdr *m = begin(nb, buf, RTM_GETNEIGH, 0, s, &nd);
	bool fixed = false;

	return talk(nb, buf, sizeof(buf), m, judge, &fixed) == 0 && fixed;
}

static int request(struct neighbour *nb, const struct slot *s, bool manage)
{
	uint8_t buf[8192];
	struct ndmsg *nd;
	struct nlmsghdr *m = begin(nb, buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, s, &nd);

	nd->ndm_flags = NTF_USE;
	if (manage)
		mnl_attr_put_u32(m, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return talk(nb, buf, sizeof(buf), m, NULL, NULL);
}

static void ask(struct neighbour *nb, struct slot *s, uint64_t now_ns)
{
	s->asked_ns = now_ns;
	if (is_static(nb, s))
		s->asked = ASKED_STATIC;
	else if (nb->managed && request(nb, s, true) == 0)
		s->asked = ASKED_MANAGE;
	else if (request(nb, s, false) == 0)
		s->asked = ASKED_PROBE;
	else
		s->asked = ASKED_STATIC; // no such link any more, or no room: not at every tick
}

// The same request without the flag takes the kernel's care away and leaves the entry.
static void release(struct neighbour *nb, struct slot *s)
{
	if (s->asked == ASKED_MANAGE)
		request(nb, s, false);
	s->asked = ASKED_NOTHING;
}

static bool is_ours(const struct neighbour *nb, uint32_t ifindex)
{
	for (unsigned i = 0; i < nb->n_ifindexes; i++) {
		if (nb->ifindexes[i] == ifindex)
			return true;
	}
	return false;
}

static bool due(const struct slot *s, uint64_t now_ns)
{
	uint64_t rest = s->asked == ASKED_MANAGE ? MANAGE_AGAIN_NS : PROBE_AGAIN_NS;

	return s->asked == ASKED_NOTHING || now_ns - s->asked_ns >= rest;
}

// The writer may change an info while it is read: a mixture is a wish for a wrong neighbour, which
// the next look takes back.
static bool read_wish(
	const struct neighbour *nb, const struct tp_next_hop_info *info, struct slot *wish)
{
	uint32_t wanted = atomic_load_explicit(&info->wanted, memory_order_acquire);

	if (wanted == 0)
		return false;
	memset(wish, 0, sizeof(*wish));
	wish->wanted = wanted;
	wish->addr = info->addr;
	wish->addr.port_be = 0;
	wish->addr.reserved = 0;
	wish->ifindex = info->ifindex;
	return (wish->addr.family == TP_FAMILY_IPV4 || wish->addr.family == TP_FAMILY_IPV6) &&
	       is_ours(nb, wish->ifindex);
}

static bool same(const struct slot *a, const struct slot *b)
{
	return a->ifindex == b->ifindex && tp_addr_equal(&a->addr, &b->addr);
}

static bool grow(struct neighbour *nb, uint32_t n)
{
	struct slot *slots;

	if (n <= nb->n_slots)
		return true;
	slots = realloc(nb->slots, n * sizeof(*slots));
	if (slots == NULL)
		return false;
	memset(slots + nb->n_slots, 0, (n - nb->n_slots) * sizeof(*slots));
	nb->slots = slots;
	nb->n_slots = n;
	return true;
}

bool plane_neighbour_tick(struct neighbour *nb, const struct tp_next_hop_info *infos,
	uint32_t n_infos, uint64_t now_ns)
{
	unsigned requests = 0;

	if (infos == NULL || !grow(nb, n_infos))
		n_infos = 0;
	for (uint32_t i = 0; i < nb->n_slots; i++) {
		struct slot *s = &nb->slots[i];
		struct slot wish;
		bool wanted = i < n_infos && read_wish(nb, &infos[i], &wish);

		if (requests >= REQUESTS_PER_TICK)
			return false;
		if (s->asked != ASKED_NOTHING && (!wanted || !same(s, &wish))) {
			requests += s->asked == ASKED_MANAGE;
			release(nb, s);
		}
		if (!wanted)
			continue;
		if (s->asked == ASKED_NOTHING)
			*s = wish;
		if (s->wanted != wish.wanted || due(s, now_ns)) {
			s->wanted = wish.wanted;
			ask(nb, s, now_ns);
			requests++;
		}
	}
	return true;
}

void plane_neighbour_destroy(struct neighbour *nb)
{
	if (nb == NULL)
		return;
	for (uint32_t i = 0; i < nb->n_slots; i++)
		release(nb, &nb->slots[i]);
	mnl_socket_close(nb->nl);
	free(nb->slots);
	free(nb);
}
