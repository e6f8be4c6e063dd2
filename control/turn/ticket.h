// SPDX-License-Identifier: BSD-3-Clause
// Mobility tickets (RFC 8016): one block of AES-256 over the number of the ticket and eight zeroes,
// which make a ticket of one's own invention a guess of 2^-64; as 32 hexadecimal digits, because
// coturn's client keeps no longer ones and takes them for text. Numbers are never used twice, so no
// two tickets are alike. Nothing of it is for logs.
#pragma once

#include <turn/conf.h>

#define TURN_TICKET_LEN	  32u

// A number is that of an allocation, random, and behind it which of its tickets this is.
#define TURN_TICKET_COUNT 0xffffffu

static inline uint64_t turn_ticket_allocation(uint64_t number)
{
	return number & ~(uint64_t)TURN_TICKET_COUNT;
}

static inline uint64_t turn_ticket_next(uint64_t number)
{
	return turn_ticket_allocation(number) | ((number + 1) & TURN_TICKET_COUNT);
}

// False when the library refuses.
bool turn_ticket_seal(
	const uint8_t key[TURN_TICKET_KEY_LEN], uint64_t number, uint8_t ticket[TURN_TICKET_LEN]);
// False: it is none that was sealed with this key.
bool turn_ticket_open(const uint8_t key[TURN_TICKET_KEY_LEN], const uint8_t *ticket, size_t len,
	uint64_t *number);
