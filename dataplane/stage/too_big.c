// SPDX-License-Identifier: BSD-3-Clause
// Packets too long for their way: the sender is told by ICMP how long they may be, from the address
// that it sent to, so that a firewall or NAT in between knows the flow. The answer goes back to
// where the packet came from: no route is looked up.
#include "forward.h"

// Bytes of the UDP payload that came around the data and its padding.
static uint32_t wrapped_by(struct burst *b, const struct pkt_ctx *p, const struct core_packet *in)
{
	uint32_t len = core_packet_payload_len(in);
	uint32_t data_len;

	switch (p->form) {
	case FORM_CHANNEL:
		return len - tp_load_be16(core_packet_payload(in) + 2);
	case FORM_SEND:
		data_len = pkt_cold(b, p)->send.data_len;
		return len - data_len - (-data_len & 3);
	default:
		return 0;
	}
}

unsigned pkt_front(
	struct burst *b, const struct pkt_ctx *p, enum direction dir, const struct core_packet *in)
{
	struct core_peer from = {
		.family = p->hairpin ? pkt_cold(b, p)->shown.family : in->family,
	};

	if (dir == DIR_CHANNEL_TO_PEER || dir == DIR_SEND_TO_PEER)
		return 0;
	return direction_to_channel(dir) ? TP_CHANNEL_HEADER_LEN : core_data_front(&from);
}

static uint32_t mtu_for_sender(struct burst *b, const struct pkt_ctx *p, enum direction dir,
	const struct core_packet *in, const struct core_out *out)
{
	bool v4 = in->family == TP_FAMILY_IPV4;
	unsigned front = pkt_front(b, p, dir, in);
	const struct core_misfit m = {
		.in_ip_len = core_plain_ip_len(v4),
		.wrapped = wrapped_by(b, p, in),
		.out_ip_len = out->ip_len,
		.front = front,
		.leg_mtu = out->max_len,
		.padded = p->form == FORM_SEND || front > TP_CHANNEL_HEADER_LEN,
	};
	uint32_t mtu = core_misfit_mtu(&m), least = v4 ? CORE_MTU_MIN_IPV4 : CORE_MTU_MIN_IPV6;

	return mtu < least ? least : mtu;
}

bool pkt_too_big(struct burst *b, struct pkt_ctx *p, enum direction dir,
	const struct core_packet *in, const struct core_out *out)
{
	struct tp_addr sender = core_packet_addr(in, in->src_ip, in->ports.src_be);
	size_t len = (size_t)(in->l4 - p->pkt->data) + in->l4_len;
	struct stage_pkt *pkt = p->pkt;
	uint32_t mtu;
	uint8_t *data;

	if (p->message != NULL || in->fragmented)
		return false;
	mtu = mtu_for_sender(b, p, dir, in, out);
	if (mtu + WIRE_ETH_LEN >= len || pkt->headroom < CORE_ICMP_FRONT ||
		(pkt->data[WIRE_ETH_SRC] & 1) != 0 ||
		!stage_share_told(b->w, &sender, p->local_id, b->now_ns))
		return false;
	data = core_icmp_too_big(in, pkt->data, len, mtu, &len);
	pkt->data = data;
	pkt->len = (uint16_t)len;
	pkt->headroom = (uint16_t)(data - in->low);
	pkt->tailroom = (uint16_t)(in->high - data - len);
	pkt->tx_port = pkt->rx_port;
	pkt->verdict = STAGE_SEND;
	burst_count(b, TP_PATH_too_big, (uint32_t)(len - WIRE_ETH_LEN));
	return true;
}
