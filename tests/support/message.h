// SPDX-License-Identifier: BSD-3-Clause
// STUN messages and ChannelData as a client writes and reads them: a second, plain implementation.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/stun.h>

#define MESSAGE_MAX 4096u

// Bytes of a message under construction.
struct message {
	uint8_t data[MESSAGE_MAX];
	uint16_t len;
};

void message_begin(struct message *m, uint16_t type, const uint8_t txid[12]);
void message_attribute(struct message *m, uint16_t type, const void *value, uint16_t len);
void message_address(struct message *m, uint16_t type, const struct tp_addr *a); // XOR-mapped
void message_fingerprint(struct message *m);

// ChannelData with `pad` bytes of 0xa5 behind the data.
void message_channel(
	struct message *m, uint16_t number, const void *data, uint16_t len, unsigned pad);

// Reads a Data indication's parts. Returns NULL, or its fault: it must hold XOR-PEER-ADDRESS and
// DATA, in this order, zero padding, and nothing else.
const char *message_read_data(const uint8_t *msg, size_t len, struct tp_addr *peer,
	const uint8_t **data, uint16_t *data_len);

// Reads a Binding success response's XOR-MAPPED-ADDRESS. Returns NULL, or its fault.
const char *message_read_binding(const uint8_t *msg, size_t len, const uint8_t txid[12],
	bool fingerprint, struct tp_addr *mapped);
