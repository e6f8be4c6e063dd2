// SPDX-License-Identifier: BSD-3-Clause
#include <steer/link.h>

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include <steer/maps.h>

static int parse_info(const struct nlattr *attr, void *data)
{
	struct steer_link *l = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
		mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(l->kind, sizeof(l->kind), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

// Newer kernels append to it.
static void parse_statistics(const struct nlattr *attr, struct steer_link *l)
{
	struct rtnl_link_stats64 s = {0};
	size_t len = mnl_attr_get_payload_len(attr);

	memcpy(&s, mnl_attr_get_payload(attr), len < sizeof(s) ? len : sizeof(s));
	l->rx_missed = s.rx_missed_errors;
}

static int parse_attribute(const struct nlattr *attr, void *data)
{
	struct steer_link *l = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(l->name, sizeof(l->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_MTU:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			l->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(l->mac))
			memcpy(l->mac, mnl_attr_get_payload(attr), sizeof(l->mac));
		break;
	case IFLA_STATS64:
		parse_statistics(attr, l);
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, parse_info, l);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

int steer_link_parse(const struct nlmsghdr *message, struct steer_link *out)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != RTM_NEWLINK ||
		mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	out->ifindex = (uint32_t)info->ifi_index;
	out->up = (info->ifi_flags & IFF_UP) != 0 && (info->ifi_flags & IFF_LOWER_UP) != 0;
	out->rx_queues = 1;
	out->xdp_queues = 1;
	mnl_attr_parse(message, sizeof(*info), parse_attribute, out);
	return 0;
}

static int parse_link(const struct nlmsghdr *message, void *data)
{
	return steer_link_parse(message, data) == 0 ? MNL_CB_STOP : MNL_CB_ERROR;
}

// By its name, or by its number where that is NULL.
static int ask_rtnetlink(const char *interface, uint32_t ifindex, struct steer_link *out)
{
	uint8_t buf[16384];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info;
	ssize_t n;
	int err = 0;

	if (nl == NULL)
		return -errno;
	m->nlmsg_type = RTM_GETLINK;
	m->nlmsg_flags = NLM_F_REQUEST;
	m->nlmsg_seq = 1;
	info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	if (interface != NULL)
		mnl_attr_put_strz(m, IFLA_IFNAME, interface);
	else
		info->ifi_index = (int)ifindex;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_sendto(nl, m, m->nlmsg_len) < 0) {
		err = -errno;
	} else {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0 || mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), parse_link,
				     out) < 0)
			err = -errno;
	}
	mnl_socket_close(nl);
	return err;
}

// The fields by which UDP of one family is distributed over the receive queues; 0: not reported by
// the device.
static uint64_t ask_spread(
	const struct steer_ethtool *e, const struct steer_link *l, uint32_t flow_type)
{
	struct ethtool_rxnfc spread = {.cmd = ETHTOOL_GRXFH, .flow_type = flow_type};

	return e->ask(e->ctx, l->name, &spread) == 0 ? spread.data : 0;
}

static uint32_t ask_value(
	const struct steer_ethtool *e, const struct steer_link *l, uint32_t command)
{
	struct ethtool_value value = {.cmd = command};

	return e->ask(e->ctx, l->name, &value) == 0 ? value.data : 0;
}

void steer_link_ask(struct steer_link *l, const struct steer_ethtool *e)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	const uint64_t ports = RXH_L4_B_0_1 | RXH_L4_B_2_3;
	uint64_t udp4, udp6;

	if (e->ask(e->ctx, l->name, &channels) == 0) {
		if (channels.combined_count + channels.rx_count > 0)
			l->rx_queues = channels.combined_count + channels.rx_count;
		if (channels.combined_count > 0)
			l->xdp_queues = channels.combined_count;
		l->max_queues =
			channels.combined_count > 0 ? channels.max_combined : channels.max_rx;
	}
	if (e->ask(e->ctx, l->name, &driver) == 0)
		snprintf(l->driver, sizeof(l->driver), "%.31s", driver.driver);
	l->tx_checksum = ask_value(e, l, ETHTOOL_GTXCSUM) != 0;
	l->strips_tags = (ask_value(e, l, ETHTOOL_GFLAGS) & ETH_FLAG_RXVLAN) != 0;
	udp4 = ask_spread(e, l, UDP_V4_FLOW);
	udp6 = ask_spread(e, l, UDP_V6_FLOW);
	l->spread_known = udp4 != 0 && udp6 != 0;
	l->spreads = (udp4 & udp6 & ports) == ports;
}

static int ask_kernel(void *ctx, const char *interface, void *command)
{
	struct ifreq req = {.ifr_data = command};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", interface);
	return ioctl(*(int *)ctx, SIOCETHTOOL, &req) == 0 ? 0 : -errno;
}

// The kernel's list of VLAN devices: "vlan100 | 100 | eth0".
static bool vlans_listed(const char *interface)
{
	FILE *f = fopen("/proc/net/vlan/config", "re");
	char line[256], below[64];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%*s | %*u | %63s", below) == 1 &&
			strcmp(below, interface) == 0;
	if (f != NULL)
		fclose(f);
	return found;
}

static void ask_ethtool(struct steer_link *l)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct steer_ethtool kernel = {ask_kernel, &fd};

	if (fd < 0)
		return;
	steer_link_ask(l, &kernel);
	close(fd);
}

