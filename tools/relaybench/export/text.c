// SPDX-License-Identifier: BSD-3-Clause
#include "text.h"

#include <errno.h>

#define PER_LINE 16u

static void put_ip(FILE *f, uint32_t ip)
{
	fprintf(f, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 0xff, ip >> 8 & 0xff, ip & 0xff);
}

static void put_mac(FILE *f, const uint8_t *mac)
{
	for (unsigned i = 0; i < 6; i++)
		fprintf(f, "%s%02x", i == 0 ? "" : ":", mac[i]);
}

static void put_address(FILE *f, const struct load_addr *a)
{
	for (unsigned i = 0; i < sizeof(a->net.prefix) && a->net.v6; i += 2)
		fprintf(f, "%x:", a->net.prefix[i] << 8 | a->net.prefix[i + 1]);
	if (a->net.v6)
		fprintf(f, "%x:%x", a->ip >> 16, a->ip & 0xffff);
	else
		put_ip(f, a->ip);
}

static void trex_packet(FILE *f, const struct export_options *o)
{
	const struct load_addr client = load_client_at(&o->population, 0);
	const struct load_addr *server = &o->population.server;
	bool v6 = server->net.v6;

	fprintf(f, "        base = Ether(dst=\"");
	put_mac(f, o->road.ethernet);
	fprintf(f, "\", src=\"");
	put_mac(f, o->road.ethernet + 6);
	fprintf(f, "\") / \\\n            %s(src=\"", v6 ? "IPv6" : "IP");
	put_address(f, &client);
	fprintf(f, "\", dst=\"");
	put_address(f, server);
	fprintf(f, "\"%s) / \\\n            UDP(sport=%u, dport=%u%s) / \\\n",
		v6 ? "" : ", flags=\"DF\"", LOAD_PORT_LOW, server->port, v6 ? "" : ", chksum=0");
	fprintf(f, "            (struct.pack(\">HH\", channel, %u) + b\"\\x00\" * %u)\n",
		o->payload, o->payload);
}

// In IPv4 the checksum stays zero, which RFC 768 allows: the generator would have to know it per
// client. In IPv6 (RFC 8200 section 8.1) its card makes it.
static void trex_clients(FILE *f, const struct export_options *o)
{
	const struct load_population *p = &o->population;
	uint32_t ports = p->n_allocations / p->n_client_ips;
	bool v6 = p->server.net.v6;

	fprintf(f, "        vm = STLScVmRaw([\n            STLVmTupleGen(ip_min=\"");
	// The generator counts in the last 32 bits of an IPv6 address.
	put_ip(f, p->client_ip);
	fprintf(f, "\", ip_max=\"");
	put_ip(f, p->client_ip + p->n_client_ips - 1);
	fprintf(f,
		"\", port_min=%u, port_max=%u, name=\"client\"),\n"
		"            STLVmWrFlowVar(fv_name=\"client.ip\", pkt_offset=\"%s\"%s),\n%s"
		"            STLVmWrFlowVar(fv_name=\"client.port\", "
		"pkt_offset=\"UDP.sport\")%s])\n",
		LOAD_PORT_LOW, LOAD_PORT_LOW + ports - 1, v6 ? "IPv6.src" : "IP.src",
		v6 ? ", offset_fixup=12" : "",
		v6 ? "" : "            STLVmFixIpv4(offset=\"IP\"),\n",
		v6 ? ",\n            STLVmFixChecksumHw(l3_offset=\"IPv6\", l4_offset=\"UDP\",\n"
		     "                               l4_type=CTRexVmInsFixHwCs.L4_TYPE_UDP)"
		   : "");
}

int export_trex(FILE *f, const struct export_options *o)
{
	const struct load_population *p = &o->population;

	fprintf(f, "# Made by relaybench export. Start with: start -f FILE.py -m 1\n"
		   "from trex_stl_lib.api import *\n\n\nclass Load(object):\n"
		   "    def stream(self, channel):\n");
	trex_packet(f, o);
	trex_clients(f, o);
	fprintf(f,
		"        return STLStream(packet=STLPktBuilder(pkt=base, vm=vm),\n"
		"                         mode=STLTXCont(pps=%.0f))\n\n",
		o->rate / p->n_channels);
	fprintf(f,
		"    def get_streams(self, direction=0, **kwargs):\n"
		"        return [self.stream(0x%04x + n) for n in range(%u)]\n\n\n"
		"def register():\n    return Load()\n",
		LOAD_CHANNEL_BASE, p->n_channels);
	return ferror(f) ? -EIO : 0;
}

int export_pktgen(FILE *f, const struct export_options *o, const char *capture)
{
	bool v6 = o->population.server.net.v6;
	unsigned octets =
		o->payload + LOAD_CHANNEL_LEN + (v6 ? LOAD_HEADERS6_LEN : LOAD_HEADERS_LEN);

	fprintf(f,
		"-- Made by relaybench export. Start with:\n"
		"--   pktgen -l 0-2 -- -P -m \"[1:2].0\" -s 0:%s -f THIS-FILE\n"
		"-- Pktgen's rate is a share of the link in percent: %.0f packets of %u bytes "
		"per\n"
		"-- second, with preamble and gap; set LINK to the link's bits per second.\n"
		"package.path = package.path .. \";?.lua;test/?.lua;app/?.lua;\"\n"
		"require \"Pktgen\"\n\n"
		"local LINK = 10e9\n"
		"local wire_bits = (%u + 24) * 8\n\n"
		"pktgen.set(\"0\", \"rate\", math.min(100, %.0f * wire_bits / LINK * 100))\n"
		"pktgen.set(\"0\", \"count\", 0)\n"
		"pktgen.pcap(\"0\", \"on\")\n"
		"pktgen.start(\"0\")\n",
		capture, o->rate, octets, octets, o->rate);
	return ferror(f) ? -EIO : 0;
}

int export_trafgen(FILE *f, const uint8_t *frame, size_t len)
{
	fprintf(f, "{");
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%s0x%02x%s", i % PER_LINE == 0 ? "\n\t" : " ", frame[i],
			i + 1 < len ? "," : "");
	fprintf(f, "\n}\n");
	return ferror(f) ? -EIO : 0;
}
