// SPDX-License-Identifier: BSD-3-Clause
#include <steer/guard.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>

#define GUARD_TABLE "inet turnpike-%s"

static void put_elements(
	FILE *f, const struct steer_claim *own, size_t n, enum steer_kind kind, uint8_t family)
{
	const char *between = "\t\telements = { ";
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		char ip[INET6_ADDRSTRLEN];

		if (own[i].kind != kind || own[i].addr.family != family)
			continue;
		inet_ntop(family == TP_FAMILY_IPV6 ? AF_INET6 : AF_INET, own[i].addr.ip, ip,
			sizeof(ip));
		fprintf(f, "%s%s . %u", between, ip, own[i].port_min);
		if (kind == STEER_RELAY)
			fprintf(f, "-%u", own[i].port_max);
		between = ", ";
		any = true;
	}
	if (any)
		fprintf(f, " }\n");
}

static void put_set(
	FILE *f, const struct steer_claim *own, size_t n, enum steer_kind kind, uint8_t family)
{
	bool v6 = family == TP_FAMILY_IPV6;

	fprintf(f, "\tset %s%c {\n\t\ttype ipv%c_addr . inet_service\n",
		kind == STEER_RELAY ? "relays" : "listeners", v6 ? '6' : '4', v6 ? '6' : '4');
	// A plain set and one of intervals: a listener's port may lie within the relay's range.
	if (kind == STEER_RELAY)
		fprintf(f, "\t\tflags interval\n");
	put_elements(f, own, n, kind, family);
	fprintf(f, "\t}\n");
}

char *steer_guard_text(const char *instance, const struct steer_claim *own, size_t n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	// `add` before `delete`: no error where there is none yet. One transaction with the
	// commands that follow.
	fprintf(f,
		"add table " GUARD_TABLE "\ndelete table " GUARD_TABLE "\ntable " GUARD_TABLE
		" {\n",
		instance, instance, instance);
	put_set(f, own, n, STEER_LISTENER, TP_FAMILY_IPV4);
	put_set(f, own, n, STEER_RELAY, TP_FAMILY_IPV4);
	put_set(f, own, n, STEER_LISTENER, TP_FAMILY_IPV6);
	put_set(f, own, n, STEER_RELAY, TP_FAMILY_IPV6);
	fprintf(f, "\tchain input {\n"
		   "\t\ttype filter hook input priority raw; policy accept;\n"
		   "\t\tip daddr . udp dport @listeners4 counter drop\n"
		   "\t\tip daddr . udp dport @relays4 counter drop\n"
		   "\t\tip6 daddr . udp dport @listeners6 counter drop\n"
		   "\t\tip6 daddr . udp dport @relays6 counter drop\n"
		   "\t}\n}\n");
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int run(const char *commands, const char *what, struct steer_fault *fault)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int err = 0;

	if (nft == NULL)
		return steer_fault_set(fault, -ENOMEM, "", "nftables can't be initialised");
	if (nft_ctx_buffer_error(nft) != 0 || nft_ctx_buffer_output(nft) != 0)
		err = -ENOMEM;
	else if (nft_run_cmd_from_buffer(nft, commands) != 0)
		err = -EIO;
	if (err != 0) {
		const char *why = err == -EIO ? nft_ctx_get_error_buffer(nft) : strerror(-err);

		steer_fault_set(fault, err, "run as root on a kernel with nf_tables", "%s: %.*s",
			what, (int)strcspn(why, "\n"), why);
	}
	nft_ctx_free(nft);
	return err;
}

int steer_guard_install(
	const char *instance, const struct steer_claim *own, size_t n, struct steer_fault *fault)
{
	char *text = steer_guard_text(instance, own, n);
	int err;

	if (text == NULL)
		return steer_fault_set(fault, -ENOMEM, "", "out of memory");
	err = run(text, "the nft table that guards our ports can't be made", fault);
	free(text);
	return err;
}

int steer_guard_remove(const char *instance, struct steer_fault *fault)
{
	char text[256];

	snprintf(text, sizeof(text), "add table " GUARD_TABLE "\ndelete table " GUARD_TABLE "\n",
		instance, instance);
	return run(text, "the nft table that guarded our ports can't be removed", fault);
}

static int parse_generation(const struct nlattr *attr, void *data)
{
	uint32_t *generation = data;

	if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*generation = ntohl(mnl_attr_get_u32(attr));
	return MNL_CB_OK;
}

static int parse_answer(const struct nlmsghdr *m, void *data)
{
	mnl_attr_parse(m, sizeof(struct nfgenmsg), parse_generation, data);
	return MNL_CB_STOP;
}

uint32_t steer_guard_generation(void)
{
	uint8_t buf[1024];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *head;
	uint32_t generation = 0;
	ssize_t n = -1;

	if (nl == NULL)
		return 0;
	m->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	m->nlmsg_flags = NLM_F_REQUEST;
	head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
	head->version = NFNETLINK_V0;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
		mnl_socket_sendto(nl, m, m->nlmsg_len) > 0)
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n > 0)
		(void)mnl_cb_run(
			buf, (size_t)n, 0, mnl_socket_get_portid(nl), parse_answer, &generation);
	mnl_socket_close(nl);
	return generation;
}

char *steer_guard_listing(const char *instance)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	char command[128], *listing = NULL;

	if (nft == NULL)
		return NULL;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL);
	snprintf(command, sizeof(command), "list table " GUARD_TABLE "\n", instance);
	if (nft_ctx_buffer_output(nft) == 0 && nft_ctx_buffer_error(nft) == 0 &&
		nft_run_cmd_from_buffer(nft, command) == 0)
		listing = strdup(nft_ctx_get_output_buffer(nft));
	nft_ctx_free(nft);
	return listing;
}