static int ask_others(struct steer_link *out)
{
	ask_ethtool(out);
	out->has_vlans = vlans_listed(out->name);
	return 0;
}

int steer_link_read(const char *interface, struct steer_link *out)
{
	int err = strlen(interface) < IFNAMSIZ ? ask_rtnetlink(interface, 0, out) : -ENODEV;

	return err != 0 ? err : ask_others(out);
}

int steer_link_read_index(uint32_t ifindex, struct steer_link *out)
{
	int err = ask_rtnetlink(NULL, ifindex, out);

	return err != 0 ? err : ask_others(out);
}

// Drivers that want a transmit queue of their own for each XDP queue, out of the same maximum.
static bool halves_queues(const char *driver)
{
	return strcmp(driver, "ena") == 0 || strcmp(driver, "gve") == 0;
}

// "ethtool -L eth0 combined 4", in the words of the driver.
static void channels_command(const struct steer_link *l, unsigned n, char *text, size_t size)
{
	if (strcmp(l->driver, "gve") == 0)
		snprintf(text, size, "ethtool -L %s rx %u tx %u", l->name, n, n);
	else
		snprintf(text, size, "ethtool -L %s combined %u", l->name, n);
}

int steer_link_refusal(const struct steer_link *l, int err, struct steer_fault *fault)
{
	char remedy[256], command[64];

	channels_command(l, l->rx_queues > 1 ? l->rx_queues / 2 : 1, command, sizeof(command));
	switch (err) {
	case -EOPNOTSUPP:
		snprintf(remedy, sizeof(remedy),
			"turn off what merges frames: ethtool -K %s lro off rx-gro-hw off; the "
			"kernel's log names the offload",
			l->name);
		break;
	case -ENOMEM:
	case -ENOSPC:
		snprintf(remedy, sizeof(remedy),
			"the driver has too few transmit queues for XDP: %s", command);
		break;
	case -EINVAL:
	case -EMSGSIZE:
	case -ERANGE:
		snprintf(remedy, sizeof(remedy),
			"a smaller MTU (ip link set dev %s mtu 1500), or fewer queues: %s; the "
			"kernel's log names the bound",
			l->name, command);
		break;
	case -EBUSY:
	case -EEXIST:
		snprintf(remedy, sizeof(remedy),
			"stop what uses XDP there, or: ip link set dev %s xdp off", l->name);
		break;
	case -EPERM:
		snprintf(remedy, sizeof(remedy), "start as root or with CAP_BPF and CAP_NET_ADMIN");
		break;
	default:
		snprintf(remedy, sizeof(remedy),
			"see the kernel's log; or device: net_af_packet0 beside interface: %s",
			l->name);
		break;
	}
	return steer_fault_set(fault, err, remedy, "the driver of %s (%s) refuses XDP: %s", l->name,
		l->driver[0] != '\0' ? l->driver : "unknown", strerror(-err));
}

int steer_link_check(const struct steer_link *l, unsigned queues, struct steer_fault *fault)
{
	char remedy[160];

	if (strcmp(l->kind, "bond") == 0)
		return steer_fault_set(fault, -EOPNOTSUPP,
			"give the members of the bond as ports, or use a net_af_packet device",
			"%s is a bond: AF_XDP sees none of its members' packets", l->name);
	if (strcmp(l->kind, "vlan") == 0)
		return steer_fault_set(fault, -EOPNOTSUPP,
			"use an untagged interface, or a net_af_packet device",
			"%s is a VLAN device: AF_XDP works on the device below it only", l->name);
	if (l->mtu > STEER_MTU_MAX) {
		snprintf(remedy, sizeof(remedy), "ip link set dev %s mtu %u", l->name,
			STEER_MTU_MAX);
		return steer_fault_set(fault, -EMSGSIZE, remedy,
			"the MTU of %s is %u: AF_XDP takes at most %u", l->name, l->mtu,
			STEER_MTU_MAX);
	}
	if (halves_queues(l->driver) && l->max_queues != 0 && 2 * l->rx_queues > l->max_queues) {
		channels_command(l, l->max_queues / 2, remedy, sizeof(remedy));
		return steer_fault_set(fault, -ENOSPC,
			l->max_queues > 1 ? remedy : "a machine type with more queues",
			"%s uses %u of %u queues: its driver %s runs XDP on half of them at most",
			l->name, l->rx_queues, l->max_queues, l->driver);
	}
	if (queues > STEER_QUEUES_MAX) {
		snprintf(remedy, sizeof(remedy), "ethtool -L %s combined %u", l->name,
			STEER_QUEUES_MAX);
		return steer_fault_set(fault, -ENOSPC, remedy,
			"%s has %u queues: at most %u can be served", l->name, queues,
			STEER_QUEUES_MAX);
	}
	if (l->rx_queues > queues) {
		snprintf(remedy, sizeof(remedy),
			"more dataplane.workers, or: ethtool -L %s combined %u (or rx %u tx %u)",
			l->name, queues, queues, queues);
		return steer_fault_set(fault, -ENOSPC, remedy,
			"%s has %u receive queues and %u would be served: the others' flows would "
			"be lost",
			l->name, l->rx_queues, queues);
	}
	return 0;
}
