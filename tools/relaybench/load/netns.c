// SPDX-License-Identifier: BSD-3-Clause
#include <load/netns.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAB_MARK "# made by tools/lab"
#define COMMAND	 512u

static bool is_name(const char *name, size_t max)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789_.-");

	return n > 0 && n < max && name[n] == '\0' && name[0] != '-' && name[0] != '.';
}

bool load_netns_is_lab(const char *name)
{
	char path[128], line[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/etc/netns/%s/hosts", name);
	f = name[0] == '\0' ? NULL : fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, LAB_MARK) == 0;
}

// A program in the namespace, its standard input or output as a stream.
static FILE *run(const struct load_netns *n, const char *command, const char *mode)
{
	char line[COMMAND];

	if (n->name[0] != '\0')
		snprintf(line, sizeof(line), "ip netns exec %s %s", n->name, command);
	else
		snprintf(line, sizeof(line), "%s", command);
	return popen(line, mode);
}

static int routes(const struct load_netns *n, const char *verb)
{
	bool undo = strcmp(verb, "del") == 0;
	// Removing an object that existed before fails, and the rest must be removed all the same.
	const char *command = undo ? "ip -force -batch - 2>/dev/null" : "ip -batch -";
	FILE *ip = n->n_ips == 0 ? NULL : run(n, command, "we");

	if (n->n_ips == 0)
		return 0;
	if (ip == NULL)
		return -errno;
	for (uint32_t i = 0; i < n->n_ips; i++) {
		uint32_t a = n->first_ip + i;

		if (n->net.v6) {
			// A neighbour is told of addresses of the interface only.
			fprintf(ip, "addr %s ", verb);
			for (unsigned k = 0; k < sizeof(n->net.prefix); k += 2)
				fprintf(ip, "%x:", n->net.prefix[k] << 8 | n->net.prefix[k + 1]);
			fprintf(ip, "%x:%x/128 dev %s%s\n", a >> 16, a & 0xffff, n->interface,
				undo ? "" : " nodad");
			continue;
		}

		fprintf(ip, "route %s local %u.%u.%u.%u/32 dev lo\n", verb, a >> 24, a >> 16 & 0xff,
			a >> 8 & 0xff, a & 0xff);
	}
	return pclose(ip) == 0 ? 0 : -EIO;
}

int load_netns_address(struct load_netns *n)
{
	if ((n->name[0] != '\0' && !is_name(n->name, sizeof(n->name))) ||
		!is_name(n->interface, sizeof(n->interface))) {
		fprintf(stderr, "relaybench: '%s' '%s': no namespace and interface\n", n->name,
			n->interface);
		return -EINVAL;
	}
	n->made = true;
	if (routes(n, "replace") != 0) {
		fprintf(stderr, "relaybench: ip failed in namespace '%s'\n", n->name);
		return -EIO;
	}
	return 0;
}

int load_netns_make(struct load_netns *n, uint16_t port_low, uint16_t port_high)
{
	int rc = load_netns_address(n);
	FILE *nft;

	if (rc < 0)
		return rc;
	n->counts = true;
	nft = run(n, "nft -f -", "we");
	if (nft == NULL)
		return -errno;
	// STUN's cookie stands in the fifth to eighth byte behind the UDP header.
	fprintf(nft,
		"table netdev relaybench { }\n"
		"delete table netdev relaybench\n"
		"table netdev relaybench {\n"
		"counter media { }\ncounter control { }\n"
		"chain arriving {\n"
		"type filter hook ingress device \"%s\" priority -500; policy accept;\n"
		"udp dport %u-%u jump ours\n"
		"}\n"
		"chain ours {\n"
		"@th,96,32 0x2112a442 counter name control drop\n"
		"counter name media drop\n"
		"}\n}\n",
		n->interface, port_low, port_high);
	if (pclose(nft) != 0) {
		fprintf(stderr, "relaybench: nft failed in namespace '%s'\n", n->name);
		return -EIO;
	}
	return 0;
}

void load_netns_undo(struct load_netns *n)
{
	FILE *nft;

	if (!n->made)
		return;
	n->made = false;
	nft = n->counts ? run(n, "nft -f -", "we") : NULL;
	n->counts = false;
	if (nft != NULL) {
		fprintf(nft, "delete table netdev relaybench\n");
		pclose(nft);
	}
	routes(n, "del");
}

int load_netns_counts(const struct load_netns *n, uint64_t *media, uint64_t *control)
{
	FILE *nft = run(n, "nft list counters netdev", "re");
	unsigned long long packets;
	uint64_t *which = NULL;
	unsigned found = 0;
	char line[128];

	if (nft == NULL)
		return -errno;
	while (fgets(line, sizeof(line), nft) != NULL) {
		if (strstr(line, "counter media") != NULL)
			which = media;
		else if (strstr(line, "counter control") != NULL)
			which = control;
		else if (which != NULL && sscanf(line, " packets %llu", &packets) == 1) {
			*which = packets;
			which = NULL;
			found++;
		}
	}
	return pclose(nft) == 0 && found == 2 ? 0 : -EIO;
}

int load_netns_open(const char *name, int (*make)(void *ctx), void *ctx)
{
	char path[128];
	int home, there, fd;

	if (name[0] == '\0')
		return make(ctx);
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0)
		fd = -errno;
	else
		fd = setns(there, CLONE_NEWNET) == 0 ? make(ctx) : -errno;
	if (home >= 0 && there >= 0 && setns(home, CLONE_NEWNET) != 0)
		abort(); // anything opened later would be in the wrong place
	if (home >= 0)
		close(home);
	if (there >= 0)
		close(there);
	return fd;
}
